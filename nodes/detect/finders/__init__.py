"""How each kind of subject is found in a frame: where to look first, where to look next, and what is there.

A subject's document names its finder by `kind`: `face` and `hand` are networks that ship, `keypoints` is any network that gives
the coordinates of landmarks. What follows them from frame to frame, :mod:`nodes.detect.track`, is the same for all.
"""

from __future__ import annotations

from nodes.detect.finders.finder import Finder, Seen
from nodes.errors import SchemaError
from nodes.subjects import Subject

__all__ = ["Finder", "Seen", "finder_of"]


def finder_of(subject: Subject) -> Finder:
    """The finder of a subject; raises SchemaError for one that is not described as it should be, ModelError for its network."""
    kind = subject.finder.get("kind")
    if kind == "face":
        from nodes.detect.finders.face import FaceFinder

        return FaceFinder()
    if kind == "hand":
        from nodes.detect.finders.hand import HandFinder

        return HandFinder()
    if kind == "keypoints":
        from nodes.detect.finders.keypoints import KeypointFinder

        return KeypointFinder(subject)
    raise SchemaError(
        f"names the finder '{kind}', which is not one of face, hand and keypoints",
        file=subject.file,
        remedy="Correct the document, or update Faceplate",
    )
