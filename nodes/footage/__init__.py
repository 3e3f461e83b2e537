"""Footage: clips and image sequences, read and written at their own depth and colour, frame by frame.

`footage` opens a clip, `frame` is one picture of it, `formats` lists the kinds of files. It does not look at what the pictures show.
"""
