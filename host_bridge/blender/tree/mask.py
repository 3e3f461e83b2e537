# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Mask: which pixels are face, as a matte to look at, to work with, and to swap by."""

from __future__ import annotations

from typing import Any

import bpy

from .. import media
from . import build, images
from .base import FaceNode, settings_of
from .work import Task


class FaceplateMaskNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """The matte of the face. Faces carries it on: a Face Swap that is linked to it takes its parameters."""

    bl_idname = "FaceplateMaskNode"
    bl_label = "Face Mask"
    bl_icon = "MOD_MASK"
    defined = "Mask"
    buttons = (("RENDER", "Analyse"),)

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_of("Mask"))}

    def inside(self, tree: Any) -> None:
        """The matte, by the artist's own."""
        build.colour_input(tree, "Image")
        build.colour_input(tree, "Faces")
        mask = build.number_input(tree, "Mask", 1, 0, 1, "A mask of your own, which is multiplied in")
        matte = build.times(tree, build.picture(tree).outputs["Image"], mask)
        build.output(tree, "Faces", matte)
        build.output(tree, "Matte", matte, matte=True)

    def draw_more(self, layout: Any) -> None:
        """Whose matte."""
        layout.prop(self, "tracks")

    def task(self, action: str, scene: Any) -> Task:
        """Write the mattes of the scene's range. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        frames, first = plate.range(scene.frame_start, scene.frame_end), plate.number(scene.frame_start)
        place = self.place()
        made, shown = place / "mattes", place / "matte"
        request = {**plate.request(), "range": frames, "out": str(made), "tracks": self.chosen()}
        request |= self.parameters("Detect", "Align", "Mask")

        def done(node: Any, job: dict[str, Any]) -> str:
            images.show(node, shown / f"matte.{first:04d}.exr", plate)
            return f"Frames {frames}, a face in {job['result']['frames_with_face']}"

        return Task("mask", request, done, lambda job: ("whole", made / "matte", shown, "matte"))
