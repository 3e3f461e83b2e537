"""The shots of an edit: which frames of which media each shows, and who is replaced by whom in it.

Nothing here reads documents or opens pictures; what is needed of a media file's header is in `media`.
"""
