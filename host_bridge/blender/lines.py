# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in panels: Blender cuts labels off, so a long one takes several."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

WIDTH = 44  # letters that a sidebar shows


def draw(layout: Any, text: str, icon: str = "NONE", width: int = WIDTH) -> None:
    """Show a sentence over as many lines as it takes, the icon before the first."""
    for number, line in enumerate(wrap(text, width, break_on_hyphens=False)):
        layout.label(text=line, icon=icon if not number or icon == "NONE" else "BLANK1")
