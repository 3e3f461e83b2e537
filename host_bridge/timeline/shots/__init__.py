"""The shots of an edit: which frames of which media each shows, and who is replaced by whom in it.

Nothing here reads documents or opens pictures; what a media file's header says is in `read.places`.
"""
