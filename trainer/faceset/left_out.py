"""What was left out of a faceset, and why: `left_out.csv`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REASONS = ("blurred", "misdetected", "duplicate", "blank", "another person")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One crop that was left out. frame: position in the clip. what, figure: by which measure. like: clip and frame of the kept one."""

    clip: int
    frame: int
    reason: str
    what: str
    figure: float
    like: tuple[int, int] | None = None


def count_reasons(left_out: Sequence[LeftOut], clip: int | None = None) -> dict[str, int]:
    """How many were left out for each reason, of one clip or of all."""
    found = Counter(one.reason for one in left_out if clip is None or one.clip == clip)
    return {reason: found[reason] for reason in REASONS}


def write_left_out(path: Path, left_out: Sequence[LeftOut], numbers: Sequence[int]) -> None:
    """Write the list as CSV, in the order of clips and frames; numbers: each clip's own number of its first frame."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "frame", "reason", "measure", "figure", "kept clip", "kept frame"))
        for one in sorted(left_out, key=lambda one: (one.clip, one.frame)):
            like = ("", "") if one.like is None else (one.like[0], one.like[1] + numbers[one.like[0]])
            rows.writerow((one.clip, one.frame + numbers[one.clip], one.reason, one.what, f"{one.figure:.4g}", *like))
