"""The nodes in a real compositor: what it renders is the composite that `faceplate swap` writes, and outside the matte the plate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from nodes.definitions import SwapParameters
from nodes.footage.patch_files import read_matte
from tests.support.blender import Blender
from tests.support.clips import pictures, write_movie, write_pngs
from tests.support.live_engine import Live, live_engine

FIRST, COUNT, START = 7, 4, 11  # the first file's number, how many, and the frame of the scene that shows it
SCENE = f"""
enable()
scene = empty_scene(400, 300, {START}, {START + COUNT - 1})
tree, end = compositor(scene)
plate = sequence(tree, str(work_folder / "plate" / "plate.{FIRST:04d}.png"), {COUNT}, {START})
swap = tree.nodes.new("FaceplateSwapNode")
tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
tree.links.new(swap.outputs["Image"], end.inputs[0])
swap.source = str(work_folder / "source.mkv")
bpy.ops.wm.save_as_mainfile(filepath=str(work_folder / (bpy.app.version_string[:3] + ".blend")))
"""


@dataclass(frozen=True)
class Stage:
    """A Blender with the extension, an engine, and a folder with plate/, source.mkv and what `faceplate swap` made of them, swap/."""

    blender: Blender
    live: Live

    @property
    def work(self) -> Path:
        return self.live.work

    def run(self, code: str, **environment: str):
        told = f"work_folder = Path({str(self.work)!r})\n"
        return self.blender.run(told + code, seconds=120, FACEPLATE_PYTHON=sys.executable, **environment)

    def composite(self, number: int) -> np.ndarray:
        return read(self.work / "swap" / "composite" / f"composite.{number:04d}.png")

    def matte(self, number: int) -> np.ndarray:
        return read_matte(self.work / "swap" / "matte" / f"matte.{number:04d}.exr")


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None, path
    return found[..., :3].astype(int)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Live]:
    with live_engine(tmp_path_factory.mktemp("nodes")) as live:
        write_pngs(live.work / "plate", pictures(samples / "cap13_edit2.mp4", 20, COUNT), FIRST)
        write_movie(live.work / "source.mkv", pictures(samples / "franck.mp4", 0, 30), codec="ffv1")
        write_movie(live.work / "plate.mkv", pictures(samples / "cap13_edit2.mp4", 20, COUNT), codec="ffv1")
        plate = ["--plate", str(live.work / "plate" / "plate.%04d.png"), "--rate", "25"]
        command = [sys.executable, "-m", "host_bridge.cli", "swap", *plate, "--source", str(live.work / "source.mkv")]
        done = subprocess.run([*command, "--out", str(live.work / "swap")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield live


@pytest.fixture(scope="module")
def stage(faceplate_in: Blender, live: Live) -> Stage:
    return Stage(faceplate_in, live)


@pytest.fixture(scope="module")
def rendered(stage: Stage) -> dict[str, str]:
    """The shot rendered by the node's button, each frame of the scene by Blender's compositor, with and without the node."""
    out = stage.work / f"out-{stage.blender.version}"
    out.mkdir()
    told = stage.run(f"""{SCENE}
out = {str(out)!r}
work(swap)
for frame in range(scene.frame_start, scene.frame_end + 1):
    render(scene, frame, f"{{out}}/swap.{{frame}}.png")
kept = str(work_folder / f"shot-{{bpy.app.version_string[:3]}}.blend")
bpy.ops.wm.save_as_mainfile(filepath=kept, copy=True)
for name in ("Patch", "Matte"):
    tree.links.new(swap.outputs[name], end.inputs[0])
    render(scene, {START + 1}, f"{{out}}/{{name}}.png")
tree.links.new(plate.outputs["Image"], end.inputs[0])
for frame in range(scene.frame_start, scene.frame_end + 1):
    render(scene, frame, f"{{out}}/plate.{{frame}}.png")
