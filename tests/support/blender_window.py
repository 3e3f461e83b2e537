"""The stage of `blender_pictures`, in a Blender with a window, beside `blender_inside`: links the four nodes, has them work, and renders.

After `--` come the home, the extension's zip, the frame of the plate, and the inputs' values by label, as JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))  # Blender's Python looks elsewhere
from blender_inside import begin, compositor, empty_scene, install, leave, render  # type: ignore[import-not-found]

HOME, ZIP, FRAME, SHOWN = json.loads(sys.argv[-1])
HEIGHT = 830  # of the picture, from the top of the compositor: the rest is empty
OUT = Path(HOME) / "taken"
PLACES = {  # of the nodes, with their widths
    "Movie Clip": (0, 0, 190),
    "Face Detect": (230, 0, 190),
    "Face Align": (460, 0, 190),
    "Face Mask": (690, 0, 190),
    "Face Swap": (925, 0, 430),
    "Viewer": (1400, 0, 120),
    "Group Output": (1400, -90, 120),
}


def link(scene: Any) -> tuple[Any, Any, Any, list[Any]]:
    """Link the four nodes; the plate runs below them from bend to bend. Returns the tree, its end, the plate, and the nodes."""
    tree, end = compositor(scene)
    plate = tree.nodes.new("CompositorNodeMovieClip")
    plate.clip = bpy.data.movieclips.load(HOME + "/people/plate.mp4")
    viewer = tree.nodes.new("CompositorNodeViewer")
    chain = [tree.nodes.new(f"Faceplate{name}Node") for name in ("Detect", "Align", "Mask", "Swap")]
    before = plate.outputs["Image"]
    for node in chain:
        x = PLACES[node.bl_label][0] - 22
        bend = tree.nodes.new("NodeReroute")
        bend.location = x, -225
        tree.links.new(before, bend.inputs[0])
        tree.links.new(bend.outputs[0], node.inputs["Image"])
        before = bend.outputs[0]
    for one, other in pairwise(chain):
        tree.links.new(one.outputs["Faces"], other.inputs["Faces"])
    for node in (end, viewer):
        tree.links.new(chain[-1].outputs["Image"], node.inputs[0])
    for name, (x, y, width) in PLACES.items():
        tree.nodes[name].location, tree.nodes[name].width = (x, y), width
    chain[-1].source = HOME + "/people/source.mp4"
    return tree, end, plate, chain


def outputs(scene: Any, tree: Any, end: Any, plate: Any, chain: list[Any]) -> None:
    """Render what each output is, and what each input does."""
    swap = chain[-1]
    tree.links.new(plate.outputs["Image"], end.inputs[0])
    render(scene, FRAME, f"{OUT}/the plate.png")
    for node in chain:
        for socket in [s for s in node.outputs if s.name != "Faces"]:
            tree.links.new(socket, end.inputs[0])
            render(scene, FRAME, f"{OUT}/{node.name}, {socket.name}.png")
    tree.links.new(swap.outputs["Image"], end.inputs[0])
    defaults = {s.name: s.default_value[:] if s.type == "RGBA" else s.default_value for s in swap.inputs}
    for name, values in SHOWN.items():
        for key, value in (defaults | values).items():
            swap.inputs[key].default_value = value
        render(scene, FRAME, f"{OUT}/{name}.png")


def compositor_area(window: Any) -> Any:
    """Find the largest one."""
    return max((a for a in window.screen.areas if a.type == "NODE_EDITOR"), key=lambda a: a.width * a.height)


def override(window: Any) -> Any:
    """Let operators act in the compositor."""
    area = compositor_area(window)
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def steps() -> Iterator[float]:
    """Do all of it; yields seconds in which Blender lives, draws, and hears of its jobs."""
    install(ZIP)
    window = bpy.context.window_manager.windows[0]
    window.workspace = bpy.data.workspaces["Compositing"]
    yield 1
    tree, end, plate, chain = link(scene := empty_scene(512, 512, 1, 72))
    scene.frame_set(FRAME)
    bpy.ops.wm.save_as_mainfile(filepath=HOME + "/shot.blend")
    for node in chain:
        begin(node)
        while node.state == "BUSY":
            yield 0.3
        assert node.state == "DONE", (node.name, node.message, node.remedy)
    with override(window):
        bpy.ops.screen.screen_full_area()
    yield 2
    space = compositor_area(window).spaces.active
    space.show_backdrop, space.show_region_ui, space.show_region_asset_shelf = True, False, False
    for node in tree.nodes:
        node.select, node.show_preview = False, False
    yield 1
    with override(window):
        bpy.ops.node.view_all()
    yield 1
    with override(window):
        bpy.ops.view2d.pan(deltay=-190)
    space.backdrop_zoom, space.backdrop_offset = 1, (-260, -63)
    window.cursor_warp(4, window.height // 2)
    yield 20  # the backdrop comes when it is ready, and nothing tells when
    area, ready = compositor_area(window), OUT / "ready"
    top = window.height - area.y - area.height
    ready.with_suffix(".part").write_text(json.dumps([area.x, top, area.x + area.width, top + HEIGHT]), "utf-8")
    ready.with_suffix(".part").rename(ready)
    while ready.exists():
        yield 0.3
    outputs(scene, tree, end, plate, chain)
    bpy.ops.wm.quit_blender()


def step() -> float | None:
    """One more part; an error ends Blender."""
    try:
        return next(_steps, None)
    except Exception:
        traceback.print_exc()
        leave()
        raise


_steps = steps()
bpy.app.timers.register(step, first_interval=2, persistent=True)
