"""What a media file's header says: its rate, its length, and the timecode of its first frame."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from host_bridge.timeline.read.times import snap_rate
from nodes.footage.formats import IMAGES
from nodes.footage.numbering import find_sequence
from nodes.footage.probe import labels_in, open_container, probe, video_stream
from nodes.footage.rates import is_drop, number_of


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself. rate: None where files do not say it. start: its timecode, in frames. drop: that is drop-frame."""

    rate: Fraction | None
    frames: int
    start: int | None
    still: bool = False
    drop: bool = False


def begin_of(used: Fraction, start: Fraction, frames: Fraction, day: int) -> Fraction:
    """Where media begin as a document counts them, so that the frame `used` lies in them: as their timecode says, a day off, or at 0.

    start: their timecode. frames: how many there are. day: frames of a day of timecode.
    """
    return next((s for s in (start, start - day, start + day, Fraction(0)) if s <= used < s + frames), start)


def read_header(path: Path) -> Header:
    """Read what a file, or the files of a pattern, say of themselves, without decoding; raises FootageError."""
    sequence = find_sequence(path)
    if sequence is not None:
        return Header(None, len(sequence.files), sequence.first)
    state: tuple[int, ...] = ()
    with suppress(OSError, ValueError):
        found = path.stat()
        state = found.st_mtime_ns, found.st_size, found.st_ino
    return _header(path, state)


@lru_cache(maxsize=4096)
def _header(path: Path, _state: tuple[int, ...]) -> Header:
    if path.suffix.lower() in IMAGES:
        return Header(None, 1, None, still=True)
    with open_container(path) as container:
        stream = video_stream(container, path)
        declared = stream.average_rate or stream.guessed_rate or stream.base_rate
        said = list(labels_in(container))
        frames = stream.frames
    if not frames or not declared:  # nothing in the container counts them
        info, _ = probe(path)
        frames, declared = info.frames, info.rate
    rate = snap_rate(declared)
    for label in said:
        with suppress(ValueError):  # not a timecode at this rate
            return Header(rate, frames, number_of(label, rate), drop=is_drop(label))
    return Header(rate, frames, None)
