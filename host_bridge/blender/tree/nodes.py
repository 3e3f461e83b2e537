# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes Detect, Align, Mask and Swap: their groups, the jobs of their buttons, and the display of results."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, migration, panels, properties
from ..link import session
from ..session import consent_request, forbidden, training_jobs, verdict
from . import controls, group
from .node import FaceNode, Run, Task, find

_LANDMARKS = "Landmarks"  # the node inside Align that reads their pictures
_SHOWN = "shown"  # folder of the pictures that Face Swap shows: those of the last range, and previews in their places
_FOLDED = ("performers", "train", "verify")


def _persons(result: dict[str, Any]) -> str:
    """Say whose faces a job found: its persons, else as many as are seen at once."""
    tracks = result["tracks"]
    at_once = max((sum(t["first"] <= s["first"] <= t["last"] for t in tracks) for s in tracks), default=0)
    count = len(result.get("persons", ())) or at_once
    return f"{count} person{'s' if count > 1 else ''}" if count else "no face"


class FaceplateDetectNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Finds and follows the faces of the plate. Image shows boxes and ids; Faces is a matte of the boxes, and carries the parameters on."""

    bl_idname = "FaceplateDetectNode"
    bl_label = "Face Detect"
    bl_description = "Find and follow the faces of the plate"
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
        plate, frames, first, words = self.plate_in(scene)
        place = self.place()
        request = {**plate.request("clip"), "range": frames, "out": str(place / "faces.npz"), "marks": True}
        request |= self.parameters("Detect")

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, place / "marks" / f"marks.{first:04d}.png", plate, linear=False)
            return f"{words}: {_persons(job['result'])}"

        return Task("detect", request, done)


class FaceplateAlignNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Image shows the landmarks and the outline of the crop on the plate, Crop the crop, upright and of one size. Faces goes on as it came, with these parameters."""

    bl_idname = "FaceplateAlignNode"
    bl_label = "Face Align"
    bl_description = "Show landmarks and upright crops of the faces"
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
        plate, frames, first, words = self.plate_in(scene)
        folder = self.place() / "crops"
        request = {**plate.request("clip"), "range": frames, "out": str(folder), "tracks": self.chosen(), "marks": True}
        request |= self.parameters("Detect", "Align")

        def done(node: Any, job: dict[str, Any]) -> str:
            track = max(job["result"]["tracks"], key=lambda track: track["last"] - track["first"])
            file = folder / "images" / str(track["id"]) / f"{track['first']:04d}.png"
            group.show(node, file, plate, linear=False)
            group.show(node, folder / "marks" / f"marks.{first:04d}.png", plate, linear=False, inside=_LANDMARKS)
            return f"{words}: {_persons(job['result'])}"

        return Task("align", request, done)


class FaceplateMaskNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """The matte of the face, and as Image the plate where it is. Faces carries it on: a Face Swap that is linked to it takes its parameters."""

    bl_idname = "FaceplateMaskNode"
    bl_label = "Face Mask"
    bl_description = "Make the matte of the face"
    bl_icon = "MOD_MASK"
    defined = "Mask"

    __annotations__ = {"settings": bpy.props.PointerProperty(type=properties.SETTINGS["Mask"])}

    def inside(self, tree: Any) -> None:
        ports = properties.DEFINITIONS[self.defined]
        sockets = group.port_inputs(tree, ports["inputs"])
        matte = group.times(tree, group.picture(tree).outputs["Image"], sockets["Mask"])
        seen = group.vector_math(tree, "SCALE", sockets["Image"], matte)
        group.port_outputs(tree, ports["outputs"], {"mattes": matte}, Image=seen, Faces=matte)

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, first, words = self.plate_in(scene)
        folder = self.place() / "mattes"
        request = {**plate.request(), "range": frames, "out": str(folder), "tracks": self.chosen()}
        request |= self.parameters("Detect", "Align", "Mask")

        def done(node: Any, job: dict[str, Any]) -> str:
            group.show(node, folder / "matte" / f"matte.{first:04d}.exr", plate)
            return f"{words}: a face in {job['result']['frames_with_face']}"

        return Task("mask", request, done)


