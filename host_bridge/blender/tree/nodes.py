# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes Detect, Align, Mask and Swap: their groups, the jobs of their buttons, and the display of results."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, migration, panels, properties
from ..session import consent_request, training_jobs, verdict
from . import controls, group
from .node import FaceNode, Task

_LANDMARKS = "Landmarks"  # the node inside Align that reads their pictures


class FaceplateDetectNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Finds and follows the faces of the plate. Image shows boxes and ids; Faces is a matte of the boxes, and carries the parameters on."""

    bl_idname = "FaceplateDetectNode"
    bl_label = "Face Detect"
    bl_icon = "VIEWZOOM"
    defined = "Detect"
    fields = ("folder",)

    __annotations__ = {"settings": bpy.props.PointerProperty(type=properties.SETTINGS["Detect"])}

    def inside(self, tree: Any) -> None:
        ports = properties.DEFINITIONS[self.defined]
        plate = group.port_inputs(tree, ports["inputs"])["Image"]
        shown = group.number_input(tree, "Boxes", 1, 0, 1, "How much of the boxes is seen")
        boxes = group.picture(tree)
        over = group.over(tree, plate, boxes.outputs["Image"], shown)
        group.port_outputs(tree, ports["outputs"], {"faces": boxes.outputs["Alpha"]}, Image=over)

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, first = self.plate_in(scene)
        place = self.place()
        request = {**plate.request("clip"), "range": frames, "out": str(place / "faces.npz"), "marks": True}
        request |= self.parameters("Detect")

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, place / "marks" / f"marks.{first:04d}.png", plate, linear=False)
            ids = ", ".join(str(track["id"]) for track in job["result"]["tracks"])
            return f"Frames {frames}: tracks {ids}" if ids else f"Frames {frames}: no face"

        return Task("detect", request, done)


class FaceplateAlignNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Image shows the landmarks and the outline of the crop on the plate, Crop the crop, upright and of one size. Faces goes on as it came, with these parameters."""

    bl_idname = "FaceplateAlignNode"
    bl_label = "Face Align"
    bl_icon = "CON_ROTLIKE"
    defined = "Align"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=properties.SETTINGS["Align"])}

    def inside(self, tree: Any) -> None:
        ports = properties.DEFINITIONS[self.defined]
        sockets = group.port_inputs(tree, ports["inputs"])
        shown = group.number_input(tree, "Landmarks", 1, 0, 1, "How much of the landmarks is seen")
        crop, landmarks = group.picture(tree).outputs["Image"], group.picture(tree, _LANDMARKS).outputs["Image"]
        over = group.over(tree, sockets["Image"], landmarks, shown)
        group.port_outputs(tree, ports["outputs"], {"faces": sockets["Faces"], "crops": crop}, Image=over)

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, first = self.plate_in(scene)
        folder = self.place() / "crops"
        request = {**plate.request("clip"), "range": frames, "out": str(folder), "tracks": self.chosen(), "marks": True}
        request |= self.parameters("Detect", "Align")

        def done(node: Any, job: dict[str, Any]) -> str:
            track = max(job["result"]["tracks"], key=lambda track: track["last"] - track["first"])
            file = folder / "images" / str(track["id"]) / f"{track['first']:04d}.png"
            group.show(node, file, plate, linear=False)
            group.show(node, folder / "marks" / f"marks.{first:04d}.png", plate, linear=False, inside=_LANDMARKS)
            return f"Track {track['id']}, frames {track['first']}-{track['last']}"

        return Task("align", request, done)


class FaceplateMaskNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """The matte of the face. Faces carries it on: a Face Swap that is linked to it takes its parameters."""

    bl_idname = "FaceplateMaskNode"
    bl_label = "Face Mask"
    bl_icon = "MOD_MASK"
    defined = "Mask"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=properties.SETTINGS["Mask"])}

    def inside(self, tree: Any) -> None:
        ports = properties.DEFINITIONS[self.defined]
        mask = group.port_inputs(tree, ports["inputs"])["Mask"]
        matte = group.times(tree, group.picture(tree).outputs["Image"], mask)
        group.port_outputs(tree, ports["outputs"], {"mattes": matte}, Faces=matte)

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, first = self.plate_in(scene)
        folder = self.place() / "mattes"
        request = {**plate.request(), "range": frames, "out": str(folder), "tracks": self.chosen()}
        request |= self.parameters("Detect", "Align", "Mask")

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, folder / "matte" / f"matte.{first:04d}.exr", plate)
            return f"Frames {frames}, a face in {job['result']['frames_with_face']}"

        return Task("mask", request, done)


class FaceplateSwapNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Puts the source's face into the plate: the patch is laid over it in linear light, and nothing else is touched."""

    bl_idname = "FaceplateSwapNode"
    bl_label = "Face Swap"
    bl_icon = "COMMUNITY"
    defined = "Swap"
    fields = ("tracks", "training_minutes", "folder")
    buttons = (("PREVIEW", "Preview"), ("RENDER", "Render Range"), ("TRAIN", "Train"), ("VERIFY", "Verify"))

    __annotations__ = {
        "settings": bpy.props.PointerProperty(type=properties.SETTINGS["Swap"]),
        "source": properties.SOURCE,
        "training_minutes": properties.TRAINING_MINUTES,
    }

    def inside(self, tree: Any) -> None:
        fill_swap(tree)

    def from_first(self) -> None:
        """Migrate from version 1, whose training minutes have another name."""
        super().from_first()
        migration.rename(self, "minutes", "training_minutes")

    def draw_who(self, layout: Any, *, brief: bool) -> None:
        """Show the performers and consent; in the sidebar for a training too."""
        layout.prop(self, "source")
        for name in properties.PERFORMERS:
            layout.prop(self.settings, name)
        with suppress(media.MediaError):  # no plate is linked, or results have no place
            swap = properties.of_consent(self.parameters("Swap")["swap"])
            of = media.path_of_socket(self.inputs["Image"]), self.source and media.absolute(self.source), self.place()
            width = int(self.width / 6) if brief else panels.WIDTH
            consent.draw(layout, consent_request(*of, swap), brief=brief, width=width)
            if self.source and not brief:
                consent.draw(layout, consent_request(*of, swap, train=True))

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, first = self.plate_in(scene)
        place, source = self.place(), self.source and media.absolute(self.source)
        if action == "VERIFY":
            return self._verify(place)
        if action == "TRAIN":
            return self._train(plate, source, place)
        request: dict[str, Any] = {**plate.request(), "settings": self.parameters("Detect", "Align", "Mask", "Swap")}
        request |= {"source": source} if source else {}
        request |= {"tracks": self.chosen()}
        if action == "PREVIEW":
            return self._preview(request, plate, plate.number(scene.frame_current), place)
        request |= {"range": frames, "out": str(place / "shot"), "whole": True}

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, Path(job["result"]["whole"] % first), plate)
            return f"Frames {frames}, a face in {job['result']['shot']['results']['frames_with_face']}"

        return Task("swap", request, done)

    def _preview(self, request: dict[str, Any], plate: media.Plate, number: int, place: Path) -> Task:
        patch = place / "preview" / f"patch.{number:04d}.exr"
        request |= {"frame": number, "whole": str(patch)}
        request.pop("rate", None)

        def done(node: Any, job: dict[str, Any]) -> str:
            for old in patch.parent.glob("patch.*"):  # of other frames, which show the plate
                if old.stem != patch.stem:
                    old.unlink()
            group.show(node, patch, plate)
            return f"Preview of frame {number}" + ("" if job["result"]["face"] else ": no face")

        return Task("preview", request, done)

    def _train(self, plate: media.Plate, source: str, place: Path) -> Task:
        """Return the task that trains a model for the shot, which the node then uses."""
        if not source:
            raise media.MediaError("no source is given", "Name the source's footage on the node")
        parameters = self.parameters("Detect", "Swap")
        (kind, request), *then = training_jobs(
            place,
            {"source": [(source, None)], "target": [(plate.path, None)]},
            parameters["swap"],
            self.training_minutes,
            detect=parameters.get("detect"),
            rate=str(plate.rate) if plate.sequence else None,
            model="train",
        )

        def done(node: Any, job: dict[str, Any]) -> str:
            node.settings.model, node.settings.method = job["result"]["model"], "model"
            return f"Trained {job['result']['steps']} steps; Render Range uses the model"

        return Task(kind, request, done, then=then)

    def _verify(self, place: Path) -> Task:
        """Return the task that verifies the shown pictures."""
        image = self.node_tree.nodes[group.PICTURE].image
        if image is None:
            raise media.MediaError("there is nothing to verify", "Press Preview or Render Range")
        picture, shot = Path(media.absolute(image.filepath_raw, image.library)), place / "shot"
        path = shot if shot in picture.parents else picture  # of a preview

        def done(node: Any, job: dict[str, Any]) -> str:
            changed, summary = verdict(job)
            if changed:
                raise media.MediaError(summary.rstrip("."), "Render Range makes it anew")
            return str(summary)

        return Task("credentials", {"path": str(path)}, done)


def fill_swap(tree: Any) -> None:
    """Fill a group: image ← patch over plate, with the live parameters, the artist's mask, and colour and edge controls."""
    ports = properties.DEFINITIONS["Swap"]
    plate = group.port_inputs(tree, ports["inputs"])["Image"]
    mask = group.number_input(tree, "Mask", 1, 0, 1, "A mask of your own: the new face is seen where it is white")
    opacity = properties.PARAMETERS["Swap"]["opacity"]
    limits = opacity["default"], opacity["minimum"], opacity["maximum"]
    share = group.times(tree, mask, group.number_input(tree, "Opacity", *limits, properties.explained(opacity)))
    patch, matte = controls.controlled(tree, plate, group.picture(tree))
    over = group.over(tree, plate, patch, share)
    results = {"patch": group.over(tree, None, patch, share), "matte": group.times(tree, matte, share)}
    group.port_outputs(tree, ports["outputs"], results, Image=over)


NODES: tuple[Any, ...] = (FaceplateDetectNode, FaceplateAlignNode, FaceplateMaskNode, FaceplateSwapNode)
