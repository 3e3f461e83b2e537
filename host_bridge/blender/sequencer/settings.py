# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the sequencer's operators, kept in the scene: whose face, where results go, and the nodes' parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import bpy

from .. import consent, media, migration, properties
from ..media import MediaError
from . import strips

_PICTURES = (".exr", ".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".webp")
NODES = ("Detect", "Align", "Mask", "Swap")


def _group(node: str) -> type:
    made = properties.settings_class(node)
    return type(f"FaceplateStrip{node}", (bpy.types.PropertyGroup,), {"__annotations__": dict(made.__annotations__)})


_GROUPS = {node: _group(node) for node in NODES}


class FaceplateStrips(bpy.types.PropertyGroup):
    """Settings of Replace Face and Train on Strips."""

    __annotations__ = {
        "source": bpy.props.StringProperty(
            name="Source",
            description="Footage of the performer whose face is put in; empty for the strips marked as such",
            subtype="FILE_PATH",
            options=set(),
            update=consent.changed,
        ),
        "folder": bpy.props.StringProperty(
            name="Folder",
            description="Where results go, a folder a strip; // is the folder of this .blend",
            default="//faceplate/",
            subtype="DIR_PATH",
            options=set(),
            update=consent.changed,
        ),
        "handles": bpy.props.IntProperty(
            name="Handles",
            description="Frames more on either side of each strip, to trim with later",
            min=0,
            max=500,
            options=set(),
        ),
        "as_modifier": bpy.props.BoolProperty(
            name="As Modifier",
            description="Put the new face into the strip itself, as a compositor modifier, instead of into a strip above it",
            options=set(),
        ),
        "schema_version": migration.version_property(),
        "training_minutes": bpy.props.FloatProperty(
            name="Training Minutes",
            description="How long to train",
            default=15.0,
            min=0.1,
            soft_max=600.0,
            options=set(),
        ),
        **{node.lower(): bpy.props.PointerProperty(type=group) for node, group in _GROUPS.items()},
    }

    migrations: ClassVar[dict[int, Any]] = {1: lambda told: migration.rename(told, "minutes", "training_minutes")}

    @classmethod
    def register(cls) -> None:
        """Put them where scenes and strips keep them."""
        bpy.types.Scene.faceplate_strips = bpy.props.PointerProperty(type=cls)
        bpy.types.Strip.faceplate_source = bpy.props.BoolProperty(
            name="Source Performer",
            description="This strip shows the performer whose face is put in",
            options=set(),
            update=consent.changed,
        )

    @classmethod
    def unregister(cls) -> None:
        """Take them away again; what files hold stays in them."""
        del bpy.types.Scene.faceplate_strips, bpy.types.Strip.faceplate_source


def check(scene: Any) -> None:
    """Bring the settings up to date. Raises MediaError where a newer extension has made them."""
    if migration.is_newer(scene.faceplate_strips):
        raise MediaError("these settings are of a newer Faceplate", migration.REMEDY)
    migration.migrate(scene.faceplate_strips)


def node_settings(scene: Any) -> dict[str, Any]:
    """The parameters of the nodes as a request takes them."""
    strip_settings = scene.faceplate_strips
    return {node.lower(): properties.values(node, getattr(strip_settings, node.lower())) for node in NODES}


def file_name(name: str) -> str:
    """A name as a folder can have it on every system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "strip"


def results_folder(scene: Any) -> Path:
    """Where results go. Raises MediaError while the .blend has no place."""
    folder = scene.faceplate_strips.folder or "//"
    if folder.startswith("//") and not bpy.data.filepath:
        raise MediaError("the folder for results is beside a .blend that is not saved", "Save it, or choose a folder")
    return Path(media.absolute(folder))


def sources(scene: Any) -> list[str]:
    """Footage of the source performer, each once: what was chosen, else that of the strips marked as such. Raises MediaError."""
    source = scene.faceplate_strips.source
    if source:
        file = Path(media.absolute(source))
        if not file.is_file():
            if file.is_dir() or "%" in file.name or "#" in file.name:
                return [str(file)]
            raise MediaError(f"{file} is not there", "Choose the source's footage again")
        try:
            pattern, _, count = media.sequence_of(str(file))
        except MediaError:
            return [str(file)]
        return [pattern if count > 1 and file.suffix.lower() in _PICTURES else str(file)]
    return list(dict.fromkeys(media.of_strip(strip, scene).path for strip in marked(scene)))


def marked(scene: Any) -> list[Any]:
    """The strips that are marked as the source's."""
    return [s for s in scene.sequence_editor.strips_all if s.type in strips.KINDS and s.faceplate_source]


CLASSES = (*_GROUPS.values(), FaceplateStrips)