answer({{"message": swap.message, "blend": kept}})
""")
    return {**told, "out": str(out)}


def test_the_compositor_renders_the_composite_of_faceplate_swap_and_the_plate_outside(
    stage: Stage, rendered: dict[str, str]
) -> None:
    out = Path(rendered["out"])
    for index in range(COUNT):
        frame, number = START + index, FIRST + index
        swapped, plain = read(out / f"swap.{frame}.png"), read(out / f"plate.{frame}.png")
        matte = stage.matte(number)
        inside = matte > 0
        assert 0.02 < inside.mean() < 0.6 and ((matte > 0.02) & (matte < 0.98)).sum() > 500
        np.testing.assert_array_equal(plain, read(stage.work / "plate" / f"plate.{number:04d}.png"))
        np.testing.assert_array_equal(swapped[~inside], plain[~inside])
        assert np.abs(swapped - stage.composite(number))[inside].max() <= 2
        assert np.abs(swapped - plain)[inside].mean() > 2  # it is another face


def test_a_saved_file_opens_in_a_new_process_and_renders_the_same(stage: Stage, rendered: dict[str, str]) -> None:
    out = Path(rendered["out"])
    stage.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={rendered["blend"]!r})
render(bpy.context.scene, {START + 1}, "{out}/again.png")
answer(True)
""")
    np.testing.assert_array_equal(read(out / "again.png"), read(out / f"swap.{START + 1}.png"))


def test_a_file_renders_the_same_while_the_extension_is_disabled(stage: Stage, rendered: dict[str, str]) -> None:
    out = Path(rendered["out"])
    told = stage.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={rendered["blend"]!r})
disable()
enable()
render(bpy.context.scene, {START + 1}, "{out}/enabled.png")
node = next(n for n in tree_of(bpy.context.scene).nodes if n.bl_idname == "FaceplateSwapNode")
answer([node.settings.light, node.source, node.message])
""")
    np.testing.assert_array_equal(read(out / "enabled.png"), read(out / f"swap.{START + 1}.png"))
    assert told[0] == pytest.approx(SwapParameters().light) and told[1].endswith("source.mkv")


def test_patch_and_matte_are_outputs_of_their_own(stage: Stage, rendered: dict[str, str]) -> None:
    matte = read(Path(rendered["out"]) / "Matte.png")[..., 0]
    linear = stage.matte(FIRST + 1)
    shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055) * 255
    assert np.abs(matte - shown).max() <= 1
    patch = read(Path(rendered["out"]) / "Patch.png")
    assert not patch[linear == 0].any() and patch[linear > 0.9].mean() > 20


def test_opacity_and_a_mask_act_in_the_compositor_at_once(stage: Stage, rendered: dict[str, str]) -> None:
    out = Path(rendered["out"])
    stage.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={rendered["blend"]!r})
scene = bpy.context.scene
node = next(n for n in tree_of(scene).nodes if n.bl_idname == "FaceplateSwapNode")
for name in ("Opacity", "Mask"):
    node.inputs[name].default_value = 0
    render(scene, {START + 1}, f"{out}/no-{{name}}.png")
    node.inputs[name].default_value = 1
node.inputs["Opacity"].default_value = 0.5
render(scene, {START + 1}, "{out}/half.png")
answer(True)
""")
    plain, full = read(out / f"plate.{START + 1}.png"), read(out / f"swap.{START + 1}.png")
    for name in ("Opacity", "Mask"):
        np.testing.assert_array_equal(read(out / f"no-{name}.png"), plain)
    half = read(out / "half.png")
    assert (half >= np.minimum(plain, full) - 1).all() and (half <= np.maximum(plain, full) + 1).all()
    assert np.abs(half - plain).max() > 3 and np.abs(half - full).max() > 3


