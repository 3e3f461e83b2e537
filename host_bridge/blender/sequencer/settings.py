# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the sequencer's operators, kept in the scene: whose face, where results go, and the nodes' parameters."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import bpy

from .. import media, migration, properties
from ..media import MediaError
from . import strips

_BLENDS_IN = "sRGB"  # the sequencer's space in which overlays give exactly the composite
_PICTURES = (".exr", ".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".webp")


class FaceplateStrips(bpy.types.PropertyGroup):
    """Settings of Replace Face and Train on Strips."""

    __annotations__ = {
        "source": properties.SOURCE,
        "folder": properties.FOLDER,
        "handles": bpy.props.IntProperty(
            name="Handles",
            description="Extra frames of the scene on either side of each strip, to trim with later",
            min=0,
            max=500,
            options=set(),
        ),
        "as_modifier": bpy.props.BoolProperty(
            name="As Modifier",
            description="Put the new face into the strip itself, as a compositor modifier, instead of into a strip above it",
            options=set(),
        ),
        "schema_version": migration.VERSION,
        "training_minutes": properties.TRAINING_MINUTES,
        **{node.lower(): bpy.props.PointerProperty(type=group) for node, group in properties.SETTINGS.items()},
    }

    migrations: ClassVar[dict[int, Any]] = {1: lambda owner: migration.rename(owner, "minutes", "training_minutes")}

    @classmethod
    def register(cls) -> None:
        bpy.types.Scene.faceplate_strips = bpy.props.PointerProperty(type=cls)
        bpy.types.Strip.faceplate_source = bpy.props.BoolProperty(
            name="Source Performer",
            description="This strip shows the performer whose face is put in",
            options=set(),
        )

    @classmethod
    def unregister(cls) -> None:
        del bpy.types.Scene.faceplate_strips, bpy.types.Strip.faceplate_source


def check(scene: Any) -> None:
    """Bring the settings up to date. Raises MediaError if a newer extension made them."""
    _refuse_newer(scene)
    migration.migrate(scene.faceplate_strips)


def _refuse_newer(scene: Any) -> None:
    if migration.is_newer(scene.faceplate_strips):
        raise MediaError("these settings are of a newer Faceplate", migration.REMEDY)


def check_swap(scene: Any) -> None:
    """Raise MediaError if Replace Face lacks something."""
    _refuse_newer(scene)
    results_folder(scene)
    swap, clips, space = scene.faceplate_strips.swap, sources(scene), scene.sequencer_colorspace_settings.name
    if not clips and swap.method == "reference":
        raise MediaError("no source is chosen", "Choose footage as Source, or mark a strip as Source Performer")
    if len(clips) > 1:
        raise MediaError("several clips are marked as source", "Choose one of them as Source, or mark one only")
    if swap.method == "model" and not swap.model:
        raise MediaError("no model is chosen", "Choose one, or the method Reference, which needs none")
    if space != _BLENDS_IN:
        raise MediaError(
            f"the sequencer blends in {space}", f"Set Render > Color Management > Sequencer to {_BLENDS_IN}"
        )


def node_settings(scene: Any) -> dict[str, Any]:
    """Return the parameters of the nodes for a request."""
    own = scene.faceplate_strips
    return {node.lower(): properties.values(node, getattr(own, node.lower())) for node in properties.SETTINGS}


def file_name(name: str) -> str:
    """Convert a name to a valid folder name on every system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "strip"


def results_folder(scene: Any) -> Path:
    """Return the folder for results. Raises MediaError if it is relative to an unsaved .blend."""
    return media.results_folder(scene.faceplate_strips.folder or "//")


def sources(scene: Any) -> list[str]:
    """List the footage of the source performer, each once: the chosen, else that of the marked strips. Raises MediaError."""
    source = scene.faceplate_strips.source
    if not source:
        return list(dict.fromkeys(media.path_of_strip(strip) for strip in marked(scene)))
    file = Path(media.absolute(source))
    if not file.is_file():
        if file.is_dir() or "%" in file.name or "#" in file.name:
            return [str(file)]
        raise MediaError(f"{file} is not there", "Choose the source's footage again")
    with suppress(MediaError):  # it has no number, or others are missing
        if file.suffix.lower() in _PICTURES and (sequence := media.sequence_of(str(file)))[2] > 1:
            return [sequence[0]]
    return [str(file)]


def marked(scene: Any) -> list[Any]:
    """List the strips that are marked as the source's."""
    return [s for s in scene.sequence_editor.strips_all if s.type in strips.KINDS and s.faceplate_source]


def plates(scene: Any) -> list[Any]:
    """List the selected strips that get a face: all but those marked as the source's, unless other footage is the source."""
    other = scene.faceplate_strips.source
    return [strip for strip in strips.selected(scene) if other or not strip.faceplate_source]


CLASSES = (FaceplateStrips,)
