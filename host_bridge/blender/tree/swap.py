# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Swap: the new face over the plate, as Image, Patch and Matte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .. import consent, credentials, lines, media, migration, properties
from ..pictures import whole
from . import build, controls, images
from .base import FaceNode, settings_of
from .training import training
from .work import Task


class FaceplateSwapNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Puts the source's face into the plate: the patch is laid over it in linear light, and nothing else is touched."""

    bl_idname = "FaceplateSwapNode"
    bl_label = "Face Swap"
    bl_icon = "COMMUNITY"
    defined = "Swap"
    buttons = (("PREVIEW", "Preview"), ("RENDER", "Render Range"), ("TRAIN", "Train"), ("VERIFY", "Verify"))

    __annotations__ = {
        "settings": bpy.props.PointerProperty(type=settings_of("Swap")),
        "source": bpy.props.StringProperty(
            name="Source",
            description="Footage of the performer whose face is put in: a movie, or a folder or pattern of pictures",
            subtype="FILE_PATH",
            options=set(),
            update=consent.changed,
        ),
        "training_minutes": bpy.props.FloatProperty(
            name="Training Minutes",
            description="How long Train trains, all of its runs counted",
            default=15,
            min=0.1,
            soft_max=600,
            options=set(),
        ),
    }

    def inside(self, tree: Any) -> None:
        """The patch over the plate."""
        fill(tree)

    def from_first(self) -> None:
        """Version 2 calls its minutes by what they are for."""
        super().from_first()
        migration.rename(self, "minutes", "training_minutes")

    def draw_who(self, layout: Any, *, brief: bool) -> None:
        """Who is put in, and for whom, and how consent stands; in the sidebar of a training too."""
        layout.prop(self, "source")
        for name in properties.performers():
            layout.prop(self.settings, name)
        consent.draw(layout, self.uid, brief=brief, width=int(self.width / 6) if brief else lines.WIDTH)
        if not brief:
            consent.draw(layout, f"{self.uid} train")

    def draw_more(self, layout: Any) -> None:
        """Whose face in the plate, and for how long Train trains."""
        layout.prop(self, "tracks")
        layout.prop(self, "training_minutes")

    def task(self, action: str, scene: Any) -> Task:
        """What a button asks for. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        place = self.place()
        if action == "PREVIEW":
            return self._preview(plate, scene.frame_current, place)
        if action == "VERIFY":
            return self._verify(place)
        if action == "TRAIN":
            source = self.source and media.absolute(self.source)
            return training(plate, source, self.training_minutes, self.parameters("Detect", "Swap"), place)
        frames = plate.range(scene.frame_start, scene.frame_end)
        shot, shown = place / "shot", place / "patch"
        request = {**plate.request(), **self._asked(), "range": frames, "out": str(shot)}

        def done(node: Any, job: dict[str, Any]) -> str:
            found = job["result"]["shot"]["results"]
            images.show(node, shown / f"patch.{plate.number(scene_first):04d}.exr", plate)
            return f"Frames {frames}, a face in {found['frames_with_face']}"

        scene_first = scene.frame_start
        return Task("swap", request, done, lambda job: ("whole", shot / "patch", shown, "patch"))

    def _preview(self, plate: media.Plate, scene_frame: int, place: Path) -> Task:
        number = plate.number(scene_frame)
        made = place / "preview" / f"patch.{number:04d}.exr"
        shown = place / "preview" / "whole" / made.name
        request = {**plate.request(), **self._asked(), "frame": number, "patch": str(made)}
        request.pop("rate", None)

        def done(node: Any, job: dict[str, Any]) -> str:
            try:  # of one frame it is sooner done here than a process is begun
                for old in shown.parent.glob("patch.*.exr"):
                    old.unlink()
                whole.whole_frame(made, shown, pack=False)
            except (OSError, whole.WholeError) as e:
                raise media.MediaError(str(e), "Check the disk, then press Preview again") from e
            images.show(node, shown, plate)
            return f"Preview of frame {number}" + ("" if job["result"]["face"] else ": no face")

        return Task("preview", request, done)

    def _verify(self, place: Path) -> Task:
        image = self.node_tree.nodes[build.PICTURE].image
        if image is None:
            raise media.MediaError("there is nothing to verify", "Press Preview or Render Range")
        shown = Path(media.absolute(image.filepath_raw, image.library))
        if shown.parent == place / "patch":
            path, made, shown = place / "shot", place / "shot" / "patch", shown.parent
        else:  # of a preview
            path = made = place / "preview" / shown.name

        def done(node: Any, job: dict[str, Any]) -> str:
            changed, said = credentials.verdict(job)
            if changed:
                raise media.MediaError(said.rstrip("."), "Render Range makes it anew")
            return said

        return Task("credentials", {"path": str(path)}, done, lambda job: ("differ", made, shown))

    def questions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is to be known of consent: of a swap, and of a training. Raises MediaError where no plate is linked, or results have no place."""
        plate, near = media.path_of_socket(self.inputs["Image"]), self.place()
        source, swap = self.source and media.absolute(self.source), self.parameters("Swap")["swap"]
        yield self.uid, consent.question(plate, source, near, swap)
        if source:
            yield f"{self.uid} train", consent.question(plate, source, near, swap, train=True)

    def _asked(self) -> dict[str, Any]:
        found: dict[str, Any] = {"settings": self.parameters("Detect", "Align", "Mask", "Swap")}
        if self.source:
            found["source"] = media.absolute(self.source)
        if tracks := self.chosen():
            found["tracks"] = tracks
        return found


def fill(tree: Any) -> None:
    """Image ← patch over plate, by opacity and the artist's mask, with colour and edge as they are set here."""
    told = properties.parameters("Swap")["opacity"]
    plate = build.colour_input(tree, "Image")
    build.colour_input(tree, "Faces")
    mask = build.number_input(tree, "Mask", 1, 0, 1, "A mask of your own: the new face is seen where it is white")
    limits = told["default"], told["minimum"], told["maximum"]
    opacity = build.number_input(tree, "Opacity", *limits, properties.explained(told))
    share = build.times(tree, mask, opacity)
    patch, matte = controls.controlled(tree, plate, build.picture(tree))
    build.output(tree, "Image", build.over(tree, plate, patch, share))
    build.output(tree, "Patch", build.over(tree, None, patch, share))
    build.output(tree, "Matte", build.times(tree, matte, share), matte=True)
