"""A user's way through a real Blender in a window, by clicks and keys; what is seen is photographed, some of it for docs/blender.md.

The tests follow one another in one Blender. FACEPLATE_PHOTOS names a folder that keeps the photographs; docs/images is one.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from host_bridge.client import running
from tests import ROOT
from tests.support.blender_desktop import Desktop, Effort, desktop, missing, places
from tests.support.clips import cut

pytestmark = [pytest.mark.window, pytest.mark.skipif(bool(missing()), reason=f"no Blender in a window: {missing()}")]

ENABLED = 'answer("bl_ext.user_default.faceplate" in bpy.context.preferences.addons)'
NODE = """
trees = [*bpy.data.node_groups, *filter(None, (getattr(s, "node_tree", None) for s in bpy.data.scenes))]
node = next((n for t in trees for n in t.nodes if n.bl_idname == "FaceplateSwapNode"), None)
"""
STATE = (
    NODE
    + "answer([node.state, node.message, bool(node.run and node.run.ticket and node.run.ticket.id)] if node else None)"
)
STRIPS = """
scene = getattr(bpy.context.window_manager.windows[0].workspace, "sequencer_scene", None) or bpy.context.scene
strips = scene.sequence_editor.strips if scene.sequence_editor else []
"""
SEEN = STRIPS + "answer([[s.name, s.channel, len(s.modifiers)] for s in strips])"
NODES, CONSENT, STRIPS_AND_SIDEBAR = (440, 50, 720, 780), (660, 470, 940, 490), (40, 490, 1560, 460)  # of the screen
DIRTY = "answer(bpy.data.is_dirty)"


@pytest.fixture(scope="module")
def user(extension: Path) -> Iterator[Desktop]:
    """A user whose home has the extension's zip and the two clips of the demo."""
    folder = Path(tempfile.mkdtemp(prefix="fp-"))  # short, since fields show it
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
    if "FACEPLATE_PHOTOS" in os.environ:
        shutil.rmtree(folder, ignore_errors=True)


def looks_as_kept(user: Desktop, name: str, box: tuple[int, int, int, int], *texts: str) -> None:
    """Photograph a part of the screen, and compare where texts lie with the picture of the docs, if there is one."""
    picture, kept = cv2.imread(str(user.photo(name, box))), ROOT / "docs" / "images" / f"{name}.png"
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
    user.click("Compositing")
    user.click("Add", user.region("NODE_EDITOR", "HEADER"))
    user.click("Faceplate")
    user.click("Face Swap from Clips")
    user.click("plate.mp4", times=2)
    user.find("Choose Source")
    user.click("source.mp4", times=2)
    ended(user, "DONE", "Preview of frame 1, from a sample")
    told(capsys, "From the extension to the first picture", user.effort)
    effort = user.effort
    assert effort.clicks <= 6 and effort.fields == effort.keys == effort.commands == 0, effort
    assert user.ask("s = bpy.context.scene\nanswer([s.render.fps, s.frame_end, s.render.resolution_x])") == [
        25,
        72,
        512,
    ]
    assert user.ask(DIRTY)
    ended(user, "DONE", "Preview of frame 1")  # the better one


def ended(user: Desktop, state: str, message: str, seconds: float = 120) -> None:
    """Wait for the node's job, and for what it says then."""
    user.until(lambda: (user.ask(STATE) or [])[:2] == [state, message], seconds, f"the node does not say {message}")


def press(user: Desktop, button: str) -> None:
    """Press a button of the node, and see that something happens."""
    before = user.ask(STATE)
    user.click(button, zoom=user.zoom())
    user.until(lambda: user.ask(STATE) != before)


def test_a_range_is_rendered_while_the_window_lives_and_can_be_cancelled(user: Desktop) -> None:
    zoom = user.zoom()
    x, y = user.find("Render Range", zoom=zoom)
    x, y = x + int(58 * zoom), y + int(26.5 * zoom)  # the cross, in the row below
    row = slice(y - 4, y + 4), slice(x - 100, x)
    before = user.look()[row]
    press(user, "Render Range")
    user.until(lambda: (user.look()[row] != before).any())
    user.photo("busy")
    user.press(x, y)
    ended(user, "IDLE", "Cancelled")
    user.ask("bpy.context.scene.frame_end = 4")
    press(user, "Render Range")
    ended(user, "DONE", "Frames 1-4: a face in 4")
    user.ask("bpy.context.scene.frame_set(3)")
    press(user, "Preview")
    ended(user, "DONE", "Preview of frame 3")
    looks_as_kept(user, "blender-first", NODES, "Viewer Node", "Compositor Nodes")


