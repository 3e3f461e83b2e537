# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Align: the aligned crop that models see, and how it is cut."""

from __future__ import annotations

from typing import Any

import bpy

from .. import media
from . import build, images
from .base import FaceNode, settings_of
from .work import Task


class FaceplateAlignNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """The face as an upright crop of one size. Faces goes on as it came, with these parameters."""

    bl_idname = "FaceplateAlignNode"
    bl_label = "Face Align"
    bl_icon = "CON_ROTLIKE"
    defined = "Align"
    buttons = (("RENDER", "Analyse"),)

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_of("Align"))}

    def inside(self) -> Any:
        """The crop as it was written; Faces goes through."""
        tree = build.new_tree(self.bl_label)
        build.colour_input(tree, "Image")
        faces = build.colour_input(tree, "Faces")
        build.output(tree, "Faces", faces)
        build.output(tree, "Crop", build.picture(tree).outputs["Image"])
        return tree

    def draw_more(self, layout: Any) -> None:
        """Whose crops."""
        layout.prop(self, "tracks")

    def task(self, action: str, scene: Any) -> Task:
        """Cut the crops of the scene's range. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        frames, place = plate.range(scene.frame_start, scene.frame_end), self.place()
        request = {**plate.request("clip"), "range": frames, "out": str(place / "crops"), "tracks": self.chosen()}
        request |= self.parameters("Detect", "Align")

        def done(node: Any, job: dict[str, Any]) -> str:
            track = max(job["result"]["tracks"], key=lambda told: told["last"] - told["first"])
            file = place / "crops" / "images" / str(track["id"]) / f"{track['first']:04d}.png"
            images.show(node, file, plate, linear=False)
            return f"Track {track['id']}, frames {track['first']}-{track['last']}"

        return Task("align", request, done)
