"""Footage: clips and image sequences, read and written at their own depth, frame by frame, with the colour of each known.

Nothing here knows what is in a picture. What is named here is imported when it is asked for: who only wants a file written whole, or a
frame's number, does not wait for the decoders.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodes.footage.footage import Footage, open_beside, open_footage
    from nodes.footage.frame import Frame
    from nodes.footage.info import ColourTags, FootageInfo
    from nodes.footage.movie_writer import MovieWriter
    from nodes.footage.patch_files import read_matte, read_patch, write_matte, write_patch
    from nodes.footage.sequence_writer import SequenceWriter

_HOMES = {
    "ColourTags": "info",
    "Footage": "footage",
    "FootageInfo": "info",
    "Frame": "frame",
    "MovieWriter": "movie_writer",
    "SequenceWriter": "sequence_writer",
    "open_beside": "footage",
    "open_footage": "footage",
    "read_matte": "patch_files",
    "read_patch": "patch_files",
    "write_matte": "patch_files",
    "write_patch": "patch_files",
}
__all__ = [
    "ColourTags",
    "Footage",
    "FootageInfo",
    "Frame",
    "MovieWriter",
    "SequenceWriter",
    "open_beside",
    "open_footage",
    "read_matte",
    "read_patch",
    "write_matte",
    "write_patch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