def test_a_preview_shows_one_frame_beside_those_of_the_last_range(stage: Stage, rendered: dict[str, str]) -> None:
    out = Path(rendered["out"])
    messages = stage.run(f"""{SCENE}
messages = []
def shot(name):
    messages.append(swap.message)
    for frame in ({START + 1}, {START + 2}):
        render(scene, frame, f"{out}/{{name}}.{{frame}}.png")
scene.frame_set({START + 2})
work(swap, "PREVIEW")
shot("preview")
swap.settings.light = 0.15
work(swap)
shot("range")
swap.settings.light = 1.0
scene.frame_set({START + 2})
work(swap, "PREVIEW")
shot("beside")
copy = tree.nodes.new("FaceplateSwapNode")
copy.copy(swap)
answer([messages, copy.uid != swap.uid, copy.node_tree.nodes["Result"].image != swap.node_tree.nodes["Result"].image])
""")
    words, *own = messages
    assert words[::2] == [f"Preview of frame {START + 2}"] * 2 and words[1].endswith("a face in 4") and all(own)
    pictures = {
        name: [read(out / f"{name}.{START + n}.png") for n in (1, 2)] for name in ("preview", "range", "beside")
    }
    plain = [read(out / f"plate.{START + n}.png") for n in (1, 2)]
    inside = stage.matte(FIRST + 2) > 0
    np.testing.assert_array_equal(pictures["preview"][0], plain[0])
    assert np.abs(pictures["preview"][1] - plain[1])[inside].mean() > 2
    np.testing.assert_array_equal(pictures["beside"][0], pictures["range"][0])
    assert np.abs(pictures["beside"][1] - pictures["range"][1])[inside].mean() > 0.5


def test_results_outlast_undoing_something_else_and_jobs_a_closed_file(stage: Stage, rendered: dict[str, str]) -> None:
    told = stage.run(f"""{SCENE}
def node():
    return next(part("tree").all_nodes())
def undo(name="undo"):
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        getattr(bpy.ops.ed, name)()
    one = node()
    return [*one.standing()[:2], round(one.inputs["Exposure"].default_value, 2), part("tree.group").shown(one) is not None]
part("undo").push("Open")
work(swap)
told = {{"dirty": bpy.data.is_dirty}}
node().inputs["Exposure"].default_value = 0.5
part("undo").push("Exposure")
told["exposure"] = undo()
told["range"] = undo()
told["again"] = undo("redo")
scene, swap = bpy.context.scene, node()
swap.settings.light = 0.33
begin(swap)
pump(lambda: swap.run.ticket.id)
bpy.ops.wm.save_mainfile()
told["noted"] = swap.job.split()[:2]
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
part("tree.node")._runs.clear()  # as in another Blender
bpy.ops.wm.open_mainfile(filepath=str(work_folder / (bpy.app.version_string[:3] + ".blend")))
part("tree.node").resume()  # which a window does by itself
told["opened"] = node().state
pump(lambda: node().state != "BUSY")
told["ended"] = list(node().standing()[:2])
bpy.ops.wm.save_mainfile()
told["job"] = node().job
node().source = "//source.mkv"
there = work_folder / f"there-{{bpy.app.version_string[:3]}}"
there.mkdir()
bpy.ops.wm.save_as_mainfile(filepath=str(there / "copy.blend"), copy=True)
told["copied"] = node().source
bpy.ops.wm.save_as_mainfile(filepath=str(there / "moved.blend"))
told["moved"] = [node().source, part("media").absolute(node().result) == str(work_folder / "faceplate" / node().place().name / "shot")]
answer(told)
""")
    done = f"Frames {START}-{START + COUNT - 1}: a face in 4"
    assert told == {
        "dirty": True,
        "exposure": ["DONE", done, 0, True],
        "range": ["IDLE", "", 0, False],
        "again": ["DONE", done, 0, True],
        "noted": ["RENDER", "0"],
        "opened": "BUSY",
        "ended": ["DONE", done],
        "job": "",
        "copied": "//source.mkv",
        "moved": ["//../source.mkv", True],
    }


def test_a_plate_that_shows_one_frame_is_said_with_a_button_that_shows_all(
    stage: Stage, rendered: dict[str, str]
) -> None:
    told = stage.run(f"""{SCENE}
media, told = part("media"), []
def look(source):
    tree.links.new(source.outputs["Image"], swap.inputs["Image"])
    before = media.frames_notice(swap.inputs["Image"], scene)
    bpy.ops.faceplate.use_all_frames(uid=swap.uid)
    told.append([*before, scene.frame_start, scene.frame_end, *media.frames_notice(swap.inputs["Image"], scene)])
for file in ("plate.mkv", "plate/plate.{FIRST:04d}.png"):
    one = tree.nodes.new("CompositorNodeImage")
    one.image = bpy.data.images.load(str(work_folder / file))
    one.image.source = "MOVIE" if file.endswith("mkv") else "SEQUENCE"
    one.frame_duration, one.frame_start = 1, 3
    look(one)
clip = tree.nodes.new("CompositorNodeMovieClip")
clip.clip = bpy.data.movieclips.load(str(work_folder / "plate.mkv"))
clip.clip.frame_start = 5
look(clip)
answer(told)
""")
    movie, pngs, clip = told
    assert movie == ["plate.mkv shows 1 of its 4 frames", "Show All 4 Frames", 3, 6, "", ""]
    assert "shows 1 of its 4 frames" in pngs[0] and pngs[1:] == ["Show All 4 Frames", 3, 6, "", ""]
    assert clip == ["The scene has frames 3-6, the plate 5-8", "Set Scene Range to 5-8", 5, 8, "", ""]


