"""Footage: clips and image sequences, read and written at their own depth, frame by frame, with the colour of each known.

`footage` opens a clip, `frame` is one picture of it, `formats` lists the kinds of files. Nothing here knows what is in a picture.
"""
