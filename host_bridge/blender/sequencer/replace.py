# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace Face: a swap for each selected strip, and its patch on the channel above when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from .. import consent, link
from ..media import MediaError
from . import modify, performers, settings, strips
from .land import land
from .notes import note
from .operator import OnSelected
from .target import Target, target_of

BLENDS_IN = "sRGB"  # the sequencer's space in which overlays give exactly the composite


class FACEPLATE_OT_replace_face(OnSelected, bpy.types.Operator):
    """Replace the face in the selected strips; each gets a patch on a channel above when the engine is done."""

    bl_idname = "faceplate.replace_face"
    bl_label = "Replace Face"
    bl_description = "Put the source's face into the selected movie and image strips, as a patch on a channel above"

    def execute(self, context: Any) -> set[str]:
        """Ask for all of it, and return at once."""
        scene = strips.scene_of(context)
        try:
            shared = _shared(scene)
        except MediaError as e:
            self.report({"ERROR"}, str(e))
            return {"CANCELLED"}
        asked, refused = 0, []
        for strip in strips.selected(scene):
            try:
                _ask(scene, strip, shared)
                asked += 1
            except MediaError as e:
                refused.append(str(e))
        for why in refused:
            self.report({"WARNING"} if asked else {"ERROR"}, why)
        if not asked:
            return {"CANCELLED"}
        self.report({"INFO"}, f"Asked the engine for {asked} strip{'s' if asked > 1 else ''}")
        return {"FINISHED"}


def _shared(scene: Any) -> dict[str, Any]:
    """What all requests have in common. Raises MediaError."""
    settings.check(scene)
    space = scene.sequencer_colorspace_settings.name
    if space != BLENDS_IN:
        raise MediaError(
            f"the sequencer blends in {space}", f"Set Render > Color Management > Sequencer to {BLENDS_IN}"
        )
    settings.results_folder(scene)
    found = settings.sources(scene)
    if len(found) > 1:
        raise MediaError("several clips are marked as source", "Choose one of them as Source, or mark one only")
    swap = scene.faceplate_strips.swap
    if not found and swap.method == "reference":
        raise MediaError("no source is chosen", "Choose footage as Source, or mark a strip as Source Performer")
    if swap.method == "model" and not swap.model:
        raise MediaError("no model is chosen", "Choose one, or the method Reference, which needs none")
    return {
        **({"source": found[0]} if found else {}),
        "settings": settings.node_settings(scene),
    }


def _ask(scene: Any, strip: Any, shared: dict[str, Any]) -> None:
    if strip.faceplate_source and not scene.faceplate_strips.source:
        raise MediaError(f"{strip.name} is marked as the source itself", "Select the strips that get its face")
    handles = scene.faceplate_strips.handles
    shown = strips.read(strip, scene, handles)
    first, last = shown.range
    out = settings.results_folder(scene) / settings.file_name(scene.name) / settings.file_name(strip.name)
    request = {**shown.plate, **shared, "range": f"{first}-{last}", "out": str(out)}
    target = target_of(scene, strip, shown, handles)
    if scene.faceplate_strips.as_modifier and modify.possible():
        modify.check(strip, shown)
        link.submit("swap", request, on_end=_modifying(target, out, first, last), after=lambda job: modify.prepare(out))
    else:
        link.submit("swap", {**request, "overlay": True}, on_end=_landing(target, first, last))


def _landing(target: Target, first: int, last: int) -> Callable[[link.Job], None]:
    def put(job: link.Job) -> list[str]:
        patch, remarks = land(target, job["result"]["overlay"], first, last)
        return [f"{patch.name} is on channel {patch.channel}", *remarks]

    return _ending(target, put)


def _modifying(target: Target, out: Path, first: int, last: int) -> Callable[[link.Job], None]:
    def put(job: link.Job) -> list[str]:
        strip, remarks = modify.modify(target, out, first, last)
        return [f"{strip.name} has its new face as a modifier", *remarks]

    return _ending(target, put)


def _ending(target: Target, put: Callable[[link.Job], list[str]]) -> Callable[[link.Job], None]:
    """Put the pictures of a job that has ended where they belong, and say what came of it."""

    def ended(job: link.Job) -> None:
        consent.ended(performers.key(target.uid, target.path), job)
        if job.get("state") == "failed":
            error = job["error"]
            note(f"{target.strip}: {error['message']}", error.get("remedy") or "")
        if job.get("state") != "finished":
            return
        try:
            said = put(job)
        except MediaError as e:
            note(e.message, e.remedy)
            return
        for text in said:
            note(text)

    return ended


classes = (FACEPLATE_OT_replace_face,)