@pytest.mark.parametrize("kind", ["movie", "clip"])
def test_a_movie_as_plate_is_replaced_in_step_and_kept_outside(
    stage: Stage, rendered: dict[str, str], kind: str
) -> None:
    out = Path(rendered["out"])
    plate = {
        "movie": f"""plate = tree.nodes.new("CompositorNodeImage")
plate.image = bpy.data.images.load(file)
plate.frame_duration, plate.frame_start, plate.frame_offset, plate.use_auto_refresh = {COUNT}, {START}, 0, True""",
        "clip": f"""plate = tree.nodes.new("CompositorNodeMovieClip")
plate.clip = bpy.data.movieclips.load(file)
plate.clip.frame_start = {START}""",
    }[kind]
    stage.run(f"""{SCENE}
file = str(work_folder / "plate.mkv")
{plate}
tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
work(swap)
render(scene, {START + 2}, "{out}/{kind}.png")
tree.links.new(plate.outputs["Image"], end.inputs[0])
render(scene, {START + 2}, "{out}/{kind}-plain.png")
answer(True)
""")
    shown, plain = read(out / f"{kind}.png"), read(out / f"{kind}-plain.png")
    inside = stage.matte(FIRST + 2) > 0
    grown = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0
    np.testing.assert_array_equal(shown[~grown], plain[~grown])
    assert np.abs(plain - read(out / f"plate.{START + 2}.png")).mean() < 3
    assert np.abs(shown - stage.composite(FIRST + 2))[inside].mean() < 3


def test_the_four_nodes_work_as_a_graph(stage: Stage, rendered: dict[str, str]) -> None:
    out = Path(rendered["out"])
    told = stage.run(f"""{SCENE}
detect, align, mask = (tree.nodes.new(f"Faceplate{{name}}Node") for name in ("Detect", "Align", "Mask"))
for node in (detect, align, mask):
    tree.links.new(plate.outputs["Image"], node.inputs["Image"])
for one, other in ((detect, align), (align, mask), (mask, swap)):
    tree.links.new(one.outputs["Faces"], other.inputs["Faces"])
detect.settings.every, mask.settings.grow = 5, 0.05
asked = swap.parameters("Detect", "Align", "Mask", "Swap")
messages = []
for node, name in ((detect, "Image"), (align, "Crop"), (mask, "Matte")):
    work(node)
    messages.append(node.message)
    tree.links.new(node.outputs[name], end.inputs[0])
    render(scene, {START + 1}, f"{out}/{{node.defined}}.png")
tree.links.new(align.outputs["Image"], end.inputs[0])
render(scene, {START + 1}, "{out}/Landmarks.png")
answer([asked["detect"]["every"], asked["mask"]["grow"], messages])
""")
    assert told[0] == 5 and told[1] == 0.05, told
    assert told[2][0] == f"Frames {START}-{START + COUNT - 1}: 1 person" and "a face in 4" in told[2][2], told
    boxes, plain = read(out / "Detect.png"), read(out / f"plate.{START + 1}.png")
    assert 0.002 < (boxes != plain).any(2).mean() < 0.05
    matte, linear = read(out / "Mask.png")[..., 0], stage.matte(FIRST + 1)
    assert (matte > 128).sum() > (linear > 0.3).sum()  # grown
    assert read(out / "Align.png").std() > 20
    drawn = (read(out / "Landmarks.png") != plain).any(2)
    seen = linear > 0.5  # 468 dots, the most of them within the face, and the outline of the crop around it
    assert drawn[seen].mean() > 0.03 and 0.005 < drawn.mean() < 0.1
    y, x = np.nonzero(drawn)
    assert x.min() < np.nonzero(seen)[1].min() and x.max() > np.nonzero(seen)[1].max() and y.max() > 200


