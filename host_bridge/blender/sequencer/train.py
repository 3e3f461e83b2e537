# SPDX-License-Identifier: GPL-3.0-or-later
"""Train on Strips: the source's and the target's facesets from footage of the edit, then a model for the two."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy

from .. import consent, link, media, properties
from ..media import MediaError
from . import settings, strips
from .notes import note
from .operator import OnSelected

PERFORMERS = ("source", "target")
Clip = tuple[str, str | None]  # footage, and its frames A-B, None for all


class FACEPLATE_OT_train_on_strips(OnSelected, bpy.types.Operator):
    """Train a model that puts the source's face on the performer of the selected strips."""

    bl_idname = "faceplate.train_on_strips"
    bl_label = "Train on Strips"
    bl_description = "Gather both performers' faces from what the strips show, handles included, and train a model"

    def execute(self, context: Any) -> set[str]:
        """Ask for the first step, and return at once; each asks for the next."""
        scene = strips.scene_of(context)
        try:
            settings.check(scene)
            told = scene.faceplate_strips
            clips = {"source": _sources(scene), "target": _targets(scene)}
            nodes = settings.node_settings(scene)
            detect, swap = nodes["detect"], nodes["swap"]
            said = [swap[name] for name in properties.performers() if name in swap]
            out = settings.results_folder(scene) / "training" / _name(clips, detect, said)
            rate = {"rate": str(media.scene_rate(scene))}
        except MediaError as e:
            self.report({"ERROR"}, str(e))
            return {"CANCELLED"}
        requests = {
            name: {
                "clips": [path for path, _ in clips[name]],
                "ranges": [frames for _, frames in clips[name]],
                "out": str(out / name),
                "detect": detect,
                **consent.of_faceset(name, name, swap),
                **rate,
            }
            for name in PERFORMERS
        }
        _Training(out, requests, round(float(told.training_minutes), 3), consent.by(swap)).begin()
        self.report({"INFO"}, "Asked the engine for the faces of both performers; the training follows")
        return {"FINISHED"}


class _Training:
    """Three jobs, one after the other. It holds no data of Blender's: whatever becomes of the file, it goes on."""

    def __init__(self, out: Path, requests: dict[str, dict[str, Any]], minutes: float, by: dict[str, Any]) -> None:
        self._out, self._requests, self._minutes, self._by = out, requests, minutes, by

    def begin(self) -> None:
        self._gather(list(PERFORMERS))

    def _gather(self, left: list[str]) -> None:
        if left:
            link.submit("faceset", self._requests[left[0]], on_end=lambda job: self._gathered(job, left[1:]))
            return
        sets = [str(self._out / name) for name in PERFORMERS]
        request = {
            "facesets": sets,
            "out": str(self._out / "model"),
            "train": {"minutes": self._minutes},
            "resume": any((self._out / "model" / "checkpoints").glob("step-*.json")),
            **self._by,
        }
        link.submit("train", request, on_end=self._trained)

    def _gathered(self, job: link.Job, left: list[str]) -> None:
        if _finished(job):
            self._gather(left)

    def _trained(self, job: link.Job) -> None:
        if _finished(job):
            note(f"The model is {job['result']['model']}", "Choose it as Model, with the method Model")


def _name(clips: dict[str, list[Clip]], detect: dict[str, Any], said: list[str]) -> str:
    """A folder for what the same footage of the same performers gives: a training goes on in it, and another has one of its own."""
    who = [settings.file_name(Path(clips[name][0][0]).stem) for name in PERFORMERS]
    told = json.dumps([clips, detect, *said], sort_keys=True).encode()
    return f"{who[0]}-on-{who[1]}-{hashlib.sha256(told).hexdigest()[:6]}"


def _targets(scene: Any) -> list[Clip]:
    """What the selected strips show that are not the source's. Raises MediaError."""
    chosen = [s for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source]
    if not chosen:
        raise MediaError("no strip of the target is selected", "Select movie or image strips that are not the source's")
    return _clips(scene, chosen)


def _sources(scene: Any) -> list[Clip]:
    """The source's footage, else what the strips show that are marked as such. Raises MediaError."""
    if scene.faceplate_strips.source:
        return [(path, None) for path in settings.sources(scene)]
    found = _clips(scene, settings.marked(scene))
    if not found:
        raise MediaError("no source is chosen", "Choose footage as Source, or mark a strip as Source Performer")
    return found


def _clips(scene: Any, chosen: Iterable[Any]) -> list[Clip]:
    """Footage with the frames that strips show of it, handles included, each once; of strips that do not tell which, all frames."""
    found: dict[Clip, None] = {}
    for strip in chosen:
        path = media.of_strip(strip, scene).path
        try:
            first, last = strips.read(strip, scene, scene.faceplate_strips.handles).range
            found[path, f"{first}-{last}"] = None
        except MediaError:
            found[path, None] = None
    return list(found)


def _finished(job: link.Job) -> bool:
    if consent.forbidden(job):
        consent.again()  # it may have been shown otherwise
    if job.get("state") == "failed":
        note(f"Training: {job['error']['message']}", job["error"].get("remedy") or "")
    return job.get("state") == "finished"


classes = (FACEPLATE_OT_train_on_strips,)
