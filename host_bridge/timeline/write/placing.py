"""Where a result goes in an edit: a media reference of its clip, or a clip on a track above.

Item for item such a track has the lengths of the track below: gaps for what is not replaced, a clip with the shot's own source range and effects for
what is, and the transitions that touch one. So whatever the track's clips do (retimes, reverses, freezes, moves, dissolves), the results do with them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.write.media import ResultMedia
from host_bridge.timeline.write.profiles import Profile
from host_bridge.timeline.write.tree import (
    CLIP,
    DEFAULT_KEY,
    MEDIA,
    NAME,
    TRACK,
    Node,
    copied,
    free_key,
    mark,
    node_of,
    schema,
    time_range,
    written_rate,
)
from nodes.footage.rates import snap_rate

_PLACE = re.compile(r"%0(\d+)d")


def reference_to(media: ResultMedia, like: Node | None, profile: Profile) -> Node:
    """Return a media reference to a result. like: that of the plate."""
    name, rate = media.path.name, written_rate(like, media.rate)
    about = {NAME: {"schema": MEDIA, "kind": media.kind} | ({"alpha": media.alpha} if media.alpha else {})}
    start = ((like or {}).get("available_range") or {}).get("start_time")
    # Where the plate's media begin beside a whole frame, the result's do so too.
    began = exact(start["value"]) / snap_rate(start["rate"]) * media.rate if start else Fraction(0)
    available = time_range(media.start + float(began - nearest(began)), media.frames, rate)
    place = _PLACE.search(name)
    if media.number is None or place is None:
        reference = otio.schema.ExternalReference(profile.url(media.path), available, about)
    else:
        reference = otio.schema.ImageSequenceReference(
            target_url_base=profile.url(media.path.parent, folder=True),
            name_prefix=name[: place.start()],
            name_suffix=name[place.end() :],
            start_frame=media.number,
            rate=rate,
            frame_zero_padding=int(place[1]),
            available_range=available,
            metadata=about,
        )
    return node_of(reference) | {"name": name}


def add_reference(clip: Node, reference: Node, about: Node, *, show: bool, default_only: bool) -> None:
    """Add a media reference to a clip, under the key `faceplate`.

    about: for the clip's block. show: the clip shows it from now on. default_only: what is shown stands under the usual key, and
    the plate's reference moves to the key `plate`.
    """
    undo: Node = {}
    if schema(clip) == "Clip" and "media_references" not in clip:
        undo["was"] = clip["OTIO_SCHEMA"]
        clip["OTIO_SCHEMA"] = "Clip.2"
        clip["media_references"] = {DEFAULT_KEY: clip.pop("media_reference", None)}
    references = clip["media_references"]
    shown = clip.get("active_media_reference_key", DEFAULT_KEY)
    undo["was_active"] = shown
    key = free_key(references, NAME)
    if show and default_only:
        undo["moved"] = free_key(references, "plate")
        references[undo["moved"]] = references.pop(shown)
        key = shown
    references[key] = reference
    clip["active_media_reference_key"] = key if show else shown
    mark(clip, CLIP, about | {"key": key} | undo)


def result_clip(clip: Node, source_range: Node, name: str, reference: Node, *, enabled: bool) -> Node:
    """Return a clip that shows a result as `clip` shows its plate. source_range: the part of it that is shown."""
    return node_of(otio.schema.Clip(name)) | {
        "metadata": {"Resolve_OTIO": {}} if _is_resolves(clip) else {},
        "source_range": copied(source_range),
        "effects": copied(clip.get("effects") or []),
        "enabled": enabled,
        "media_references": {DEFAULT_KEY: reference},
    }


def layer_above(track: Node, durations: Sequence[Any], results: Mapping[int, Node], name: str, about: Node) -> Node:
    """Return the track of results. durations: RationalTimes of the track's items, None for transitions. results: clips by the index of what they replace."""
    children: list[Node] = []
    for i, (child, duration) in enumerate(zip(track["children"], durations, strict=True)):
        if i in results:
            children.append(results[i])
        elif duration is not None:
            _pad(children, duration.value, duration.rate)
        elif i - 1 in results or i + 1 in results:
            children.append(copied(child))
    if not track.get("source_range"):
        # A gap that a transition fades to stays.
        while children and schema(children[-1]) == "Gap" and schema(children[-2:][0]) != "Transition":
            children.pop()
    layer = node_of(otio.schema.Track(name, kind="Video")) | {
        "metadata": {"Resolve_OTIO": {"Locked": False}} if _is_resolves(track) else {},
        "source_range": copied(track.get("source_range")),
        "effects": copied(track.get("effects") or []),
        "enabled": track.get("enabled", True),
        "children": children,
    }
    mark(layer, TRACK, about)
    return layer


def _is_resolves(node: Node) -> bool:
    return "Resolve_OTIO" in (node.get("metadata") or {})


def _pad(children: list[Node], value: float, rate: float) -> None:
    """Append a gap, or lengthen the one that is last, where both count alike and no transition needs the cut between them."""
    if children and schema(children[-1]) == "Gap":
        held = children[-1]["source_range"]["duration"]
        if math.isclose(held["rate"], rate, rel_tol=1e-12):
            held["value"] += value
            return
    children.append(node_of(otio.schema.Gap(source_range=time_range(0, value, rate))))
