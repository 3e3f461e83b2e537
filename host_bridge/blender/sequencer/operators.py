# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace Face, Train on Strips and Verify: operators that ask the engine at once, and place results later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bpy

from .. import media, properties
from ..link import session
from ..media import MediaError
from ..session import Job, training_jobs, verdict
from . import place, settings, strips
from .panel import Asks, finished, note
from .strips import Target

Clip = tuple[str, str | None]  # footage, and its frames A-B, None for all


class _OnSelected(Asks):
    """Mixin for operators on the selected strips with footage, patches excluded."""

    @classmethod
    def poll(cls: Any, context: Any) -> bool:
        try:
            cls.require(strips.scene_of(context))
        except MediaError as e:
            cls.poll_message_set(str(e))
            return False
        return True

    @classmethod
    def require(cls, scene: Any) -> None:
        """Raise MediaError if the operator lacks something."""
        if not strips.selected(scene):
            raise MediaError("no strip is selected", "Select movie or image strips")


# ---- replace


class FACEPLATE_OT_replace_face(_OnSelected, bpy.types.Operator):
    """Replace the face in the selected strips; each gets a patch on a channel above when the engine is done."""

    bl_idname = "faceplate.replace_face"
    bl_label = "Replace Face"
    bl_description = "Put the source's face into the selected movie and image strips, as a patch on a channel above"

    @classmethod
    def require(cls, scene: Any) -> None:
        super().require(scene)
        settings.check_swap(scene)
        if not settings.plates(scene):
            raise MediaError("only the source is selected", "Select the strips that get its face")

    def ask(self: Any, scene: Any) -> str:
        shared = _shared(scene)
        count, errors = 0, []
        for strip in settings.plates(scene):
            try:
                _replace(scene, strip, shared)
                count += 1
            except MediaError as e:
                errors.append(e)
        error = None if count else errors.pop()
        for why in errors:
            self.report({"WARNING"}, str(why))
        if error:
            raise error
        return f"Asked the engine for {count} strip{'s' if count > 1 else ''}"


def _shared(scene: Any) -> dict[str, Any]:
    """Return the part that all requests share. Raises MediaError."""
    settings.check(scene)
    sources = settings.sources(scene)
    return {**({"source": sources[0]} if sources else {}), "settings": settings.node_settings(scene)}


def _replace(scene: Any, strip: Any, shared: dict[str, Any]) -> None:
    handles = scene.faceplate_strips.handles
    shown = strips.read(strip, scene, handles)
    first, last = shown.range
    out = settings.results_folder(scene) / settings.file_name(scene.name) / settings.file_name(strip.name)
    request = {**shown.plate, **shared, "range": f"{first}-{last}", "out": str(out)}
    target = strips.target_of(scene, strip, shown, handles)
    inside = scene.faceplate_strips.as_modifier and place.has_modifiers()
    if inside:
        place.check_order(strip, shown)
    request["whole" if inside else "overlay"] = True
    session.submit("swap", request, on_end=landing(target, first, last, inside=inside))


def landing(target: Target, first: int, last: int, *, inside: bool = False) -> Callable[[Job], None]:
    """Make a listener that puts the pictures of an ended job above the strip, or inside it, and notes the outcome."""

    def ended(job: Job) -> None:
        if not finished(job, target.strip):
            return
        try:
            if inside:
                strip, remarks = place.modify(target, job["result"]["whole"], first, last)
                note(f"{strip.name} has its new face as a modifier")
            else:
                patch, remarks = place.land(target, job["result"]["overlay"], first, last)
                note(f"{patch.name} is on channel {patch.channel}")
        except MediaError as e:
            note(e.message, e.remedy)
            return
        for text in remarks:
            note(text)

    return ended


# ---- train


