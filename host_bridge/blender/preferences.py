# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences of the extension: the place of Faceplate, and the state of its engine."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from .link import engine_python, session
from .panels import draw_action, draw_text
from .session import START, split_command

_WIDTH = 90  # letters of a line


class FACEPLATE_OT_stop_engine(bpy.types.Operator):
    """Stop the engine; its running jobs go on when it is started again"""

    bl_idname = "faceplate.stop_engine"
    bl_label = "Stop Engine"

    def execute(self, context: Any) -> set[str]:
        session.stop()
        return {"FINISHED"}


class FACEPLATE_OT_test_python(bpy.types.Operator):
    """Test whether the engine can be started with this Python"""

    bl_idname = "faceplate.test_python"
    bl_label = "Test"

    def execute(self, context: Any) -> set[str]:
        FaceplatePreferences.tested = None, "Testing"

        def ended(status: int, text: str) -> None:
            FaceplatePreferences.tested = status, text if status else f"It works: {text}"

        session.command(["--version"], ended)
        return {"FINISHED"}


class FaceplatePreferences(bpy.types.AddonPreferences):
    """Preferences. tested: exit status and words of the last test, None before its end."""

    bl_idname = __package__
    tested: ClassVar[tuple[int | None, str]] = (None, "")

    __annotations__ = {
        "python": bpy.props.StringProperty(
            name="Faceplate",
            description="Folder into which Faceplate was installed, or the Python of its environment; empty for FACEPLATE_PYTHON, else the Python that built this extension",
            subtype="FILE_PATH",
        )
    }

    def draw(self, context: Any) -> None:
        session.watch()
        layout, state = self.layout, session.state
        layout.prop(self, "python")
        column = layout.column(align=True)
        runs = state.engine == "running"
        column.label(
            text=f"Engine runs, version {state.version}" if runs else "Engine does not run",
            icon="CHECKMARK" if runs else "PAUSE",
        )
        column.label(text=f"Python: {state.python or engine_python() or 'not known'}", icon="BLANK1")
        row = layout.row()
        row.operator(FACEPLATE_OT_test_python.bl_idname)
        for operator, enabled in (("faceplate.start_engine", not runs), (FACEPLATE_OT_stop_engine.bl_idname, runs)):
            side = row.row()
            side.enabled = enabled
            side.operator(operator)
        status, text = self.tested
        if text:
            draw_text(layout, text, "SORTTIME" if status is None else "ERROR" if status else "CHECKMARK", _WIDTH)
        if state.message and state.action != START:
            draw_text(layout, state.message, "ERROR", _WIDTH)
            draw_text(layout, split_command(state.remedy)[0], width=_WIDTH)
            draw_action(layout, None, state.remedy)


CLASSES = (FACEPLATE_OT_stop_engine, FACEPLATE_OT_test_python, FaceplatePreferences)
