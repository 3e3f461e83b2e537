"""How fast an item plays: its time effects as a Warp from its own seconds of record to seconds of its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.model import MapKey, exact, keys_in
from host_bridge.timeline.shots.warp import Affine, Curve, Key, Step
from nodes.errors import SchemaError


def speed_of(
    item: Any, start: Fraction, length: Fraction, frame: Fraction, available: tuple[Fraction, Fraction | None]
) -> tuple[list[Step], list[str]]:
    """Return the steps from seconds since an item's first record frame to seconds of its source, and what was not followed.

    start: of the source range; length: of the record; frame: of the sequence; available: where the source begins and how long
    it is, all in seconds. A reversed item plays the part of the source that begins at `start` from its end, unless only what
    lies before `start` is there: writers differ.
    """
    notes: list[str] = []
    scale, curve = Fraction(1), None
    for effect in item.effects:
        if not getattr(effect, "enabled", True) or not isinstance(effect, otio.schema.TimeEffect):
            continue
        if isinstance(effect, otio.schema.LinearTimeWarp):
            scale *= _scalar(effect, item)
        elif mapped := keys_in(effect):
            return [Affine(scale), mapped_curve(mapped, frame)], notes
        elif keys := keys_of(effect):
            curve = Curve(keys)
        else:
            notes.append(f"time effect '{effect.name or effect.effect_name or 'without a name'}' is not followed")
    origin, there = available
    if curve is not None:
        if start != origin:
            notes.append("speed ramp of a trimmed clip: its first frame is taken from the source range")
        return [Affine(scale, curve.inverse(start - origin)), curve, Affine(offset=origin)], notes
    if scale >= 0:
        return [Affine(scale, start)], notes
    part = -scale * length
    first = start + part + scale * frame
    half = frame / 2
    if there is not None and start + part > origin + there + half and start - part >= origin - half:
        first = start
        notes.append("reversed, and taken to begin at its source range's start: what follows that is not there")
    return [Affine(scale, first)], notes


def mapped_curve(keys: Sequence[MapKey], frame: Fraction) -> Curve:
    """Return exact keys as a curve from seconds of record to seconds of source. frame: of the sequence, in seconds.

    Where a line falls, a frame shows what it ends with, as a reversed item does. An eased key becomes the parabola between the lines.
    """
    found: list[Key] = []
    for i, (a, b) in enumerate(pairwise(keys)):
        slope, half = (b.source - a.source) / (b.record - a.record), (b.record - a.record) / 2
        back = min(slope, Fraction(0)) * frame
        after = min(a.after, half) if i else Fraction(0)
        before = min(b.before, half) if i < len(keys) - 2 else Fraction(0)
        if after and found:
            found[-1] = replace(found[-1], after=_third(found[-1], a, back))
            begin = Key(a.record + after, a.source + slope * after + back)
            found.append(replace(begin, before=_third(begin, a, back)))
        else:
            found.append(Key(a.record + after, a.source + slope * after + back))
        found.append(Key(b.record - before, b.source - slope * before + back))
    return Curve(found)


def _third(end: Key, corner: MapKey, back: Fraction) -> tuple[Fraction, Fraction]:
    """Two thirds of the way from the end of an eased part to its corner: the tangent of the cubic that is the parabola."""
    return (corner.record - exact(end.record)) * 2 / 3, (corner.source + back - exact(end.source)) * 2 / 3


def _scalar(effect: Any, item: Any) -> Fraction:
    try:
        return exact(effect.time_scalar)
    except ValueError as e:
        raise SchemaError(
            f"item '{item.name}' plays at a speed of {effect.time_scalar}", remedy="Export the edit again"
        ) from e


def keys_of(effect: Any) -> Sequence[Key]:
    """Return the keys of a speed ramp as Resolve writes them: [record s, source s, smooth, before x, y, after x, y] each.

    Seconds count from where the media begin. None where there are fewer than two usable ones. On the first and the last key
    Resolve takes no tangents.
    """
    block = effect.metadata.get("Resolve_OTIO")
    rows = block.get("Key Frames") if hasattr(block, "get") else None
    if rows is None or isinstance(rows, str) or not hasattr(rows, "__len__"):
        return []
    found = []
    for row in rows:
        try:
            values = [float(v) for v in row]
        except (TypeError, ValueError):
            return []
        if len(values) < 2 or not all(math.isfinite(v) and abs(v) < 1e9 for v in values):
            return []
        values += [0.0] * (7 - len(values))
        smooth = bool(values[2])
        found.append(
            Key(
                values[0],
                values[1],
                (values[3], values[4]) if smooth else (0.0, 0.0),
                (values[5], values[6]) if smooth else (0.0, 0.0),
            )
        )
    found.sort(key=lambda key: key.record)
    if len(found) < 2 or any(exact(a.record) == exact(b.record) for a, b in pairwise(found)):
        return []
    found[0] = Key(found[0].record, found[0].source)
    found[-1] = Key(found[-1].record, found[-1].source)
    return found
