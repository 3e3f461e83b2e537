# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Detect: which faces there are, as boxes with the ids of their tracks."""

from __future__ import annotations

from typing import Any

import bpy

from .. import media
from . import build, images
from .base import FaceNode, settings_of
from .work import Task


class FaceplateDetectNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Finds and follows the faces of the plate. Image shows boxes and ids; Faces is a matte of the boxes, and carries the parameters on."""

    bl_idname = "FaceplateDetectNode"
    bl_label = "Face Detect"
    bl_icon = "VIEWZOOM"
    defined = "Detect"
    buttons = (("RENDER", "Analyse"),)

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_of("Detect"))}

    def inside(self, tree: Any) -> None:
        """Boxes over the plate."""
        plate = build.colour_input(tree, "Image")
        shown = build.number_input(tree, "Boxes", 1, 0, 1, "How much of the boxes is seen")
        drawn = build.picture(tree)
        build.output(tree, "Image", build.over(tree, plate, drawn.outputs["Image"], shown))
        build.output(tree, "Faces", drawn.outputs["Alpha"])

    def task(self, action: str, scene: Any) -> Task:
        """Find the faces of the scene's range. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        frames, first = plate.range(scene.frame_start, scene.frame_end), plate.number(scene.frame_start)
        place = self.place()
        request = {**plate.request("clip"), "range": frames, "out": str(place / "faces.npz")}
        request |= self.parameters("Detect")

        def after(job: dict[str, Any]) -> tuple[Any, ...]:
            found = job["result"]["range"]
            return "boxes", place / "faces.npz", place / "boxes", found["first"], found["last"]

        def done(node: Any, job: dict[str, Any]) -> str:
            images.show(node, place / "boxes" / f"boxes.{first:04d}.png", plate, linear=False)
            ids = ", ".join(str(track["id"]) for track in job["result"]["tracks"])
            return f"Frames {frames}: tracks {ids}" if ids else f"Frames {frames}: no face"

        return Task("detect", request, done, after)
