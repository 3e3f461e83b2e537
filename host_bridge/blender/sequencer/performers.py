# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose faces are in the selected strips, and whether they may be used: what the panel shows, and what is asked for it.

Selecting a strip is no change of data that Blender would tell of, so the panel notes what it shows when it is drawn, and no more; what is to be asked is
collected later, by the timer of `consent`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, properties
from ..media import MediaError
from . import settings, strips

_MOST = 4  # clips that are asked about; the others of a large selection are when the button is pressed
_shown: dict[int, tuple[str, ...]] = {}  # scenes by their session_uid: the strips of which a panel shows the standing


def key(scene: int, clip: str, *, train: bool = False) -> str:
    """Under which the consent for a clip of a scene, by its session_uid, is asked."""
    return f"{scene} {clip}" + (" train" if train else "")


def clips(scene: Any, names: tuple[str, ...]) -> list[str]:
    """The footage of these strips, each once, a few at the most; no file is looked at."""
    found: dict[str, None] = {}
    for strip in scene.sequence_editor.strips_all if scene.sequence_editor else ():
        if strip.name in names:
            with suppress(MediaError):
                found[media.path_of_strip(strip)] = None
    return list(found)[:_MOST]


def plates(scene: Any) -> tuple[str, ...]:
    """The names of the selected strips whose performer would be replaced."""
    return tuple(s.name for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source)


def draw_fields(layout: Any, scene: Any) -> None:
    """Who they are; what is selected is noted."""
    for name in properties.performers():
        layout.prop(scene.faceplate_strips.swap, name)
    if _shown.get(scene.session_uid) != (now := plates(scene)):
        _shown[scene.session_uid] = now
        consent.changed()


def draw_standing(layout: Any, scene: Any, *, train: bool = False) -> None:
    """How consent stands for each clip."""
    found = clips(scene, _shown.get(scene.session_uid, ()))
    for clip in found:
        if len(found) > 1:
            layout.label(text=Path(clip).name, icon="FILE_MOVIE")
        consent.draw(layout, key(scene.session_uid, clip, train=train))


def questions() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be known of consent: of the clips that a panel shows, whether they may be swapped, and trained on."""
    for scene in bpy.data.scenes:
        names = _shown.get(scene.session_uid)
        if names:
            with suppress(MediaError):
                yield from _of_scene(scene, names)


def forget() -> None:
    """No panel shows anything."""
    _shown.clear()


def _of_scene(scene: Any, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    near, swap = settings.results_folder(scene), settings.node_settings(scene)["swap"]
    source = next(iter(settings.sources(scene)), None)
    for clip in clips(scene, names):
        yield key(scene.session_uid, clip), consent.question(clip, source, near, swap)
        if source:
            yield key(scene.session_uid, clip, train=True), consent.question(clip, source, near, swap, train=True)