def test_undo_and_redo_leave_results_as_they_are(user: Desktop) -> None:
    exposure = (
        NODE
        + 'answer([round(node.inputs["Exposure"].default_value, 3), node.state, node.node_tree.nodes["Result"].image.filepath])'
    )
    before = user.ask(exposure)
    x, y = user.find("Exposure", zoom=user.zoom())
    user.fill(x + 40, y, "1")
    assert user.ask(exposure) == [1.0, *before[1:]]
    user.move(300, 700)
    user.keys("ctrl+z")
    assert user.ask(exposure) == before
    user.keys("ctrl+shift+z")
    assert user.ask(exposure) == [1.0, *before[1:]]


def test_a_saved_file_shows_its_results_when_it_is_opened_again(user: Desktop) -> None:
    user.move(300, 700)
    user.keys("ctrl+s")
    user.click("Save Blender File")
    user.until(lambda: user.ask("answer(bpy.data.filepath)"))
    assert not user.ask(DIRTY)
    user.ask("bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)")
    assert user.ask(NODE + "answer(list(node.standing(bpy.context.scene))[:2])") == ["DONE", "Preview of frame 3"]
    user.photo("opened")


def test_a_job_goes_on_when_the_engine_was_killed(user: Desktop) -> None:
    user.click("Facepla", turned=True)  # the asset shelf hides the rest of the tab
    user.ask("bpy.context.scene.frame_end = 12")
    press(user, "Render Range")
    engine = running(user.folder / "state")
    assert engine is not None
    user.until(lambda: user.ask(STATE)[2])  # the engine has it
    os.kill(engine.address.pid, signal.SIGKILL)
    user.find("Start Engine", user.region("NODE_EDITOR", "UI"))
    user.photo("killed")
    user.click("Start Engine", user.region("NODE_EDITOR", "UI"))
    ended(user, "DONE", "Frames 1-12: a face in 12")
    user.photo("finished")


def test_consent_is_recorded_by_a_dialog(user: Desktop) -> None:
    cut(user.folder / "home/plate.mp4", user.folder / "home/actor.mp4", 0, 4)  # nobody knows who this is
    user.ask('bpy.data.movieclips[0].filepath = "//actor.mp4"\nbpy.context.scene.frame_end = 4')
    sidebar = user.region("NODE_EDITOR", "UI")
    user.click("Record Consent", sidebar)
    x, y = user.find("This Is Me")
    user.fill(x + 40, y - 26, "Ben")
    user.press(x, y)
    looks_as_kept(user, "blender-consent", CONSENT, "This Is Me", "Document", "Project")
    x, y = user.find("Cancel")
    user.press(x + 210, y)  # its neighbour, Record, has a letter underlined
    user.until(lambda: not user.places("Record Consent", sidebar))
    press(user, "Preview")
    ended(user, "DONE", "Preview of frame 3")
    assert list((user.folder / "home").rglob("performers/*"))


def test_two_windows_show_the_same(user: Desktop) -> None:
    user.ask("bpy.ops.wm.window_new()")
    user.until(lambda: user.ask("answer(len(bpy.context.window_manager.windows))") == 2)
    user.ask(NODE + 'bpy.ops.faceplate.run(uid=node.uid, action="PREVIEW")')
    user.until(lambda: user.ask(STATE)[0] == "DONE", 60)
    user.photo("two-windows")
    user.keys("alt+F4")
    user.until(lambda: user.ask("answer(len(bpy.context.window_manager.windows))") == 1)


