"""A shot, its media and its cast. All counts are whole frames; a *position* counts the frames of a media file from 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

_STRICT = ConfigDict(extra="forbid")


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class Media:
    """The media of a clip.

    url: as the document writes it. key: of the media reference, among the clip's. path: a file, or a pattern as `open_footage`
    takes it (name.%04d.exr); position 0 is the first frame of `open_footage`. None if missing. rate: frames
    per second. start: the document's number of position 0, in media frames: its timecode. frames: their number;
    None if unknown.
    """

    url: str
    path: Path | None
    rate: Annotated[Fraction, Field(gt=0)]
    start: int
    frames: Annotated[int, Field(ge=0)] | None = None
    key: str = "DEFAULT_MEDIA"

    def clamp(self, position: int) -> int:
        """Clamp a position to the media: before and after it, the first and last frame are held."""
        return max(0, position if self.frames is None else min(position, self.frames - 1))


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class Casting:
    """A replacement in a shot: its target and its source.

    target: the performer in the plate. source: the performer whose face it becomes. tracks: the face tracks that are replaced,
    as `faceplate detect` numbers them in the shot; empty for the one that `faceplate swap` chooses. said: its origin, in words.
    """

    target: str
    source: str
    tracks: tuple[int, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One use of one media in the edit.

    id: stable for an unchanged edit, and fit for a file name: V1-0003 is the third clip of the first video track; in a nested
    stack that is the third item, V1-0003.V2-0001. where: child indices down from `timeline.tracks` to the clip. rate: of the
    sequence. record: the first frame in the sequence, counted from 0, and the number of frames, transitions included.
    transitions: how many of these are before and after the clip's own. frames: for each record frame the position in the
    media, all inside it. handles: frames of media to add on either side. notes: parts of the document that are ignored.
    """

    id: str
    name: str
    where: tuple[int, ...]
    media: Media
    rate: Fraction
    record: tuple[int, int]
    frames: Sequence[int]
    transitions: tuple[int, int] = (0, 0)
    handles: int = 0
    cast: tuple[Casting, ...] = ()
    enabled: bool = True
    notes: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """First and last position to render: all of `frames` and the handles, inside the media."""
        clamp, frames = self.media.clamp, self.frames
        ends = sorted((frames[0], frames[-1])) if isinstance(frames, range) else (min(frames), max(frames))
        return clamp(ends[0] - self.handles), clamp(ends[1] + self.handles)
