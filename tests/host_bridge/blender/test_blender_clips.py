"""Face Swap from Clips in a real Blender: from two files to a picture, first of samples, then of the whole source."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.support.blender import Blender
from tests.support.live_engine import Live, live_engine


@pytest.fixture
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_engine(tmp_path_factory.mktemp("engine"), FACEPLATE_PYTHON=sys.executable) as live:
        yield live


def test_two_files_become_a_scene_that_shows_the_swap(faceplate_in: Blender, live: Live) -> None:
    folder = live.work / faceplate_in.version
    folder.mkdir()
    for name in ("plate.mp4", "source.mp4"):
        shutil.copy(ROOT / "install" / "people" / name, folder)
    told = faceplate_in.run(
        f"""
folder = {str(folder)!r}
enable()
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
scene = bpy.context.scene
scene.frame_current = 300
done = bpy.ops.faceplate.swap_from_clips(plate=folder + "/plate.mp4", source=folder + "/source.mp4")
node = next(n for n in tree_of(scene).nodes if n.bl_idname == "FaceplateSwapNode")
view = scene.view_settings.view_transform
told = [scene.frame_start, scene.frame_end, scene.frame_current, scene.render.fps, scene.render.fps_base, scene.render.resolution_x, view]
into = sorted(link.to_node.bl_idname for link in node.outputs["Image"].links)
began = node.message
pump(lambda: "Preview of" in node.message, 120)
first, clips = node.message, len(bpy.data.movieclips)
pump(lambda: node.message.startswith("Preview of") and "sample" not in node.message, 120)
shown = [Path(bpy.path.abspath(n.image.filepath_raw)).is_file() for n in node.node_tree.nodes if n.bl_idname == "CompositorNodeImage"]
unsaved = node.folder
bpy.ops.wm.save_as_mainfile(filepath=folder + "/copy.blend", copy=True)
assert [node.source, node.folder] == [folder + "/source.mp4", unsaved]
bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
saved = [bpy.data.movieclips[0].filepath, node.source, node.folder]
answer({{"done": list(done), "scene": told, "into": into, "first": first, "shown": shown, "clips": clips, "folder": unsaved, "saved": saved}})
""",
        seconds=240,
        FACEPLATE_PYTHON=sys.executable,
    )
    assert told["done"] == ["FINISHED"] and told["scene"] == [1, 72, 72, 25, 1.0, 512, "Standard"]
    assert told["into"][0].endswith(("Composite", "Viewer")) and len(told["into"]) == 2
    assert "from a sample" in told["first"] and told["shown"] == [True] and told["clips"] == 1
    assert Path(told["folder"]) == folder / "faceplate"
    assert told["saved"] == ["//plate.mp4", "//source.mp4", "//faceplate"]  # since now the folder can be moved


def test_what_is_no_clip_is_refused_and_changes_nothing(faceplate_in: Blender, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no clip")
    said = faceplate_in.run(f"""
enable()
said = []
for plate in ("", {str(tmp_path / "gone.mp4")!r}, {str(tmp_path / "notes.txt")!r}):
    try:
        bpy.ops.faceplate.swap_from_clips(plate=plate, source=plate)
    except RuntimeError as e:
        said.append(str(e))
answer([said, bpy.context.scene.frame_end, [c.name for c in bpy.data.movieclips]])
""")
    assert len(said[0]) == 3 and all("Choose a movie" in text for text in said[0]) and said[1:] == [250, []]
