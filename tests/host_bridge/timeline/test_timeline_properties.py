"""Random edits: where shots lie, and which frames they show, is what OpenTimelineIO's own transforms of time say."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentimelineio.opentime import RationalTime

from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.shots.shot import Shot
from nodes.footage.rates import snap_rate
from tests.support.cuts import dissolve, gap, shots_of, span

SPELLINGS = [23.976, 23.976024627685547, 24.0, 25.0, 29.97, 30000 / 1001, 50.0, 59.94, 60.0]
SPEEDS = [None, 0.5, 2.0, 0.43, 1.0, 0.0]


@st.composite
def clips(draw: st.DrawFn, rate: float, *, nested: bool) -> Any:
    """A clip whose media is not there and is long enough; its rate is the sequence's, or another."""
    media_rate = draw(st.sampled_from([rate, rate, *SPELLINGS]))
    begin = draw(st.sampled_from([0, 1001, round(media_rate) * 3600]))
    available = span(begin, 4000, media_rate)
    first = float(Fraction(begin) / snap_rate(media_rate) * snap_rate(rate)) + draw(st.integers(40, 60))
    source = span(first, draw(st.integers(1, 20)), rate)
    made = otio.schema.Clip("c", otio.schema.ExternalReference("nowhere.mov", available), source)
    speed = None if nested else draw(st.sampled_from(SPEEDS))
    if speed is not None:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    return made


@st.composite
def items(draw: st.DrawFn, rate: float, depth: int, *, nested: bool = False) -> Any:
    kind = draw(st.sampled_from(["clip", "clip", "gap", "stack" if depth else "clip"]))
    if kind == "clip":
        return draw(clips(rate, nested=nested))
    if kind == "gap":
        return gap(draw(st.integers(1, 10)), rate)
    stack = otio.schema.Stack("s")
    stack.extend(draw(st.lists(tracks(rate, depth - 1, nested=True), min_size=1, max_size=2)))
    if draw(st.booleans()):
        stack.source_range = span(draw(st.integers(0, 4)), draw(st.integers(1, 30)), rate)
    return stack


@st.composite
def tracks(draw: st.DrawFn, rate: float, depth: int, *, nested: bool = False) -> Any:
    track = otio.schema.Track(kind="Video")
    for item in draw(st.lists(items(rate, depth, nested=nested), min_size=1, max_size=4)):
        # What a transition shows of a nested stack beyond its range, OpenTimelineIO's transforms do not say.
        beside = (otio.schema.Clip, otio.schema.Gap)
        both = len(track) and isinstance(track[-1], beside) and isinstance(item, beside)
        if not nested and both and draw(st.booleans()):
            track.append(dissolve(draw(st.integers(0, 3)), draw(st.integers(0, 3)), rate))
        track.append(item)
    return track


@st.composite
def edits(draw: st.DrawFn) -> Any:
    rate = draw(st.sampled_from(SPELLINGS))
    made = otio.schema.Timeline("random", global_start_time=RationalTime(round(rate) * 3600, rate))
    made.tracks.extend(draw(st.lists(tracks(rate, 2), min_size=1, max_size=3)))
    return made


def found_in(made: Any) -> list[Shot]:
    with tempfile.TemporaryDirectory() as folder:
        return shots_of(made, Path(folder))


def clip_at(made: Any, where: tuple[int, ...]) -> Any:
    item = made.tracks
    for index in where:
        item = item[index]
    return item


def ancestry(clip: Any, root: Any) -> list[Any]:
    """The clip, and the items around it."""
    found = [clip]
    while found[-1].parent() is not root:
        found.append(found[-1].parent())
    return [item for item in found if not isinstance(item, otio.schema.Track)]


def seen(made: Any, clip: Any, k: int, rate: float) -> bool:
    """Whether OpenTimelineIO has frame k of the sequence inside of the clip, and of all that is around it."""
    middle = RationalTime(k + 0.5, rate)  # whole frames: the middle is clear of the rounding of floats at the ends
    for item in ancestry(clip, made.tracks):
        inside = made.tracks.transformed_time(middle, item)
        around = item.trimmed_range()
        value, first = inside.value_rescaled_to(rate), around.start_time.value_rescaled_to(rate)
        if not first <= value < first + around.duration.value_rescaled_to(rate):
            return False
    return True


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits())
def test_shots_lie_and_show_what_opentimelineio_says(made: Any) -> None:
    rate = made.global_start_time.rate
    shots = found_in(made)
    total = round(made.tracks.trimmed_range().duration.value_rescaled_to(rate))
    by_place = {shot.where: shot for shot in shots}
    clips_seen = 0
    for clip in made.tracks.find_clips():
        where = next((w for w in by_place if clip_at(made, w) is clip), None)
        frames = [k for k in range(total) if seen(made, clip, k, rate)]
        if where is None:
            assert not frames
            continue
        clips_seen += 1
        shot = by_place[where]
        head, tail = shot.transitions
        first, count = shot.record
        assert frames == list(range(first + head, first + count - tail))
        before, behind = clip.parent().handles_of_child(clip)
        if first > 0:
            assert head == (round(before.value) if before else 0)
        if first + count < total:
            assert tail == (round(behind.value) if behind else 0)
        _check_frames(made, clip, shot, rate)
    assert clips_seen == len(shots)
    assert len({shot.id for shot in shots}) == len(shots)


def _check_frames(made: Any, clip: Any, shot: Shot, rate: float) -> None:
    start, available = clip.source_range.start_time, clip.media_reference.available_range
    speed = next((e.time_scalar for e in clip.effects), 1.0)
    origin = Fraction(available.start_time.value) / snap_rate(available.start_time.rate)
    for k, position in enumerate(shot.frames, shot.record[0]):
        there = made.tracks.transformed_time(RationalTime(k, rate), clip)
        since = Fraction(round(there.value_rescaled_to(rate) - start.value_rescaled_to(rate)))
        second = (exact(start.value) + exact(speed) * since) / snap_rate(rate) - origin
        assert position == nearest(second * snap_rate(available.duration.rate))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPELLINGS), st.integers(0, 10_000_000), st.integers(1, 5_000))
def test_nothing_drifts_however_long_the_edit(rate: float, first: int, count: int) -> None:
    made = otio.schema.Timeline("", global_start_time=RationalTime(0, rate))
    track = otio.schema.Track(kind="Video")
    for n in (first + 1, count):
        media = otio.schema.ExternalReference("nowhere.mov", span(first, 20_000_000, rate))
        track.append(otio.schema.Clip("c", media, span(first + 5, n, rate)))
    made.tracks.append(track)
    shot = found_in(made)[1]
    assert shot.record == (first + 1, count)
    assert shot.frames == range(5, 5 + count)
