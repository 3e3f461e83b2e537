# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify: whether the pictures of patches, above strips or in them, are still what was signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import credentials, link, media
from . import modify, strips
from .notes import note


class FACEPLATE_OT_verify_strips(bpy.types.Operator):
    """Verify the Content Credentials of the selected patches, and of the strips that have their new face as a modifier."""

    bl_idname = "faceplate.verify_strips"
    bl_label = "Verify"
    bl_options = {"REGISTER"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A result is selected."""
        return bool(_results(strips.scene_of(context)))

    def execute(self, context: Any) -> set[str]:
        """Ask for each, and return at once; the panel says what was found."""
        for strip in _results(strips.scene_of(context)):
            read = modify.shown_by(strip)
            if read is None:
                _ask(strip.name, media.path_of_strip(strip))
            else:  # whole frames, which were made here of the patches that are signed
                made = read.parent.parent / "patch"
                _ask(strip.name, media.pattern_of(str(made / read.name)), _comparing(made, read.parent))
        return {"FINISHED"}


def _results(scene: Any) -> list[Any]:
    """The selected strips that show what the engine has made."""
    return [s for s in strips.shown_strips(scene) if s.select and (strips.OF in s or modify.shown_by(s))]


def _ask(name: str, pattern: str, after: link.After | None = None) -> None:
    def ended(job: link.Job) -> None:
        if job.get("state") == "finished":
            changed, said = credentials.verdict(job)
            note(f"{name}: {said}", "Replace Face makes it anew" if changed else "")
        elif job.get("state") == "failed":
            note(f"{name}: {job['error']['message']}", job["error"].get("remedy") or "")

    link.submit("credentials", {"path": pattern}, on_end=ended, after=after)


def _comparing(made: Path, shown: Path) -> link.After:
    return lambda job: ("differ", made, shown)


classes = (FACEPLATE_OT_verify_strips,)
