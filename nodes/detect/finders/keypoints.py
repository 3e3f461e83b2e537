"""Finds any subject by a network that gives the coordinates of its landmarks."""

from __future__ import annotations

from nodes.subjects import Subject


class KeypointFinder:
    """To come."""

    def __init__(self, subject: Subject) -> None:
        raise NotImplementedError
