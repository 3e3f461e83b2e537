"""What the first version of the extension left in a .blend is brought up to date when it is opened; what a newer one left is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.blender import Blender

WIDTH, HEIGHT = 64, 48
FIRST = """
def stored(owner):
    return owner.bl_system_properties_get(do_create=True) if hasattr(owner, "bl_system_properties_get") else owner

def first_group(label, inputs, outputs):
    \"\"\"The inside of a node as version 1 built it: a picture, laid over Image by Opacity where there is one.\"\"\"
    tree = bpy.data.node_groups.new(label, "CompositorNodeTree")
    for name, kind, value in inputs:
        tree.interface.new_socket(name, in_out="INPUT", socket_type=kind).default_value = value
    for name, kind in outputs:
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    picture = tree.nodes.new("CompositorNodeImage")
    picture.name = "Result"
    picture.image = bpy.data.images.load(str(folder / "patch.0001.png"))
    picture.image.source = "SEQUENCE"
    picture.frame_duration, picture.frame_start, picture.frame_offset, picture.use_auto_refresh = 3, 1, 0, True
    if "Opacity" in start.outputs:
        over = tree.nodes.new("CompositorNodeAlphaOver")
        lower, upper = [socket for socket in over.inputs if socket.type == "RGBA"]
        tree.links.new(start.outputs["Image"], lower)
        tree.links.new(picture.outputs["Image"], upper)
        tree.links.new(start.outputs["Opacity"], next(s for s in over.inputs if s.name in ("Fac", "Factor")))
        tree.links.new(over.outputs[0], end.inputs["Image"])
    else:
        tree.links.new(picture.outputs["Image"], end.inputs["Crop"])
    return tree

COLOUR, NUMBER = "NodeSocketColor", "NodeSocketFloat"
"""


@pytest.fixture(scope="module")
def old(faceplate_in: Blender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .blend as version 1 saved it, and what it rendered."""
    folder = tmp_path_factory.mktemp(f"first-{faceplate_in.version}")
    rng = np.random.default_rng(1)
    for number in (1, 2, 3):
        cv2.imwrite(str(folder / f"plate.{number:04d}.png"), rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
        patch = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        cv2.circle(patch, (30, 20), 12, (60, 120, 200, 255), -1, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"patch.{number:04d}.png"), patch)
    faceplate_in.run(f"""folder = Path({str(folder)!r})
{FIRST}
enable()
part("migration").unregister()
scene = empty_scene({WIDTH}, {HEIGHT}, 1, 3)
tree, end = compositor(scene)
plate = sequence(tree, str(folder / "plate.0001.png"), 3, 1)
swap, align = (tree.nodes.new(f"Faceplate{{name}}Node") for name in ("Swap", "Align"))
faces = ("Faces", COLOUR, (0, 0, 0, 0))
image = ("Image", COLOUR, (0, 0, 0, 0))
swap.node_tree = first_group(
    ".Face Swap",
    (image, faces, ("Mask", NUMBER, 1), ("Opacity", NUMBER, 1)),
    (("Image", COLOUR), ("Patch", COLOUR), ("Matte", NUMBER)),
)
align.node_tree = first_group(".Face Align", (image, faces), (("Faces", COLOUR), ("Crop", COLOUR)))
for node in (swap, align):
    del stored(node)["schema_version"]  # as it was its default, version 1 kept none
    tree.links.new(plate.outputs["Image"], node.inputs["Image"])
tree.links.new(align.outputs["Faces"], swap.inputs["Faces"])
swap.inputs["Opacity"].default_value = 0.75
swap.inputs["Opacity"].keyframe_insert("default_value", frame=1)
swap.settings.light, swap.source = 0.4, "//anna.mov"
stored(swap)["minutes"] = 7.5
scene.faceplate_strips.handles = 4
stored(scene.faceplate_strips)["minutes"] = 3.0
tree.links.new(swap.outputs["Image"], end.inputs[0])
render(scene, 2, str(folder / "before.png"))
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "first.blend"))
answer(True)
""")
    return folder


def test_a_file_of_the_first_version_is_migrated_when_it_is_opened(faceplate_in: Blender, old: Path) -> None:
    told = faceplate_in.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={str(old / "first.blend")!r})
