"""Footage: clips and image sequences, read and written at their own depth, frame by frame, with the colour of each known.

Nothing here knows what is in a picture.
"""

from nodes.footage.footage import Footage, open_footage
from nodes.footage.frame import Frame
from nodes.footage.info import ColourTags, FootageInfo
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import read_matte, read_patch, write_matte, write_patch
from nodes.footage.sequence_writer import SequenceWriter

__all__ = [
    "ColourTags",
    "Footage",
    "FootageInfo",
    "Frame",
    "MovieWriter",
    "SequenceWriter",
    "open_footage",
    "read_matte",
    "read_patch",
    "write_matte",
    "write_patch",
]