class FaceplateSwapNode(FaceNode, bpy.types.CompositorNodeCustomGroup):
    """Puts the source's face into the plate: the patch is laid over it in linear light, and nothing else is touched."""

    bl_idname = "FaceplateSwapNode"
    bl_label = "Face Swap"
    bl_description = "Put the source's face into the plate"
    bl_icon = "COMMUNITY"
    defined = "Swap"
    buttons = (("PREVIEW", "Preview"), ("RENDER", "Render Range"))

    __annotations__ = {
        "settings": bpy.props.PointerProperty(type=properties.SETTINGS["Swap"]),
        "source": properties.SOURCE,
        "training_minutes": properties.TRAINING_MINUTES,
        **{f"show_{name}": bpy.props.BoolProperty(name=name.title(), options=set()) for name in _FOLDED},
    }

    def inside(self, tree: Any) -> None:
        fill_swap(tree)

    @property
    def migrations(self) -> dict[int, Any]:
        """The steps that leave earlier versions: the first names the training minutes otherwise."""
        return {1: lambda node: migration.rename(node, "minutes", "training_minutes"), **super().migrations}

    def draw_top(self, layout: Any) -> None:
        layout.prop(self, "source")
        if not self.source and self.settings.method == "reference":
            layout.operator("faceplate.name_source", icon="FILE_MOVIE").uid = self.uid

    def draw_more(self, layout: Any, width: int, *, brief: bool) -> None:
        """Show performers with consent, training and verification, folded."""
        request, train = self._consent_requests()
        answer = consent.monitor.look(request) if request else None
        # A refusal stands below the buttons, unless a job is under way, or was refused and says it there already.
        refused = answer and answer.job and not answer.allowed and (answer.job["result"] or forbidden(answer.job))
        if refused := refused and self.state not in ("BUSY", "ERROR"):
            consent.draw(layout, request, brief=brief, width=width)
        for name in _FOLDED:
            body = (
                panels.fold(layout, self, name) if brief else panels.section(layout, f"faceplate_{name}", name.title())
            )
            if not body:
                continue
            if name == "performers":
                for performer in properties.PERFORMERS:
                    body.prop(self.settings, performer, text=performer.partition("_")[0].title())
                if request and not refused:
                    consent.draw(body, request, brief=brief, width=width)
            else:
                if name == "train":
                    body.prop(self, "training_minutes", text="Minutes")
                    if train and not brief:
                        consent.draw(body, train, brief=brief, width=width)
                row = body.row()
                row.enabled = self.state != "BUSY"
                self.draw_button(row, name.upper(), name.title())

    def _consent_requests(self) -> tuple[Any, Any]:
        """Return the requests of the job `performers`, of a swap and of a training; None where something is not named."""
        try:
            swap = properties.of_consent(self.parameters("Swap")["swap"])
            of = media.path_of_socket(self.inputs["Image"]), self.source and media.absolute(self.source), self.place()
        except media.MediaError:  # no plate is linked, or results have no place
            return None, None
        if not self.source:
            return (consent_request(*of, swap) if swap["method"] == "model" else None), None
        return consent_request(*of, swap), consent_request(*of, swap, train=True)

    def task(self, action: str, scene: Any) -> Task:
        plate, frames, _, words = self.plate_in(scene)
        place, source = self.place(), self.source and media.absolute(self.source)
        if action == "VERIFY":
            return self._verify(place)
        if not source and (action == "TRAIN" or self.settings.method == "reference"):
            raise media.MediaError(
                "no source is named", "Choose footage of the performer whose face is put in as Source"
            )
        if action == "TRAIN":
            return self._train(plate, source, place)
        request: dict[str, Any] = {**plate.request(), "settings": self.parameters("Detect", "Align", "Mask", "Swap")}
        request |= {"source": source} if source else {}
        request |= {"tracks": self.chosen()}
        if action == "PREVIEW":
            return self._preview(request, plate, scene.frame_current, place)
        request |= {"range": frames, "out": str(place / "shot"), "whole": True}

        def done(node: Any, job: dict[str, Any]) -> str:
            files = Path(job["result"]["whole"]).parent.glob("*.exr")
            group.show(node, group.lay(files, place / _SHOWN, alone=True), plate)
            node.result = media.stored(place / "shot")
            return f"{words}: a face in {job['result']['shot']['results']['frames_with_face']}"

        return Task("swap", request, done)

    def _preview(self, request: dict[str, Any], plate: media.Plate, frame: int, place: Path) -> Task:
        number = plate.number(frame)
        patch = place / "preview" / f"patch.{number:04d}.exr"
        request |= {"frame": number, "whole": str(patch), "sample": ["plate", "source"]}
        request.pop("rate", None)

        def done(node: Any, job: dict[str, Any]) -> str:
            before, shown = group.shown(node), place / _SHOWN
            others = list(before.parent.glob("*.exr")) if before and before.parent != shown else []
            if others:  # of an earlier version of the extension, or of the node that was copied
                group.lay(others, shown, alone=True)
            group.show(node, group.lay([patch], shown, alone=before is None), plate)
            node.result = media.stored(patch)
            message = f"Preview of frame {frame}" + ("" if job["result"]["face"] else ": no face")
            if "source" in job["result"]["sampled"]:
                message += ", from a sample"
                _improve(node.uid, message, frame, request)
            return message

        return Task("preview", request, done)

    def _train(self, plate: media.Plate, source: str, place: Path) -> Task:
        """Return the task that trains a model for the shot, which the node then uses."""
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
            node.settings.model, node.settings.method = media.stored(job["result"]["model"]), "model"
            steps = job["result"]["steps"]
            return f"Trained {steps} step{'s' if steps > 1 else ''}; Render Range uses the model"

        return Task(kind, request, done, then=then)

    def _verify(self, place: Path) -> Task:
        """Return the task that verifies what was made last."""
        picture = group.shown(self)
        if picture is None:
            raise media.MediaError("there is nothing to verify", "Press Preview or Render Range")
        path = Path(media.absolute(self.result)) if self.result else picture
        path = (
            place / "shot" if place / "shot" in path.parents else path
        )  # of version 2, which showed the shot's own frames

        def done(node: Any, job: dict[str, Any]) -> str:
            changed, summary = verdict(job)
            if changed:
                raise media.MediaError(summary.rstrip("."), "Render Range makes it anew")
            return str(summary)

        return Task("credentials", {"path": str(path)}, done)


def _improve(uid: str, message: str, frame: int, request: dict[str, Any]) -> None:
    """Have all of the source analysed, then preview the frame again if the node still shows it with this message."""

    def ended(job: dict[str, Any]) -> None:
        node, scene = find(uid), bpy.context.scene
        if job["state"] != "finished" or not node or node.message != message or scene.frame_current != frame:
            return
        with suppress(media.MediaError):  # the plate is gone
            task = node.task("PREVIEW", scene)
            task.request["sample"] = ["plate"]
            node.follow(Run("PREVIEW", task))

    detect = {name: values for name, values in request["settings"].items() if name == "detect"}
    session.submit("detect", {"clip": request["source"], **detect}, on_end=ended)


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
