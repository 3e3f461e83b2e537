"""An OpenTimelineIO document as the JSON that it is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from host_bridge.timeline.read import Edit
from host_bridge.timeline.read.bundle import CONTENT
from host_bridge.timeline.read.notes import without_notes

Node = dict[str, Any]
DEFAULT_KEY = "DEFAULT_MEDIA"
_FORMER = {"Sequence": "Track", "Filler": "Gap"}


def document_of(edit: Edit) -> Node:
    """The edit's own JSON: a timeline's as its file has it, to the digit, and what was read of any other."""
    kind = edit.path.suffix.lower()
    if kind in (".otio", ".otiod"):
        text = (edit.path / CONTENT if kind == ".otiod" else edit.path).read_text("utf-8-sig")
        found = json.loads(text)
        if schema(found) == "Timeline":
            return dict(found)
    return dict(without_notes(json.loads(edit.timeline.to_json_string())))


def schema(node: object) -> str:
    """Name of an object's schema, without its version and by its present name; empty where it is none of OpenTimelineIO's."""
    name = str(node.get("OTIO_SCHEMA", "")).rpartition(".")[0] if isinstance(node, dict) else ""
    return _FORMER.get(name, name)


def at(document: Node, where: Sequence[int]) -> Node:
    """The item that child indices lead to, down from the timeline's tracks."""
    node: Node = document["tracks"]
    for index in where:
        node = node["children"][index]
    return node


def copied(node: Any) -> Any:
    """A copy that stands beside the original: without the ids by which a document's objects name each other."""
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items() if key != "OTIO_REF_ID"}
    return [copied(value) for value in node] if isinstance(node, list) else node


def rational(value: float, rate: float) -> Node:
    """A RationalTime."""
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(value)}


def time_range(start: float, duration: float, rate: float) -> Node:
    """A TimeRange whose start and duration have one rate."""
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": rational(duration, rate),
        "start_time": rational(start, rate),
    }


def written_rate(reference: Node | None, rate: Fraction) -> float:
    """A rate as a media reference spells it: 23.976 is written in several ways, and ours is the one that is there."""
    found = ((reference or {}).get("available_range") or {}).get("duration") or {}
    spelt = found.get("rate")
    same = isinstance(spelt, int | float) and math.isclose(spelt, float(rate), rel_tol=2e-5)
    return float(spelt) if same else float(rate)  # type: ignore[arg-type]


def active_reference(clip: Node) -> Node | None:
    """The media reference that a clip shows."""
    if "media_references" not in clip:
        return clip.get("media_reference")
    found: Node | None = (clip["media_references"] or {}).get(clip.get("active_media_reference_key", DEFAULT_KEY))
    return found


def free_key(taken: Sequence[str] | Node, wanted: str) -> str:
    """A name that is not taken: `faceplate`, `faceplate-2`."""
    names = (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 2)))
    return next(name for name in names if name not in taken)
