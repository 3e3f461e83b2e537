"""Random timelines: tracks of clips, gaps and nested stacks with transitions, retimes, markers, metadata, and things nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

RATES = (24000 / 1001, 23.976, 24.0, 25.0, 30000 / 1001, 50.0, 60000 / 1001)
names = st.text("abcÄß '/%\"\\", max_size=6)
numbers = st.one_of(
    st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
plain = st.recursive(numbers | names, lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=3))
metadata = st.dictionaries(names.filter(lambda n: n != "faceplate"), plain, max_size=3)
cast_blocks = st.sampled_from([{}, {"faceplate": {"target": "Ann", "source": "Ben"}}, {"faceplate": "by hand"}])


def time(value: float, rate: float) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": float(value)}


def span(start: float, duration: float, rate: float) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": time(duration, rate),
        "start_time": time(start, rate),
    }


def item(label: str, name: str, source: Any, **more: Any) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": label,
        "metadata": {},
        "name": name,
        "source_range": source,
        "effects": [],
        "markers": [],
        "enabled": True,
        **more,
    }


@st.composite
def effects(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    scalar = draw(st.sampled_from([None, 0.5, 2.0, -1.0, 0.43]))
    if scalar is not None:
        found.append(
            {
                "OTIO_SCHEMA": "LinearTimeWarp.1",
                "metadata": {},
                "name": "",
                "effect_name": "",
                "time_scalar": scalar,
            }
        )
    if draw(st.booleans()):
        found.append(
            {
                "OTIO_SCHEMA": "Effect.1",
                "metadata": draw(metadata),
                "name": "",
                "effect_name": "Resolve Effect",
            }
        )
    return found


@st.composite
def clips(draw: st.DrawFn, rate: float) -> dict[str, Any]:
    duration = draw(st.integers(12, 60))
    start = draw(st.sampled_from([0, 86400, 107892]))
    offset = draw(st.integers(0, 40)) + draw(st.sampled_from([0, 0.5]))
    media = draw(st.sampled_from(RATES))
    reference: dict[str, Any] = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": draw(metadata),
        "name": "a.mov",
        "available_range": span(start, 400, media),
        "available_image_bounds": None,
        "target_url": draw(st.sampled_from(["/footage/a.mov", "C:\\footage\\a.mov", "/footage/b 1.mov"])),
    }
    if draw(st.integers(0, 4)) == 0:
        reference = reference | {"OTIO_SCHEMA": "ImageSequenceReference.1", "target_url_base": "/footage/s/"}
        del reference["target_url"]
        reference |= {
            "name_prefix": "s.",
            "name_suffix": ".exr",
            "start_frame": start,
            "frame_step": 1,
            "rate": media,
            "frame_zero_padding": 4,
            "missing_frame_policy": "error",
        }
    found = item(
        "Clip.2",
        draw(names),
        span(start / media * rate + offset, duration, rate),
        media_references={"DEFAULT_MEDIA": reference},
        active_media_reference_key="DEFAULT_MEDIA",
    )
    found["metadata"] = draw(metadata) | draw(cast_blocks)
    found["effects"] = draw(effects())
    found["enabled"] = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        found["markers"] = [
            {
                "OTIO_SCHEMA": "Marker.2",
                "metadata": draw(metadata),
                "name": draw(names),
                "color": "RED",
                "marked_range": span(start, 1, rate),
                "comment": "FACE target=Ann source=Ben",
            }
        ]
    return found


@st.composite
def tracks(draw: st.DrawFn, rate: float, depth: int, kind: str = "Video") -> dict[str, Any]:
    children: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 5))):
        what = draw(st.sampled_from(["clip", "clip", "clip", "gap", "stack"]))
        if what == "gap":
            new = item("Gap.1", "", span(0, draw(st.integers(12, 30)), rate))
        elif what == "stack" and depth:
            inner = draw(st.lists(tracks(rate, depth - 1), min_size=1, max_size=2))
            new = item("Stack.1", "nest", span(0, 12, rate), children=inner)
        else:
            new = draw(clips(rate))
        before = children[-1] if children else None
        if before is not None and not before["OTIO_SCHEMA"].startswith("Transition") and draw(st.integers(0, 3)) == 0:
            children.append(
                {
                    "OTIO_SCHEMA": "Transition.1",
                    "metadata": {},
                    "name": "Cross Dissolve",
                    "in_offset": time(4, rate),
                    "out_offset": time(3, rate),
                    "transition_type": "SMPTE_Dissolve",
                }
            )
        children.append(new)
    found = item("Track.1", draw(names), None, children=children, kind=kind)
    found["metadata"] = draw(metadata)
    return found


@st.composite
def timelines(draw: st.DrawFn) -> dict[str, Any]:
    """A timeline as JSON, as OpenTimelineIO would write it."""
    rate = draw(st.sampled_from(RATES))
    inside = draw(st.lists(tracks(rate, 2), min_size=1, max_size=3))
    inside += draw(st.lists(tracks(rate, 0, "Audio"), max_size=1))
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": draw(metadata),
        "name": draw(names),
        "global_start_time": time(86400, rate),
        "tracks": item("Stack.1", "tracks", None, children=inside),
    }


def clips_in(node: dict[str, Any], where: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
    """Every clip on a video track, with its place."""
    for i, child in enumerate(node.get("children", ())):
        if child.get("kind") == "Audio":
            continue
        if child["OTIO_SCHEMA"].startswith("Clip"):
            yield (*where, i), child
        yield from clips_in(child, (*where, i))


def text(document: dict[str, Any]) -> str:
    return json.dumps(document)
