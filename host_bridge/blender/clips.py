# SPDX-License-Identifier: GPL-3.0-or-later
"""Face Swap from Clips: chooses plate and source in the file browser, sets the scene up for the plate, and previews the current frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from . import media

_CHOOSE = "Choose a movie, or a picture of a sequence"
_OUTPUTS = ("NodeGroupOutput", "CompositorNodeComposite")  # since 5.0, and before
_FILTERS = {
    f"filter_{kind}": bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    for kind in ("movie", "image", "folder")
}


class FACEPLATE_OT_swap_from_clips(bpy.types.Operator):
    """Replace the face in a clip: choose the plate, then the source, and see the current frame"""

    bl_idname = "faceplate.swap_from_clips"
    bl_label = "Face Swap from Clips…"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    __annotations__ = {
        "plate": bpy.props.StringProperty(name="Plate", subtype="FILE_PATH", options={"SKIP_SAVE"}),
        "source": bpy.props.StringProperty(name="Source", subtype="FILE_PATH", options={"SKIP_SAVE"}),
    }

    def invoke(self, context: Any, event: Any) -> set[str]:
        bpy.ops.faceplate.choose_plate("INVOKE_DEFAULT")
        return {"FINISHED"}

    def execute(self, context: Any) -> set[str]:
        scene = context.scene
        try:
            performer, source = _footage(self.source, scene)
            bpy.data.movieclips.remove(performer)
            clip, plate = _footage(self.plate, scene)
        except media.MediaError as e:
            self.report({"ERROR"}, str(e))
            return {"CANCELLED"}
        _set_up(scene, clip, plate)
        node = _link(scene, clip)
        node.source = media.stored(source.path)
        if not bpy.data.filepath:
            node.folder = _folder(Path(plate.path).parent)
            self.report({"INFO"}, f"Results go to {node.folder}, since this file is not saved")
        _show(context)
        node.begin("PREVIEW", scene)
        return {"FINISHED"}


class _ChooseClip(bpy.types.Operator):
    bl_options = {"INTERNAL"}  # noqa: RUF012

    __annotations__ = {
        "filepath": bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"}),
        "plate": bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}),
        **_FILTERS,
    }

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class FACEPLATE_OT_choose_plate(_ChooseClip):
    """Choose the clip in which a face is replaced"""

    bl_idname = "faceplate.choose_plate"
    bl_label = "Choose Plate"

    def execute(self, context: Any) -> set[str]:
        folder = f"{Path(self.filepath).parent}{os.sep}"
        bpy.ops.faceplate.choose_source("INVOKE_DEFAULT", plate=self.filepath, filepath=folder)
        return {"FINISHED"}


class FACEPLATE_OT_choose_source(_ChooseClip):
    """Choose footage of the performer whose face is put in"""

    bl_idname = "faceplate.choose_source"
    bl_label = "Choose Source"

    def execute(self, context: Any) -> set[str]:
        done: set[str] = bpy.ops.faceplate.swap_from_clips("EXEC_DEFAULT", True, plate=self.plate, source=self.filepath)
        return done


CLASSES = (FACEPLATE_OT_swap_from_clips, FACEPLATE_OT_choose_plate, FACEPLATE_OT_choose_source)


def draw_menu(menu: Any, context: Any) -> None:
    """Draw the operator in a menu."""
    menu.layout.separator()
    menu.layout.operator(FACEPLATE_OT_swap_from_clips.bl_idname)


def _footage(path: str, scene: Any) -> tuple[Any, media.Plate]:
    """Load a movie or a sequence as a clip. Raises MediaError; then no clip is left."""
    try:
        clip = bpy.data.movieclips.load(path)
    except RuntimeError as e:
        raise media.MediaError(f"{path or 'nothing'} is no file", _CHOOSE) from e
    try:
        if not clip.size[0] or clip.frame_duration < 1:
            raise media.MediaError(f"{path} cannot be read", _CHOOSE)
        return clip, media.of_clip(clip, scene)
    except media.MediaError:
        bpy.data.movieclips.remove(clip)
        raise


def _set_up(scene: Any, clip: Any, plate: media.Plate) -> None:
    """Set rate, range, resolution and view of a scene to those of a plate."""
    render = scene.render
    if not plate.sequence:
        render.fps = round(plate.rate)
        render.fps_base = float(round(plate.rate) / plate.rate)
    render.resolution_x, render.resolution_y = clip.size
    render.resolution_percentage = 100
    scene.frame_start, scene.frame_end = plate.at, plate.at + plate.count - 1
    scene.frame_current = min(max(scene.frame_current, scene.frame_start), scene.frame_end)
    scene.view_settings.view_transform = "Standard"


def _link(scene: Any, clip: Any) -> Any:
    """Link the clip by a new Face Swap to a viewer, and to the output unless it shows something else already; returns the node."""
    tree = _tree(scene)
    nodes, links = tree.nodes, tree.links
    end = next(n for n in nodes if n.bl_idname in _OUTPUTS)
    viewer = next((n for n in nodes if n.bl_idname == "CompositorNodeViewer"), None) or nodes.new(
        "CompositorNodeViewer"
    )
    movie, swap = nodes.new("CompositorNodeMovieClip"), nodes.new("FaceplateSwapNode")
    movie.clip = clip
    others = [n.location.y - n.height - 60 for n in nodes if n not in (end, viewer, movie, swap)]
    x, y = end.location.x, min(others, default=end.location.y)
    for node in nodes:
        node.select = node == swap
    swap.location, viewer.location = (x - swap.width - 60, y), (x, y - 100)
    movie.location = swap.location.x - movie.width - 60, y
    nodes.active = swap
    links.new(movie.outputs["Image"], swap.inputs["Image"])
    links.new(swap.outputs["Image"], viewer.inputs[0])
    if getattr(media.source_node(end.inputs[0]), "bl_idname", "") in ("", "CompositorNodeRLayers"):
        links.new(swap.outputs["Image"], end.inputs[0])
    return swap


def _tree(scene: Any) -> Any:
    """Return the tree of a scene's compositor, made if it has none, with an output."""
    if bpy.app.version < (5, 0):
        scene.use_nodes = True
        tree, output = scene.node_tree, "CompositorNodeComposite"
    else:
        tree, output = scene.compositing_node_group, "NodeGroupOutput"
        if tree is None:
            tree = scene.compositing_node_group = bpy.data.node_groups.new("Compositor Nodes", "CompositorNodeTree")
        if not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    if not any(node.bl_idname == output for node in tree.nodes):
        tree.nodes.new(output)
    return tree


