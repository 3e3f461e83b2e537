"""What formats say of time beyond OpenTimelineIO: variable speed with exact keys, and which frame is shown between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import opentimelineio as otio

KEY, SCHEMA = "faceplate_time", "faceplate.time/1"
SLACK = Fraction(1, 1000)  # of a frame: how far before a frame its beginning may be said to be


@dataclass(frozen=True, slots=True)
class MapKey:
    """At `record` seconds since an item's first frame, `source` seconds of its source are shown; straight lines between keys.

    before, after: seconds on either side of the key over which one speed goes over into the next.
    """

    record: Fraction
    source: Fraction
    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)


def time_effect(keys: Sequence[MapKey], name: str = "Time map") -> Any:
    """Return a time effect that holds keys exactly; two or more, whose record times rise."""
    rows = [[str(k.record), str(k.source), str(k.before), str(k.after)] for k in keys]
    return otio.schema.TimeEffect(name, "TimeMap", {KEY: {"schema": SCHEMA, "keys": rows}})


def sample_down(clip: Any) -> None:
    """Have a clip show, between the beginnings of two frames of its media, the earlier; without this the nearer."""
    clip.metadata[KEY] = {"schema": SCHEMA, "sampling": "floor"}


def samples_down(clip: Any) -> bool:
    """Whether a clip shows the earlier of two frames."""
    block = clip.metadata.get(KEY)
    return hasattr(block, "get") and block.get("sampling") == "floor"


def keys_in(effect: Any) -> list[MapKey]:
    """The keys that a time effect holds; empty where it is not one of ours, or is damaged."""
    block = effect.metadata.get(KEY)
    if not hasattr(block, "get") or block.get("schema") != SCHEMA:
        return []
    try:
        keys = [MapKey(*(Fraction(str(value)) for value in row)) for row in block.get("keys", ())]
    except (TypeError, ValueError, ZeroDivisionError):
        return []
    return keys if len(keys) > 1 and all(a.record < b.record for a, b in pairwise(keys)) else []
