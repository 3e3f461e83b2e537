# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect, Align, Mask and Swap: what each has inside, what its buttons ask for, and how it shows what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, migration, panels, properties
from ..pictures import whole
from ..session import consent_request, training_jobs, verdict
from . import controls, group
from .node import FaceNode, Task, settings_classes

_LANDMARKS = "Landmarks"  # the node inside Align that reads their pictures


class FaceplateDetectNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Finds and follows the faces of the plate. Image shows boxes and ids; Faces is a matte of the boxes, and carries the parameters on."""

    bl_idname = "FaceplateDetectNode"
    bl_label = "Face Detect"
    bl_icon = "VIEWZOOM"
    defined = "Detect"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_classes()["Detect"])}

    def inside(self, tree: Any) -> None:
        """Boxes over the plate."""
        ports = properties.definitions()[self.defined]
        plate = group.port_inputs(tree, ports["inputs"])["Image"]
        shown = group.number_input(tree, "Boxes", 1, 0, 1, "How much of the boxes is seen")
        boxes = group.picture(tree)
        over = group.over(tree, plate, boxes.outputs["Image"], shown)
        group.port_outputs(tree, ports["outputs"], {"faces": boxes.outputs["Alpha"]}, Image=over)

    def task(self, action: str, scene: Any) -> Task:
        """Find the faces of the scene's range. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        frames, first = plate.range(scene.frame_start, scene.frame_end), plate.number(scene.frame_start)
        place = self.place()
        request = {**plate.request("clip"), "range": frames, "out": str(place / "faces.npz")}
        request |= self.parameters("Detect")

        def after(job: dict[str, Any]) -> tuple[Any, ...]:
            span = job["result"]["range"]
            return "boxes", place / "faces.npz", place / "boxes", span["first"], span["last"]

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, place / "boxes" / f"boxes.{first:04d}.png", plate, linear=False)
            ids = ", ".join(str(track["id"]) for track in job["result"]["tracks"])
            return f"Frames {frames}: tracks {ids}" if ids else f"Frames {frames}: no face"

        return Task("detect", request, done, after)


class FaceplateAlignNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Image shows the landmarks and the outline of the crop on the plate, Crop the crop, upright and of one size. Faces goes on as it came, with these parameters."""

    bl_idname = "FaceplateAlignNode"
    bl_label = "Face Align"
    bl_icon = "CON_ROTLIKE"
    defined = "Align"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_classes()["Align"])}

    def inside(self, tree: Any) -> None:
        """The crop as it was written, the landmarks over the plate; Faces goes through."""
        ports = properties.definitions()[self.defined]
        sockets = group.port_inputs(tree, ports["inputs"])
        shown = group.number_input(tree, "Landmarks", 1, 0, 1, "How much of the landmarks is seen")
        crop, drawn = group.picture(tree).outputs["Image"], group.picture(tree, _LANDMARKS).outputs["Image"]
        over = group.over(tree, sockets["Image"], drawn, shown)
        group.port_outputs(tree, ports["outputs"], {"faces": sockets["Faces"], "crops": crop}, Image=over)

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
            track = max(job["result"]["tracks"], key=lambda track: track["last"] - track["first"])
            file = made / "images" / str(track["id"]) / f"{track['first']:04d}.png"
            group.show(node, file, plate, linear=False)
            group.show(node, drawn / f"landmarks.{first:04d}.png", plate, linear=False, inside=_LANDMARKS)
            return f"Track {track['id']}, frames {track['first']}-{track['last']}"

        return Task("align", request, done, lambda job: ("landmarks", made, drawn, first, last))


class FaceplateMaskNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """The matte of the face. Faces carries it on: a Face Swap that is linked to it takes its parameters."""

    bl_idname = "FaceplateMaskNode"
    bl_label = "Face Mask"
    bl_icon = "MOD_MASK"
    defined = "Mask"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=settings_classes()["Mask"])}

    def inside(self, tree: Any) -> None:
        """The matte, by the artist's own."""
        ports = properties.definitions()[self.defined]
        mask = group.port_inputs(tree, ports["inputs"])["Mask"]
        matte = group.times(tree, group.picture(tree).outputs["Image"], mask)
        group.port_outputs(tree, ports["outputs"], {"mattes": matte}, Faces=matte)

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
            group.show(node, shown / f"matte.{first:04d}.exr", plate)
            return f"Frames {frames}, a face in {job['result']['frames_with_face']}"

        return Task("mask", request, done, lambda job: ("whole", made / "matte", shown, "matte"))


class FaceplateSwapNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Puts the source's face into the plate: the patch is laid over it in linear light, and nothing else is touched."""

    bl_idname = "FaceplateSwapNode"
    bl_label = "Face Swap"
    bl_icon = "COMMUNITY"
    defined = "Swap"
    buttons = (("PREVIEW", "Preview"), ("RENDER", "Render Range"), ("TRAIN", "Train"), ("VERIFY", "Verify"))

    __annotations__ = {
        "settings": bpy.props.PointerProperty(type=settings_classes()["Swap"]),
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
        fill_swap(tree)

    def from_first(self) -> None:
        """Version 2 calls its minutes by what they are for."""
        super().from_first()
        migration.rename(self, "minutes", "training_minutes")

    def draw_who(self, layout: Any, *, brief: bool) -> None:
        """Who is put in, and for whom, and how consent stands; in the sidebar of a training too."""
        layout.prop(self, "source")
        for name in properties.performers():
            layout.prop(self.settings, name)
        consent.draw(layout, self.uid, brief=brief, width=int(self.width / 6) if brief else panels.WIDTH)
        if not brief:
            consent.draw(layout, f"{self.uid} train")

    def draw_more(self, layout: Any) -> None:
        """Whose face in the plate, and for how long Train trains."""
        layout.prop(self, "tracks")
        layout.prop(self, "training_minutes")

    def questions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is to be known of consent: of a swap, and of a training. Raises MediaError where no plate is linked, or results have no place."""
        plate, near = media.path_of_socket(self.inputs["Image"]), self.place()
        source = self.source and media.absolute(self.source)
        swap = properties.of_consent(self.parameters("Swap")["swap"])
        yield self.uid, consent_request(plate, source, near, swap)
        if source:
            yield f"{self.uid} train", consent_request(plate, source, near, swap, train=True)

    def task(self, action: str, scene: Any) -> Task:
        """What a button asks for. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        place, source = self.place(), self.source and media.absolute(self.source)
        if action == "VERIFY":
            return self._verify(place)
        if action == "TRAIN":
            return self._train(plate, source, place)
        request: dict[str, Any] = {**plate.request(), "settings": self.parameters("Detect", "Align", "Mask", "Swap")}
        if source:
            request["source"] = source
        if tracks := self.chosen():
            request["tracks"] = tracks
        if action == "PREVIEW":
            return self._preview(request, plate, plate.number(scene.frame_current), place)
        frames, first = plate.range(scene.frame_start, scene.frame_end), plate.number(scene.frame_start)
        shot, shown = place / "shot", place / "patch"
        request |= {"range": frames, "out": str(shot)}

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, shown / f"patch.{first:04d}.exr", plate)
            return f"Frames {frames}, a face in {job['result']['shot']['results']['frames_with_face']}"

        return Task("swap", request, done, lambda job: ("whole", shot / "patch", shown, "patch"))

    def _preview(self, request: dict[str, Any], plate: media.Plate, number: int, place: Path) -> Task:
        made = place / "preview" / f"patch.{number:04d}.exr"
        shown = place / "preview" / "whole" / made.name
        request |= {"frame": number, "patch": str(made)}
        request.pop("rate", None)

        def done(node: Any, job: dict[str, Any]) -> str:
            try:  # of one frame it is sooner done here than a process is begun
                for old in shown.parent.glob("patch.*.exr"):
                    old.unlink()
                whole.whole_frame(made, shown, pack=False)
            except (OSError, whole.WholeError) as e:
                raise media.MediaError(str(e), "Check the disk, then press Preview again") from e
            group.show(node, shown, plate)
            return f"Preview of frame {number}" + ("" if job["result"]["face"] else ": no face")

        return Task("preview", request, done)

    def _train(self, plate: media.Plate, source: str, place: Path) -> Task:
        """A model for the shot, which the node uses from then on."""
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
        """Whether what is shown is still what was signed: the engine verifies patches, the whole frames made of them are made again and compared."""
        image = self.node_tree.nodes[group.PICTURE].image
        if image is None:
            raise media.MediaError("there is nothing to verify", "Press Preview or Render Range")
        shown = Path(media.absolute(image.filepath_raw, image.library))
        if shown.parent == place / "patch":
            path, made, shown = place / "shot", place / "shot" / "patch", shown.parent
        else:  # of a preview
            path = made = place / "preview" / shown.name

        def done(node: Any, job: dict[str, Any]) -> str:
            changed, said = verdict(job, "Blender")
            if changed:
                raise media.MediaError(said.rstrip("."), "Render Range makes it anew")
            return str(said)

        return Task("credentials", {"path": str(path)}, done, lambda job: ("differ", made, shown))


def fill_swap(tree: Any) -> None:
    """Image ← patch over plate, by the live parameters and the artist's mask, with colour and edge as they are set here."""
    ports = properties.definitions()["Swap"]
    plate = group.port_inputs(tree, ports["inputs"])["Image"]
    mask = group.number_input(tree, "Mask", 1, 0, 1, "A mask of your own: the new face is seen where it is white")
    opacity = properties.parameters("Swap")["opacity"]
    limits = opacity["default"], opacity["minimum"], opacity["maximum"]
    share = group.times(tree, mask, group.number_input(tree, "Opacity", *limits, properties.explained(opacity)))
    patch, matte = controls.controlled(tree, plate, group.picture(tree))
    over = group.over(tree, plate, patch, share)
    results = {"patch": group.over(tree, None, patch, share), "matte": group.times(tree, matte, share)}
    group.port_outputs(tree, ports["outputs"], results, Image=over)
