"""Variable speed as a time effect with exact keys, for formats whose own maps say more than OpenTimelineIO's effects can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import opentimelineio as otio

KEY, SCHEMA = "faceplate_time", "faceplate.time/1"


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
