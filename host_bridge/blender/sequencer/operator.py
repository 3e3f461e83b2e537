# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators on selected strips share."""

from __future__ import annotations

from typing import Any

from . import strips


class OnSelected:
    """A mixin: what is done with the selected strips that show footage, patches left alone."""

    bl_options = {"REGISTER"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Something is selected."""
        return bool(strips.selected(strips.scene_of(context)))