def _folder(beside: Path) -> str:
    """Return a folder for results beside a plate, or of this session of Blender where nothing can be written there."""
    return str((beside if os.access(beside, os.W_OK) else Path(bpy.app.tempdir)) / "faceplate")


def _show(context: Any) -> None:
    """Show nodes and picture: in editors that are open, else in the workspace Compositing, else in the area of the operator."""
    window, workspace = context.window, bpy.data.workspaces.get("Compositing")
    if window is None:
        return
    areas = list(window.screen.areas)
    if not any(_is_compositor(area) for area in areas):
        if workspace is not None:
            window.workspace = workspace
            areas = list(workspace.screens[0].areas)
        elif context.area is not None:
            context.area.ui_type = "CompositorNodeTree"
    pictures = (area.spaces.active.image for area in areas if area.type == "IMAGE_EDITOR")
    seen = any(picture is not None and picture.type == "COMPOSITING" for picture in pictures)
    for area in areas:
        if _is_compositor(area):
            area.spaces.active.show_backdrop = not seen
    if not bpy.app.background:
        bpy.app.timers.register(_frame_nodes, first_interval=0.2)  # an editor knows a new tree only when it was drawn


def _frame_nodes() -> None:
    """Show all nodes in the middle of the compositor, and the backdrop beside them."""
    for window in bpy.context.window_manager.windows:
        for area in filter(_is_compositor, window.screen.areas):
            region, space = next(region for region in area.regions if region.type == "WINDOW"), area.spaces.active
            render = window.scene.render
            space.backdrop_zoom = min(0.8 * region.height / render.resolution_y, region.width / 3 / render.resolution_x)
            space.backdrop_offset = -region.width / 3, 0
            with bpy.context.temp_override(window=window, area=area, region=region):
                if bpy.ops.node.view_all.poll():
                    bpy.ops.node.view_all()


def _is_compositor(area: Any) -> bool:
    return bool(area.ui_type == "CompositorNodeTree")
