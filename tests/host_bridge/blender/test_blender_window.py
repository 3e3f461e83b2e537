"""A user's way through a real Blender in a window, by clicks and keys; what is seen is photographed, some of it for docs/blender.md.

The tests follow one another in one Blender. FACEPLATE_PHOTOS names a folder that keeps the photographs; docs/images is one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from host_bridge.client import running
from tests import ROOT
from tests.support.blender_desktop import Desktop, Effort, desktop, missing, places

pytestmark = [pytest.mark.window, pytest.mark.skipif(bool(missing()), reason=f"no Blender in a window: {missing()}")]

ENABLED = 'answer("bl_ext.user_default.faceplate" in bpy.context.preferences.addons)'
NODE = """
trees = [*bpy.data.node_groups, *filter(None, (getattr(s, "node_tree", None) for s in bpy.data.scenes))]
node = next((n for t in trees for n in t.nodes if n.bl_idname == "FaceplateSwapNode"), None)
"""
STATE = NODE + "answer([node.state, node.message] if node else None)"
STRIPS = """
scene = getattr(bpy.context.window_manager.windows[0].workspace, "sequencer_scene", None) or bpy.context.scene
strips = scene.sequence_editor.strips
"""
SEEN = STRIPS + "answer([[s.name, s.channel, len(s.modifiers)] for s in strips])"
DIRTY = "answer(bpy.data.is_dirty)"


@pytest.fixture(scope="module")
def user(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A user whose home has the extension's zip and the two clips of the demo."""
    folder = tmp_path_factory.mktemp("window")
    home, state = folder / "home", folder / "state"
    home.mkdir()
    for file in (extension, *(ROOT / "install/people" / f"{name}.mp4" for name in ("plate", "source"))):
        shutil.copy(file, home)
    photos = Path(os.environ.get("FACEPLATE_PHOTOS", folder / "photos"))
    own = {"FACEPLATE_STATE": str(state), "FACEPLATE_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    with desktop(folder, photos, **own) as made:
        yield made
        if client := running(state):
            client.stop()


def looks_as_kept(user: Desktop, name: str, *texts: str) -> None:
    """Photograph the screen, and compare where texts lie with the picture of the docs, if there is one."""
    picture, kept = cv2.imread(str(user.photo(name))), ROOT / "docs" / "images" / f"{name}.png"
    before = cv2.imread(str(kept)) if kept.exists() else picture
    assert picture is not None and before is not None
    for text in texts:
        glyphs = user.drawn(text)
        now, then = places(picture, glyphs), places(before, glyphs)
        assert now and then, (name, text, now, then)
        assert min(abs(x - a) + abs(y - b) for x, y in now for a, b in then) < 60, (name, text, now, then)


def told(capsys: pytest.CaptureFixture[str], what: str, effort: Effort) -> None:
    with capsys.disabled():
        print(f"\n{what}: {effort}")


def test_the_extension_installs_from_disk(user: Desktop, capsys: pytest.CaptureFixture[str]) -> None:
    user.press(300, 850)  # the splash screen goes
    user.click("Edit")
    user.click("Preferences...")
    user.click("Get Extensions")
    x, y = user.find("Repositories")
    user.press(x + 105, y)
    user.click("Install from Disk...")
    user.click("faceplate-0.1.0.zip", times=2)
    user.until(lambda: user.ask(ENABLED), 60)
    told(capsys, "From an empty Blender to the extension", user.effort)
    user.click("Add-ons")
    user.photo("installed")
    user.keys("alt+F4")
    user.until(lambda: user.ask("answer(len(bpy.context.window_manager.windows))") == 1)


def test_the_first_picture_takes_six_clicks_and_no_terminal(user: Desktop, capsys: pytest.CaptureFixture[str]) -> None:
    user.effort = Effort()
    user.search("VIEW_3D", "Face Swap from Clips")
    user.click("plate.mp4", times=2)
    user.until(lambda: not user.places("plate.mp4") or user.places("Choose Source"))
    user.click("source.mp4", times=2)
    user.until(lambda: (user.ask(STATE) or [""])[0] == "DONE", 120)
    told(capsys, "From the extension to the first picture", user.effort)
    effort = user.effort
    assert effort.clicks <= 6 and effort.fields == effort.commands == 0, effort
    looks_as_kept(user, "blender-first", "Preview", "Render Range", "Source")
    assert user.ask("s = bpy.context.scene\nanswer([s.render.fps, s.frame_end, s.render.resolution_x])") == [
        25,
        72,
        512,
    ]
    assert user.ask(DIRTY)