@pytest.fixture(scope="module")
def edit(user: Desktop) -> Desktop:
    """The user, with a strip of the plate in the sequencer, four frames long, and the tab Faceplate open."""
    home = user.folder / "home"
    user.ask(f'bpy.ops.wm.save_as_mainfile(filepath="{home}/shot.blend")')
    user.click("File")
    user.click("New")
    user.click("Video Editing")
    user.find("Sequencer")
    user.ask(
        STRIPS
        + f'''
bpy.ops.wm.save_as_mainfile(filepath="{home}/edit.blend")
strip = scene.sequence_editor_create().strips.new_movie("plate", "//plate.mp4", 1, 1)
strip.frame_final_end, scene.sequence_editor.active_strip, scene.frame_end = 5, strip, 4
scene.render.fps, scene.render.resolution_x, scene.render.resolution_y = 25, 512, 512
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "SEQUENCE_EDITOR": area.spaces.active.show_region_ui = True
bpy.ops.ed.undo_push(message="Add Strip")
'''
    )
    user.find("Faceplate", turned=True)
    user.press(*user.places("Faceplate", turned=True)[-1])
    return user


def test_a_face_is_replaced_in_the_sequencer(edit: Desktop) -> None:
    sidebar = edit.region("SEQUENCE_EDITOR", "UI")
    edit.find("No source is chosen", sidebar)  # before anything is pressed
    edit.photo("no-source")
    x, y = edit.find("Source", sidebar)
    edit.fill(sidebar[0] + sidebar[2] - 130, y, "//source.mp4")
    edit.click("Replace Face", sidebar)
    edit.until(lambda: edit.ask(SEEN) == [["plate", 1, 0], ["plate face", 2, 0]], 120)
    time.sleep(1)  # panels slide into place
    looks_as_kept(edit, "blender-sequencer", STRIPS_AND_SIDEBAR, "Replace Face", "Face Swap", "Shuffle")
    assert edit.ask(STRIPS + 'answer(strips["plate face"].directory)').startswith("//faceplate/")
    x, y, width, height = edit.region("SEQUENCE_EDITOR")
    edit.move(x + width // 2, y + height // 2)
    edit.keys("ctrl+z")
    assert edit.ask(SEEN) == [["plate", 1, 0]]
    edit.keys("ctrl+shift+z")
    assert len(edit.ask(SEEN)) == 2


def test_a_modifier_shows_its_controls_in_the_strips_own_panel(edit: Desktop) -> None:
    edit.ask(STRIPS + "scene.faceplate_strips.as_modifier = True")
    edit.click("Replace Face", edit.region("SEQUENCE_EDITOR", "UI"))
    edit.until(lambda: edit.ask(SEEN) == [["plate", 1, 1]], 120)
    edit.ask("""for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "PROPERTIES": area.spaces.active.context = "STRIP_MODIFIER"
""")
    for text in ("Opacity", "Match", "Exposure", "Saturation", "Gain", "Edge", "Feather"):
        edit.find(text, edit.region("PROPERTIES"))
    edit.photo("modifier")


def test_a_cut_goes_out_and_comes_in_by_the_file_browser(edit: Desktop) -> None:
    menu = edit.region("SEQUENCE_EDITOR", "HEADER")
    edit.click("Faceplate", menu)
    edit.click("Export OTIO...")
    edit.click("Export OTIO", at=-1)
    edit.until(lambda: (edit.folder / "home/edit.otio").exists(), 60)
    edit.click("Faceplate", menu)
    edit.click("Import OTIO...")
    edit.click("edit.otio", times=2)
    edit.until(lambda: edit.ask("answer(len(bpy.data.scenes))") == 2, 60)
    edit.photo("imported")
    assert edit.ask(SEEN)[0][:2] == ["plate", 1] and edit.ask(DIRTY)
    x, y, width, height = edit.region("SEQUENCE_EDITOR")
    edit.move(x + width // 2, y + height // 2)
    edit.keys("ctrl+z")
    assert edit.ask("answer(len(bpy.data.scenes))") == 1 and edit.ask(SEEN)[0][:2] == ["plate", 1]


def test_nothing_is_cut_at_twice_the_scale(edit: Desktop) -> None:
    edit.scale(2)
    for text in ("Face Swap", "//source.mp4", "Plate may be replaced (synthetic)"):
        edit.find(text, edit.region("SEQUENCE_EDITOR", "UI"))
    edit.photo("scale-2")
    edit.scale(1)
