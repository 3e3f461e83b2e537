"""The engine as Blender sees it: stopped, killed in the middle of a job, of another version, with a wrong token; and the work goes on."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_bridge.client import connect, running
from tests.support.blender import Blender
from tests.support.clips import pictures, write_pngs
from tests.support.live_engine import Live, live_engine

FRAMES = 240
SCENE = f"""
import os, signal
enable()
link = part("link").session
scene = empty_scene(400, 300, 1, {FRAMES})
tree, end = compositor(scene)
plate = sequence(tree, str(work_folder / "plate" / "plate.0001.png"), {FRAMES}, 1)
detect = tree.nodes.new("FaceplateDetectNode")
tree.links.new(plate.outputs["Image"], detect.inputs["Image"])
detect.folder = str(work_folder / out)
detect.settings.every = 1
detect.settings.min_score = score  # of each test another, so that nothing is known already
def seen():
    now = link.state
    return [now.engine, now.message, now.remedy]
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Live]:
    with live_engine(tmp_path_factory.mktemp("engine"), FACEPLATE_PYTHON=sys.executable) as live:
        write_pngs(live.work / "plate", pictures(samples / "cap13_edit2.mp4", 0, FRAMES), 1)
        yield live
        connect(live.state)  # for the end, whatever a test has left


def run(where: Blender, live: Live, name: str, code: str):
    score = 0.3 + zlib.crc32(f"{name}{where.version}".encode()) % 1000 / 5000  # lower: many faces
    told = f"work_folder, out, score = Path({str(live.work)!r}), '{name}-{where.version}', {score}\n"
    return where.run(told + SCENE + code, seconds=100)


def test_a_stopped_engine_is_said_and_started_by_the_button(faceplate_in: Blender, live: Live) -> None:
    if client := running(live.state):
        client.stop()
    before, after = run(
        faceplate_in,
        live,
        "stopped",
        """
link.refresh()
pump(lambda: link.state.engine != "unknown")
before = seen()
bpy.ops.faceplate.start_engine()
pump(lambda: link.state.engine == "running")
pump(lambda: not link.busy())
answer([before, seen()])
""",
    )
    assert before == ["stopped", "the engine is not running", "Press Start Engine"] and after == ["running", "", ""]
    assert running(live.state) is not None


def test_a_job_goes_on_after_the_engine_was_killed_and_started_again(faceplate_in: Blender, live: Live) -> None:
    told = run(
        faceplate_in,
        live,
        "killed",
        """
begin(detect)
pump(lambda: detect.run and detect.run.share > 0)
client = link.look()
os.kill(client.address.pid, signal.SIGKILL)
pump(lambda: "gone" in detect.run.text)
during = [*detect.standing()[:2], *seen()]
bpy.ops.faceplate.start_engine()
pump(lambda: detect.state != "BUSY")
pump(lambda: not link.busy())
answer([during, detect.state, detect.message, link.pump()])
""",
    )
    assert told[0][:2] == ["BUSY", "The engine is gone: press Start Engine"], told
    assert told[1] == "DONE" and told[2].startswith(f"Frames 1-{FRAMES}: 1 person"), told
    assert told[3] is None  # no timer any more


def test_cancel_ends_the_job_and_says_so(faceplate_in: Blender, live: Live) -> None:
    state, message, job, during = run(
        faceplate_in,
        live,
        "cancelled",
        """
begin(detect)
pump(lambda: detect.run and detect.run.share > 0)
during = threads()
bpy.ops.faceplate.cancel(uid=detect.uid)
pump(lambda: detect.state != "BUSY")
answer([detect.state, detect.message, link.state.jobs[0]["state"], during])
""",
    )
    assert (state, message, job) == ("IDLE", "Cancelled", "cancelled")
    assert during == []  # a thread may end Blender when something is undone


def test_disabling_in_the_middle_of_a_job_leaves_no_thread_and_no_timer(faceplate_in: Blender, live: Live) -> None:
    left = run(
        faceplate_in,
        live,
        "disabled",
        """
begin(detect)
pump(lambda: detect.run.ticket.id)
timer = part("link").pump
disable()
answer([threads(), bpy.app.timers.is_registered(timer)])
""",
    )
    assert left == [[], False]