scene = bpy.context.scene
tree = tree_of(scene)
swap, align = (next(n for n in tree.nodes if n.bl_idname == f"Faceplate{{name}}Node") for name in ("Swap", "Align"))
render(scene, 2, {str(old / "after.png")!r})
bpy.ops.wm.save_as_mainfile(filepath={str(old / "second.blend")!r})
bpy.ops.wm.open_mainfile(filepath={str(old / "second.blend")!r})
scene = bpy.context.scene
swap, align = (next(n for n in tree_of(scene).nodes if n.bl_idname == f"Faceplate{{name}}Node") for name in ("Swap", "Align"))
answer({{
    "versions": [swap.schema_version, align.schema_version, scene.faceplate_strips.schema_version],
    "minutes": [swap.training_minutes, scene.faceplate_strips.training_minutes],
    "kept": [swap.source, round(swap.settings.light, 4), scene.faceplate_strips.handles],
    "values": {{s.name: s.default_value for s in swap.inputs if s.type != "RGBA"}} | {{"Gain": list(swap.inputs["Gain"].default_value)}},
    "links": sorted(f"{{l.from_node.bl_idname}}.{{l.from_socket.name}} {{l.to_node.bl_idname}}.{{l.to_socket.name}}" for l in tree_of(scene).links),
    "outputs": [s.name for s in align.outputs],
    "shown": [n.image is not None for node in (swap, align) for n in node.node_tree.nodes if n.name == "Result"],
    "standing": swap.standing()[0],
}})
""")
    assert told["versions"] == [3, 3, 3] and told["minutes"] == [7.5, 3.0]
    assert told["kept"] == ["//anna.mov", 0.4, 4]
    neutral = {"Match": 0, "Exposure": 0, "Saturation": 1, "Edge": 0, "Feather": 0, "Gain": [1, 1, 1, 1]}
    assert told["values"] == {"Mask": 1, "Opacity": 0.75, **neutral}
    assert {
        "CompositorNodeImage.Image FaceplateSwapNode.Image",
        "FaceplateAlignNode.Faces FaceplateSwapNode.Faces",
    } < set(told["links"])
    assert len(told["links"]) == 4 and told["outputs"] == ["Image", "Faces", "Crop"] and told["shown"] == [True, True]
    before, after = (cv2.imread(str(old / f"{name}.png")).astype(int) for name in ("before", "after"))
    np.testing.assert_array_equal(before, after)
    assert np.abs(after - cv2.imread(str(old / "plate.0002.png"))).max() > 20


def test_a_file_that_was_open_before_is_migrated_by_the_first_button(faceplate_in: Blender, old: Path) -> None:
    told = faceplate_in.run(f"""
enable()
part("migration").unregister()
bpy.ops.wm.open_mainfile(filepath={str(old / "first.blend")!r})
swap = next(n for n in tree_of(bpy.context.scene).nodes if n.bl_idname == "FaceplateSwapNode")
before = swap.schema_version
try:
    begin(swap, "TRAIN")
except RuntimeError:
    pass
answer([before, swap.schema_version, "Match" in swap.inputs, swap.training_minutes])
""")
    assert told == [1, 3, True, 7.5]


def test_what_a_newer_extension_has_left_is_refused_with_a_remedy_and_kept(faceplate_in: Blender, old: Path) -> None:
    told = faceplate_in.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={str(old / "first.blend")!r})
scene = bpy.context.scene
swap = next(n for n in tree_of(scene).nodes if n.bl_idname == "FaceplateSwapNode")
swap.schema_version = scene.faceplate_strips.schema_version = 9
newer = {str(old / "newer.blend")!r}
bpy.ops.wm.save_as_mainfile(filepath=newer)
bpy.ops.wm.open_mainfile(filepath=newer)
scene = bpy.context.scene
swap = next(n for n in tree_of(scene).nodes if n.bl_idname == "FaceplateSwapNode")
said = [list(swap.standing())]
try:
    begin(swap)
except RuntimeError as e:
    said.append(str(e))
scene.sequence_editor_create().strips.new_image("plate", {str(old / "plate.0001.png")!r}, 1, 1).select = True
if NEW:
    bpy.context.window_manager.windows[0].workspace.sequencer_scene = scene
for operator in (bpy.ops.faceplate.replace_face, bpy.ops.faceplate.train_on_strips):
    try:
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            operator()
    except RuntimeError as e:
        said.append(str(e))
answer([said, swap.schema_version, scene.faceplate_strips.schema_version])
""")
    said, *versions = told
    assert versions == [9, 9] and len(said) == 4
    assert said[0][0] == "ERROR" and "newer Faceplate" in said[0][1] and "install" in said[0][2].lower()
    assert all("newer Faceplate" in text and "Install" in text for text in said[1:]), said
