"""The shots of an edit: the media and frames that each shows, and its cast.

Nothing here reads documents or opens pictures; headers of media files are read in `read.places`.
"""
