# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a model for a shot: the source's faceset, the target's, then the network; the node uses it from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import consent, media
from .work import Task


def training(plate: media.Plate, source: str, minutes: float, parameters: dict[str, Any], place: Path) -> Task:
    """The first of three jobs, each of which asks for the next. What was trained before goes on from where it was. Raises MediaError.

    parameters: of Detect, and of Swap, which names the performers.
    """
    if not source:
        raise media.MediaError("no source is given", "Name the source's footage on the node")
    swap = parameters["swap"]
    target = _faceset(plate.path, "target", parameters, place, lambda node, job: _train(place, minutes, swap))
    if plate.sequence:
        target.request["rate"] = str(plate.rate)
    return _faceset(source, "source", parameters, place, lambda node, job: target)


def _faceset(clip: str, role: str, parameters: dict[str, Any], place: Path, done: Any) -> Task:
    whose = consent.of_faceset(role, Path(clip).stem, parameters["swap"])
    request = {"clips": [clip], "out": str(place / role), "detect": parameters.get("detect", {}), **whose}
    return Task("faceset", request, done)


def _train(place: Path, minutes: float, swap: dict[str, Any]) -> Task:
    out = place / "train"
    request: dict[str, Any] = {
        "facesets": [str(place / "source"), str(place / "target")],
        "out": str(out),
        "train": {"minutes": minutes},
        "resume": any(out.glob("checkpoints/step-*.json")),
        **consent.by(swap),
    }

    def done(node: Any, job: dict[str, Any]) -> str:
        node.settings.model, node.settings.method = job["result"]["model"], "model"
        return f"Trained {job['result']['steps']} steps; Render Range uses the model"

    return Task("train", request, done)
