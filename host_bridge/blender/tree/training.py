# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a model for a shot: the source's faceset, the target's, then the network; the node uses it from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import media
from .work import Task


def training(plate: media.Plate, source: str, minutes: float, detect: dict[str, Any], place: Path) -> Task:
    """The first of three jobs, each of which asks for the next. What was trained before goes on from where it was. Raises MediaError."""
    if not source:
        raise media.MediaError("no source is given", "Name the source's footage on the node")
    out = place / "train"
    target = _faceset(plate.path, place / "target", detect, lambda node, job: _train(out, place, minutes))
    if plate.sequence:
        target.request["rate"] = str(plate.rate)
    return _faceset(source, place / "source", detect, lambda node, job: target)


def _faceset(clip: str, out: Path, detect: dict[str, Any], done: Any) -> Task:
    request = {"clips": [clip], "performer": Path(clip).stem, "out": str(out), "detect": detect}
    return Task("faceset", request, done)


def _train(out: Path, place: Path, minutes: float) -> Task:
    request: dict[str, Any] = {
        "facesets": [str(place / "source"), str(place / "target")],
        "out": str(out),
        "train": {"minutes": minutes},
        "resume": any(out.glob("checkpoints/step-*.json")),
    }

    def done(node: Any, job: dict[str, Any]) -> str:
        node.settings.model, node.settings.method = job["result"]["model"], "model"
        return f"Trained {job['result']['steps']} steps; Render Range uses the model"

    return Task("train", request, done)
