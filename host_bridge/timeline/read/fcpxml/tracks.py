"""Storylines of FCPXML as tracks: by their lanes, with gaps and transitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.fcpxml.markers import moved
from host_bridge.timeline.read.fcpxml.resources import called
from host_bridge.timeline.read.model import add_note, rational_time

PICTURE = otio.schema.TrackKind.Video
SOUND = otio.schema.TrackKind.Audio
_ZERO = Fraction(0)


@dataclass
class Piece:
    """An item of a storyline.

    begin, length: of its record, in seconds. start: as its own time counts. items: by kind of track. markers: of what has no item.
    """

    begin: Fraction
    length: Fraction
    start: Fraction = _ZERO
    scale: Fraction = Fraction(1)
    items: dict[str, Any] = field(default_factory=dict)
    markers: list[Any] = field(default_factory=list)

    def at(self, offset: Fraction, frame: Fraction) -> Fraction:
        """Where in the record something is connected. A conformed clip's offsets are found to count in one of two ways: by which they fall on frames."""
        along = offset - self.start
        if self.scale != 1 and (along / frame).denominator > 1 and (along / self.scale / frame).denominator == 1:
            along /= self.scale
        return self.begin + along


@dataclass(eq=False)
class Run:
    """A storyline: pieces that follow each other without a hole, and transitions between them, by the number of the piece that they stand before."""

    lane: int
    pieces: list[Piece] = field(default_factory=list)
    transitions: dict[int, tuple[Element, Fraction, Fraction]] = field(default_factory=dict)

    @property
    def begin(self) -> Fraction:
        """Its first second in the composition."""
        return self.pieces[0].begin

    @property
    def end(self) -> Fraction:
        """The second at which it is over."""
        return self.pieces[-1].begin + self.pieces[-1].length


def stack_of(runs: list[Run], rate: Fraction, name: str, *, whole: bool = False) -> otio.schema.Stack:
    """A stack of the tracks of storylines."""
    stack = otio.schema.Stack(name)
    stack.extend(tracks_of(runs, rate, whole=whole))
    return stack


def tracks_of(runs: list[Run], rate: Fraction, *, whole: bool = False) -> list[otio.schema.Track]:
    """The tracks of storylines: pictures from the lowest lane up, then sound.

    Storylines of one lane share a track where they do not touch in a transition. whole: with the primary one though it be empty, for its length.
    """
    rows: list[list[Run]] = []
    for lane in sorted({run.lane for run in runs}):
        here: list[list[Run]] = []
        for run in sorted((run for run in runs if run.lane == lane), key=lambda run: run.begin):
            row = next((row for row in here if _fits(row[-1], run)), None)
            if row is None:
                here.append(row := [])
            row.append(run)
        rows += here
    found = [_track(row, kind, rate) for kind in (PICTURE, SOUND) for row in rows]
    primary = found[next(i for i, row in enumerate(rows) if runs[0] in row)] if whole and runs else None
    return [track for track in found if track is primary or track.markers or is_filled(track)]


def is_filled(track: otio.schema.Track) -> bool:
    """Whether there is anything but gaps on a track."""
    return any(not isinstance(item, otio.schema.Gap) for item in track)


def _fits(last: Run, run: Run) -> bool:
    touches = len(last.pieces) in last.transitions or 0 in run.transitions
    return last.end < run.begin if touches else last.end <= run.begin


def _track(row: list[Run], kind: str, rate: Fraction) -> otio.schema.Track:
    track = otio.schema.Track(kind=kind)
    at = _ZERO
    for run in row:
        _pad(track, run.begin - at, rate)
        for i, piece in enumerate(run.pieces):
            if i in run.transitions:
                _dissolve(track, run, i, kind, rate)
            item = piece.items.get(kind)
            if item is None:
                _pad(track, piece.length, rate)
            else:
                track.append(item)
        if len(run.pieces) in run.transitions:
            _dissolve(track, run, len(run.pieces), kind, rate)
        for piece in run.pieces if kind == PICTURE else ():
            track.markers.extend(moved(marker, piece.begin - piece.start, rate) for marker in piece.markers)
        at = run.end
    return track


def _pad(track: otio.schema.Track, length: Fraction, rate: Fraction) -> None:
    if length > 0:
        track.append(otio.schema.Gap(source_range=TimeRange(RationalTime(0, float(rate)), rational_time(length, rate))))


def _dissolve(track: otio.schema.Track, run: Run, i: int, kind: str, rate: Fraction) -> None:
    """Add the transition before piece `i`, if it is between things of this kind."""
    element, before, behind = run.transitions[i]
    beside = [piece.items[kind] for piece in run.pieces[max(i - 1, 0) : i + 1] if kind in piece.items]
    if before < 0 or behind < 0 or not before + behind:
        for item in beside:
            add_note(item, f"{called(element)} does not touch the cut that it stands at; not followed")
    elif beside:
        name = element.get("name", "")
        dissolve = "dissolve" in name.lower() or not name
        track.append(
            otio.schema.Transition(
                name,
                otio.schema.TransitionTypes.SMPTE_Dissolve if dissolve else otio.schema.TransitionTypes.Custom,
                in_offset=rational_time(before, rate),
                out_offset=rational_time(behind, rate),
            )
        )


def end_of(runs: list[Run]) -> Fraction:
    """The second at which the last of some storylines is over."""
    return max((run.end for run in runs), default=_ZERO)


def tell(piece: Piece, note: str) -> None:
    """Leave a note at what a piece shows."""
    for item in piece.items.values():
        add_note(item, note)
