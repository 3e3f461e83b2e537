"""A track above another that holds clips of results where the other holds the shots, to the frame.

Item for item it has the lengths of the track below: gaps for what is not replaced, a clip with the shot's own source range and effects for what
is, and the transitions that touch one. So whatever the track's clips do (retimes, reverses, freezes, moves, dissolves), the results do with them.
"""

from __future__ import annotations

import math
from typing import Any

from host_bridge.timeline.write.tree import DEFAULT_KEY, TRACK, Node, copied, mark, schema, time_range


def result_clip(clip: Node, source_range: Node, name: str, reference: Node, *, enabled: bool) -> Node:
    """A clip that shows a result as `clip` shows its plate. source_range: what it shows of it."""
    host: Node = {"Resolve_OTIO": {}} if "Resolve_OTIO" in (clip.get("metadata") or {}) else {}
    return {
        "OTIO_SCHEMA": "Clip.2",
        "metadata": host,
        "name": name,
        "source_range": copied(source_range),
        "effects": copied(clip.get("effects") or []),
        "markers": [],
        "enabled": enabled,
        "media_references": {DEFAULT_KEY: reference},
        "active_media_reference_key": DEFAULT_KEY,
    }


def layer_above(track: Node, durations: list[Node | None], results: dict[int, Node], name: str, about: Node) -> Node:
    """The track of results. durations: of the track's items, None for transitions. results: clips by the index of what they replace."""
    children: list[Node] = []
    for i, child in enumerate(track["children"]):
        if i in results:
            children.append(results[i])
        elif schema(child) == "Transition":
            if i - 1 in results or i + 1 in results:
                children.append(copied(child))
        else:
            duration = durations[i]
            assert duration is not None
            _pad(children, duration)
    if not track.get("source_range"):
        while children and schema(children[-1]) == "Gap" and not _faded(children):
            children.pop()
    found: Node = {
        "OTIO_SCHEMA": "Track.1",
        "metadata": {"Resolve_OTIO": {"Locked": False}} if "Resolve_OTIO" in (track.get("metadata") or {}) else {},
        "name": name,
        "source_range": copied(track.get("source_range")),
        "effects": copied(track.get("effects") or []),
        "markers": [],
        "enabled": track.get("enabled", True),
        "children": children,
        "kind": "Video",
    }
    mark(found, TRACK, about)
    return found


def _faded(children: list[Node]) -> bool:
    """Whether the last item is what a transition fades to."""
    return len(children) > 1 and schema(children[-2]) == "Transition"


def _pad(children: list[Node], duration: Node) -> None:
    """Append a gap, or lengthen the one that is last, where both count alike and no transition needs the cut between them."""
    last: Any = children[-1] if children else None
    if last is not None and schema(last) == "Gap":
        held = last["source_range"]["duration"]
        if math.isclose(held["rate"], duration["rate"], rel_tol=1e-12):
            held["value"] += duration["value"]
            return
    children.append(
        {
            "OTIO_SCHEMA": "Gap.1",
            "metadata": {},
            "name": "",
            "source_range": time_range(0, duration["value"], duration["rate"]),
            "effects": [],
            "markers": [],
            "enabled": True,
        }
    )