class FACEPLATE_OT_train_on_strips(_OnSelected, bpy.types.Operator):
    """Train a model that puts the source's face on the performer of the selected strips."""

    bl_idname = "faceplate.train_on_strips"
    bl_label = "Train on Strips"
    bl_description = "Gather both performers' faces from what the strips show, handles included, and train a model"

    def ask(self, scene: Any) -> str:
        settings.check(scene)
        clips = {"source": _sources(scene), "target": _targets(scene)}
        nodes = settings.node_settings(scene)
        detect, swap = nodes["detect"], nodes["swap"]
        named = [swap[name] for name in properties.PERFORMERS if name in swap]
        out = settings.results_folder(scene) / "training" / _name(clips, detect, named)
        minutes, rate = round(float(scene.faceplate_strips.training_minutes), 3), str(media.scene_rate(scene))
        (kind, request), *then = training_jobs(out, clips, swap, minutes, detect=detect, rate=rate)
        session.submit(kind, request, then=then, on_end=_trained)
        return "Asked the engine for the faces of both performers; the training follows"


def _trained(job: Job) -> None:
    if finished(job, "Training"):
        model = str(job["result"]["model"])
        action = {"name": "use_model", "arguments": {"model": model}}
        note(f"The model is {model}", "Choose it as Model, with the method Model", action)


def _name(clips: dict[str, list[Clip]], detect: dict[str, Any], named: list[str]) -> str:
    """Name a training's folder: the same for the same footage and performers, so that the training goes on in it."""
    stems = [settings.file_name(Path(footage[0][0]).stem) for footage in clips.values()]
    content = json.dumps([clips, detect, *named], sort_keys=True).encode()
    return f"{stems[0]}-on-{stems[1]}-{hashlib.sha256(content).hexdigest()[:6]}"


def _targets(scene: Any) -> list[Clip]:
    """List the footage of the selected strips except the source's. Raises MediaError."""
    chosen = [s for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source]
    if not chosen:
        raise MediaError("no strip of the target is selected", "Select movie or image strips that are not the source's")
    return _clips(scene, chosen)


def _sources(scene: Any) -> list[Clip]:
    """List the source's footage, else that of the strips marked as source. Raises MediaError."""
    if scene.faceplate_strips.source:
        return [(path, None) for path in settings.sources(scene)]
    clips = _clips(scene, settings.marked(scene))
    if not clips:
        raise MediaError("no source is chosen", "Choose footage as Source, or mark a strip as Source Performer")
    return clips


def _clips(scene: Any, chosen: Iterable[Any]) -> list[Clip]:
    """List footage with the frames that strips show of it, handles included, each once; all frames if unknown."""
    clips: dict[Clip, None] = {}
    for strip in chosen:
        path = media.of_strip(strip, scene).path
        try:
            first, last = strips.read(strip, scene, scene.faceplate_strips.handles).range
            clips[path, f"{first}-{last}"] = None
        except MediaError:
            clips[path, None] = None
    return list(clips)


# ---- verify


class FACEPLATE_OT_verify_strips(bpy.types.Operator):
    """Verify the Content Credentials of the selected patches, and of the strips that have their new face as a modifier."""

    bl_idname = "faceplate.verify_strips"
    bl_label = "Verify"
    bl_options = {"REGISTER"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(_results(strips.scene_of(context)))

    def execute(self, context: Any) -> set[str]:
        for strip in _results(strips.scene_of(context)):
            picture = place.shown_by(strip)
            path = media.pattern_of(str(picture)) if picture else media.path_of_strip(strip)
            session.submit("credentials", {"path": path}, on_end=_verified(strip.name))
        return {"FINISHED"}


def _results(scene: Any) -> list[Any]:
    """List the selected strips that show results of the engine."""
    return [s for s in strips.shown_strips(scene) if s.select and (strips.OF in s or place.shown_by(s))]


def _verified(name: str) -> Callable[[Job], None]:
    def ended(job: Job) -> None:
        if finished(job, name):
            changed, said = verdict(job)
            note(f"{name}: {said}", "Replace Face makes it anew" if changed else "")

    return ended


CLASSES = (FACEPLATE_OT_replace_face, FACEPLATE_OT_train_on_strips, FACEPLATE_OT_verify_strips)
