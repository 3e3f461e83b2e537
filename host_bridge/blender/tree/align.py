# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Align: the landmarks, and the aligned crop that models see, and how it is cut."""

from __future__ import annotations

from typing import Any

import bpy

from .. import media
from . import build, images
from .base import FaceNode, settings_of
from .work import Task

LANDMARKS = "Landmarks"  # the node inside that reads their pictures


class FaceplateAlignNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Image shows the landmarks and the outline of the crop on the plate, Crop the crop, upright and of one size. Faces goes on as it came, with these parameters."""

    bl_idname = "FaceplateAlignNode"
    bl_label = "Face Align"
    bl_icon = "CON_ROTLIKE"
    defined = "Align"
    buttons = (("RENDER", "Analyse"),)

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_of("Align"))}

    def inside(self, tree: Any) -> None:
        """The crop as it was written, the landmarks over the plate; Faces goes through."""
        plate = build.colour_input(tree, "Image")
        faces = build.colour_input(tree, "Faces")
        shown = build.number_input(tree, "Landmarks", 1, 0, 1, "How much of the landmarks is seen")
        build.output(tree, "Faces", faces)
        build.output(tree, "Crop", build.picture(tree).outputs["Image"])
        drawn = build.picture(tree, LANDMARKS)
        build.output(tree, "Image", build.over(tree, plate, drawn.outputs["Image"], shown))

    def draw_more(self, layout: Any) -> None:
        """Whose crops."""
        layout.prop(self, "tracks")

    def task(self, action: str, scene: Any) -> Task:
        """Find landmarks and cut crops in the scene's range. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        frames, place = plate.range(scene.frame_start, scene.frame_end), self.place()
        first, last = plate.number(scene.frame_start), plate.number(scene.frame_end)
        made, drawn = place / "crops", place / "landmarks"
        request = {**plate.request("clip"), "range": frames, "out": str(made), "tracks": self.chosen()}
        request |= self.parameters("Detect", "Align")

        def done(node: Any, job: dict[str, Any]) -> str:
            track = max(job["result"]["tracks"], key=lambda told: told["last"] - told["first"])
            file = made / "images" / str(track["id"]) / f"{track['first']:04d}.png"
            images.show(node, file, plate, linear=False)
            images.show(node, drawn / f"landmarks.{first:04d}.png", plate, linear=False, inside=LANDMARKS)
            return f"Track {track['id']}, frames {track['first']}-{track['last']}"

        return Task("align", request, done, lambda job: ("landmarks", made, drawn, first, last))
