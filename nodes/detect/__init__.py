"""Detect: find the faces of a shot and follow them. `detect` is the node; the rest are its parts."""

from nodes.detect.track import detect, main_tracks

__all__ = ["detect", "main_tracks"]