def test_train_gives_the_node_a_model_that_it_renders_with(stage: Stage) -> None:
    told = stage.run(f"""{SCENE}
swap.training_minutes = 0.1
work(swap, "TRAIN")
trained = [swap.message, swap.settings.method, swap.settings.model]
scene.frame_end = {START}
work(swap)
answer([trained, swap.message, [job["kind"] for job in reversed(part("link").session.state.jobs)]])
""")
    (message, method, model), rendered, kinds = told
    assert message.startswith("Trained ") and method == "model"
    assert model.startswith("//") and (stage.work / model[2:]).is_file()
    assert rendered == f"Frame {START}: a face in 1"
    assert kinds == ["faceset", "faceset", "train", "swap"]


def test_what_is_wrong_is_said_on_the_node(stage: Stage) -> None:
    said = stage.run(f"""{SCENE}
def press(node):
    try:
        begin(node)
    except RuntimeError:
        pass
    else:
        pump(lambda: node.state != "BUSY")
    return [node.state, node.message, node.remedy]
found = []
swap.source = str(work_folder / "nobody.mkv")
found.append(press(swap))
tree.links.remove(swap.inputs["Image"].links[0])
found.append(press(swap))
found.append(press(swap))
answer(found)
""")
    assert [each[0] for each in said] == ["ERROR"] * 3 and all(each[1] for each in said), said
    assert "nobody.mkv" in said[0][1] and "Image" in said[1][1]


def test_panels_and_nodes_show_what_is_there(stage: Stage, rendered: dict[str, str]) -> None:
    shown = stage.run(f"""
enable()
bpy.ops.wm.open_mainfile(filepath={rendered["blend"]!r})
layout, found, base = Layout(), {{}}, part("tree.node").FaceNode
tree = tree_of(bpy.context.scene)
node = next(n for n in tree.nodes if n.bl_idname == "FaceplateSwapNode")
base.draw_buttons_ext(node, bpy.context, layout)
found["done"] = layout.taken()
inside = node.node_tree.nodes["Result"].image
inside.filepath = "//nowhere/patch.0007.exr"
base.draw_buttons(node, bpy.context, layout)
found["missing"] = layout.taken()
for name in ("Detect", "Align", "Mask"):
    base.draw_buttons_ext(tree.nodes.new(f"Faceplate{{name}}Node"), bpy.context, layout)
part("panels").draw_engine(layout)
found["engine"] = layout.taken()
answer(found)
""")
    assert {"Preview", "Render Range", "Train", "source", "light", "model", "folder"} <= set(shown["done"])
    assert any("a face in 4" in text for text in shown["done"])
    assert "patch.0007.exr is missing" in shown["missing"]
    assert "Looking for the engine" in shown["engine"] and "size_auto" in shown["engine"]


def test_what_is_run_again_is_shown_anew_and_a_copy_of_a_node_has_results_of_its_own(
    stage: Stage, rendered: dict[str, str]
) -> None:
    out = Path(rendered["out"])
    told = stage.run(f"""{SCENE}
work(swap)
render(scene, {START + 1}, "{out}/first.png")
swap.settings.light = 1.0
swap.settings.method = "reference"
work(swap, "PREVIEW")
scene.frame_set({START + 1})
work(swap, "PREVIEW")
render(scene, {START + 1}, "{out}/second.png")
for node in tree.nodes:
    node.select = node == swap
copy = tree.nodes.new("FaceplateSwapNode")
copy.copy(swap)
answer([copy.uid != swap.uid, copy.node_tree != swap.node_tree, str(copy.place()) != str(swap.place())])
""")
    assert told == [True, True, True]
    first, second = read(out / "first.png"), read(out / "second.png")
    np.testing.assert_array_equal(first, read(out / f"swap.{START + 1}.png"))
    assert np.abs(first - second)[stage.matte(FIRST + 1) > 0.5].mean() > 0.5
