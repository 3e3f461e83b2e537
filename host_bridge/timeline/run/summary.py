"""What came of a run, shot by shot, and what of it is worth a look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.run.one import Done

_LOOKS = 3  # frames of a shot that are named


def in_short(
    run: TimelineRun, done: Mapping[str, Done], notes: Mapping[str, Sequence[str]], out: Path
) -> dict[str, Any]:
    """All shots in the edit's order, as JSON can hold it. done: those of now, by id; others were done before. notes: what of the edit could not be followed."""
    return {
        "shots": [_shot(shot, done.get(shot.id), out) | {"notes": list(notes[shot.id])} for shot in run.shots],
        "done": sum(shot.state == "done" for shot in run.shots),
        "failed": sum(shot.state == "failed" for shot in run.shots),
    }


def _shot(shot: ShotRecord, done: Done | None, out: Path) -> dict[str, Any]:
    report = _report(out / shot.folder) if shot.folder is not None else {}
    return {
        "id": shot.id,
        "name": shot.name,
        "cast": [c.model_dump(mode="json") for c in shot.cast],
        "frames": shot.span[1] - shot.span[0] + 1,
        "state": shot.state,
        "now": done is not None,
        "how": None if done is None else done.how,
        "folder": None if shot.folder is None else str(out / shot.folder),
        "verdict": report.get("verdict"),
        "summary": report.get("summary"),
        "look_first": report.get("look_first", [])[:_LOOKS],
        "error": None if shot.error is None else shot.error.model_dump(mode="json"),
    }


def _report(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "report.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}