@pytest.mark.parametrize("what", ["undone", "closed"])
def test_a_node_that_is_undone_or_closed_while_the_engine_works_leaves_nothing_behind(
    faceplate_in: Blender,
    live: Live,
    what: str,
) -> None:
    told = run(
        faceplate_in,
        live,
        what,
        f"""
def handlers():
    return {{name: len(each) for name in dir(bpy.app.handlers) if isinstance(each := getattr(bpy.app.handlers, name), list)}}
before = handlers()
scene.frame_end = 6
if {what == "closed"}:
    begin(detect)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
else:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo_push(message="all")
        late = tree.nodes.new("FaceplateDetectNode")
        tree.links.new(plate.outputs["Image"], late.inputs["Image"])
        late.folder, late.settings.min_score = detect.folder, score
        bpy.ops.ed.undo_push(message="a node")
        begin(late)
        bpy.ops.ed.undo()  # its start
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
there = [n.bl_idname for n in part("tree").all_nodes()]
pump(lambda: not link.tickets() and not link.busy())
answer([there, [job["state"] for job in link.state.jobs], link.pump(), handlers() == before])
""",
    )
    assert told == [["FaceplateDetectNode"] if what == "undone" else [], ["finished"], None, True]


@pytest.mark.parametrize(("field", "value", "standing"), [("token", "x" * 43, "refused"), ("version", "", "")])
def test_a_wrong_token_or_version_is_said_on_the_panel_and_on_the_node(
    faceplate_in: Blender,
    live: Live,
    field: str,
    value: str,
    standing: str,
) -> None:
    connect(live.state)
    document = live.state / "engine.json"
    right = document.read_text("utf-8")
    change = ""
    if field == "token":
        document.write_text(json.dumps({**json.loads(right), "token": value}), "utf-8")
    else:
        change, standing = 'part("link").session.version = "9.9.9"\n', "other version"
    try:
        panel, node = run(
            faceplate_in,
            live,
            field,
            f"""{change}
link.refresh()
pump(lambda: link.state.engine != "unknown")
begin(detect)
pump(lambda: detect.state != "BUSY")
answer([seen(), detect.standing()[:3]])
""",
        )
    finally:
        document.write_text(right, "utf-8")
    assert panel[0] == standing and panel[1] and panel[2]
    assert node == ["ERROR", panel[1], panel[2]]
    assert ("9.9.9" if field == "version" else "token") in panel[1]


def test_without_an_engine_and_without_its_python_the_node_says_what_to_name(
    faceplate_in: Blender,
    live: Live,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if client := running(live.state):
        client.stop()
    monkeypatch.delenv("FACEPLATE_PYTHON")
    node = run(
        faceplate_in,
        live,
        "nowhere",
        """
built = Path(part("link").__file__).with_name("python.txt")
known = built.read_text("utf-8")
built.write_text("/gone/python", "utf-8")
begin(detect)
pump(lambda: detect.state != "BUSY")
built.write_text(known, "utf-8")
answer([*detect.standing()[:3], link.state.action["name"]])
""",
    )
    assert node[0] == "ERROR" and "not known" in node[1] and "Choose the folder" in node[2]
    assert node[3] == "open_preferences"


def test_undoing_at_every_moment_while_jobs_are_followed_does_not_end_blender(
    faceplate_in: Blender,
    live: Live,
) -> None:
    ended = run(
        faceplate_in,
        live,
        "storm",
        """
ended, undone = [], 0
while undone < 100 or len(ended) < 30:
    while len(link.tickets()) < 8:
        link.submit("performers", {"near": str(work_folder / str(len(ended)))}, on_end=lambda job: ended.append(job["state"]))
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo_push(message="before")
        bpy.data.node_groups.new("Faceplate", "CompositorNodeTree").nodes.new("FaceplateDetectNode")
        bpy.ops.ed.undo_push(message="a node")
        bpy.ops.ed.undo()
    undone += 1
    link.pump()
answer(ended)
""",
    )
    assert set(ended) == {"finished"}
