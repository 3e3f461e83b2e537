# SPDX-License-Identifier: GPL-3.0-or-later
"""How consent stands, on nodes and in panels: a tick for what is allowed, red for what is not, in the engine's own words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .. import lines, link
from .asking import again, forbidden, standing

_UNMARKED = "The model does not say whom it was trained on; results are marked so"


def draw(layout: Any, key: str, *, brief: bool = False, width: int = lines.WIDTH) -> None:
    """Show what is known; nothing where nothing was asked. brief: only who, until when and why not, not what to do about it."""
    known = standing(key)
    if known is None:
        return
    box = layout.column(align=True)
    if known.job is None:
        box.label(text="Consent: asking the engine", icon="SORTTIME")
        return
    for icon, text in told(known.job, brief=brief):
        row = box.column(align=True)
        row.alert = icon == "CANCEL"
        lines.draw(row, text, icon, width)
    row = box.row(align=True)
    row.operator(FACEPLATE_OT_ask_again.bl_idname, icon="FILE_REFRESH")
    if not brief:
        row.operator(FACEPLATE_OT_copy.bl_idname, text="", icon="COPYDOWN").text = "\n".join(
            text for _, text in told(known.job)
        )


def told(job: link.Job, *, brief: bool = False) -> Iterator[tuple[str, str]]:
    """An answer as icons and sentences."""
    found, error = job.get("result"), job.get("error") or {}
    if not found:
        remedy = error.get("remedy") or ""
        icon = "CANCEL" if forbidden(job) else "QUESTION"
        yield icon, ". ".join(filter(None, ("Consent: " + error.get("message", "not known"), remedy)))
        return
    roles = found["target"], found["source"]
    if not found["allowed"] and all(role["allowed"] for role in roles):  # the model forbids it
        yield "CANCEL", found["said"]
        return
    said = {(role["why"] if brief and role["why"] else role["said"]): role["allowed"] for role in roles}
    yield from (("CHECKMARK" if allowed else "CANCEL", text) for text, allowed in said.items())
    if not found.get("model_known", True):
        yield "INFO", _UNMARKED


class FACEPLATE_OT_ask_again(bpy.types.Operator):
    """Look again whom the records of consent allow what; the engine is started if it does not run."""

    bl_idname = "faceplate.ask_again"
    bl_label = "Look Again"

    def execute(self, context: Any) -> set[str]:
        """Ask in a thread."""
        link.start_engine(again)
        return {"FINISHED"}


class FACEPLATE_OT_copy(bpy.types.Operator):
    """Copy this text, to paste its command into a terminal."""

    bl_idname = "faceplate.copy"
    bl_label = "Copy"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    __annotations__ = {"text": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        """Copy it."""
        context.window_manager.clipboard = self.text
        return {"FINISHED"}


CLASSES = (FACEPLATE_OT_ask_again, FACEPLATE_OT_copy)
