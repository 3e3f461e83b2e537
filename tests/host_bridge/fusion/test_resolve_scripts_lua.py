"""The menu scripts in Lua, in real LuaJIT, from end to end: in full, and in the sandbox of the free edition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lupa.luajit21 as lupa
import pytest

from host_bridge.client import connect
from host_bridge.fusion.build import SCRIPTS, lua_script
from host_bridge.fusion.faceplate_resolve import Config
from host_bridge.watch.hot_folder import HotFolder
from tests.host_bridge.fusion.test_resolve_scripts_python import config, footage, host, told  # noqa: F401
from tests.host_bridge.watch.test_engine_watch import step_until
from tests.support.live_engine import Live
from tests.support.resolve_host import Host
from tests.support.resolve_lua import Lua

pytestmark = pytest.mark.slow

REPLACE = "Replace face in selected clips"
EDITIONS = ("full", "sandbox")


@pytest.fixture
def watcher(host: Host, config: Config, tmp_path: Path, live: Live) -> Iterator[HotFolder]:  # noqa: F811
    host.prefs_file = tmp_path / "Fusion.prefs"
    made = HotFolder(Path(config.folder), connect, settle=0, prefs=[host.prefs_file])
    made.step()
    yield made
    made.close()


def play(host: Host, edition: str, name: str, config: Config, watcher: HotFolder) -> Lua:  # noqa: F811
    """Run a script of the menu; the watcher works while it waits."""
    lua = Lua(host, edition, lambda seconds: watcher.step())
    lua.run(lua_script(name, config))
    return lua


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_result_lies_above_the_clip_and_is_taken_back(
    host: Host,  # noqa: F811
    config: Config,  # noqa: F811
    watcher: HotFolder,
    edition: str,
) -> None:
    host.end_counts = edition == "full"
    for _ in range(2):
        play(host, edition, REPLACE, config, watcher)
        assert told(host) == "1 of 1 clips have their new face"
    assert [len(track) for track in host.timeline.tracks] == [2, 1]
    plate, patch = host.timeline.tracks[0][0], host.timeline.tracks[1][0]
    assert (patch.begin, patch.count, patch.source) == (plate.begin, plate.count, plate.source)
    assert patch.media.start == plate.source - config.handles and len(host.pool.root.folders[0].clips) == 1
    play(host, edition, f"{REPLACE} - take back", config, watcher)
    assert told(host) == "1 result was taken back" and not host.timeline.tracks[1]


def test_as_a_take(host: Host, config: Config, watcher: HotFolder) -> None:  # noqa: F811
    play(host, "sandbox", f"{REPLACE} - as take", config, watcher)
    plate = host.timeline.tracks[0][0]
    assert told(host) == "1 of 1 clips have their new face" and plate.take == 2
    assert plate.takes[1]["startFrame"] == plate.source
    assert plate.takes[1]["endFrame"] == plate.source + plate.count - 1
    play(host, "sandbox", f"{REPLACE} - take back", config, watcher)
    assert plate.take == 1 and len(plate.takes) == 1


def test_as_a_composition(host: Host, config: Config, watcher: HotFolder) -> None:  # noqa: F811
    play(host, "sandbox", f"{REPLACE} - as Fusion composition", config, watcher)
    plate = host.timeline.tracks[0][0]
    comp = next(iter(plate.comps.values()))
    merge = comp.tools["MediaOut1"].inputs["Input"]
    patch = merge.inputs["Foreground"]
    assert merge.inputs["Background"] is comp.tools["MediaIn1"] and Path(patch.inputs["Clip"]).is_file()
    assert patch.inputs["GlobalIn"] == -config.handles and patch.inputs["PostMultiplyByAlpha"] == 1
    assert patch.inputs["GlobalOut"] == plate.count + config.handles - 1
    assert "PostMultiplyByAlpha" not in patch.set_while_locked and comp.undo and not comp.locked
    play(host, "sandbox", f"{REPLACE} - take back", config, watcher)
    assert not plate.comps


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("no source", "no source is chosen. Select the footage"),
        ("title", "Text: has no footage of its own. Titles, generators"),
        ("speed", "its speed was changed. Use Export timeline"),
        ("nothing", "no clip is chosen. Give clips the colour Purple"),
        ("no timeline", ""),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    host: Host,  # noqa: F811
    config: Config,  # noqa: F811
    watcher: HotFolder,
    edition: str,
    change: str,
    says: str,
) -> None:
    plate, timeline = host.timeline.tracks[0][0], host.timeline
    if change == "no source":
        host.pool.selected = []
    elif change == "title":
        plate.media = None
    elif change == "speed":
        plate.speed = 2.0
    elif change == "nothing":
        plate.colour = ""
    else:
        host.project.current = None  # type: ignore[assignment]
    lua = play(host, edition, REPLACE, config, watcher)
    if says:
        assert says in told(host)
    else:
        assert lua.printed == ["Faceplate: no timeline is open. Open one on the Edit page."]
    assert [len(track) for track in timeline.tracks] == [2]


def test_a_job_that_fails_says_why(host: Host, config: Config, watcher: HotFolder, live: Live) -> None:  # noqa: F811
    path = live.work / "noise.mp4"
    path.write_bytes(b"no movie")
    host.pool.selected[0].path = str(path)
    play(host, "sandbox", REPLACE, config, watcher)
    assert "0 of 1 clips have their new face. plate.mp4" in told(host) and len(host.timeline.tracks) == 1


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_training_begins_when_both_facesets_are_there(
    host: Host,  # noqa: F811
    config: Config,  # noqa: F811
    live: Live,
    watcher: HotFolder,
    edition: str,
) -> None:
    play(host, edition, "Train on selected clips", config, watcher)
    step_until(watcher, lambda: live.client.list(limit=1)["jobs"][0]["kind"] == "train" and not watcher.waiting)
    job = live.client.list(limit=1)["jobs"][0]
    live.client.cancel(job["id"])
    assert "the training has begun, for 1 minutes" in told(host)
    assert [Path(folder).name for folder in job["request"]["facesets"]] == ["source", "target"]
    assert Path(job["request"]["out"]).parent.name == "anna-on-plate"
    step_until(watcher, lambda: not watcher.busy)


def test_the_timeline_goes_out_and_its_result_comes_in(
    host: Host,  # noqa: F811
    config: Config,  # noqa: F811
    watcher: HotFolder,
) -> None:
    host.timeline.name = "Cut 1"
    del host.timeline.tracks[0][1]
    play(host, "sandbox", "Import result timeline", config, watcher)
    assert told(host).startswith("there is no result of Cut 1 yet")
    play(host, "sandbox", "Export timeline to Faceplate", config, watcher)
    assert "the timeline was given to Faceplate" in told(host)
    result = Path(config.folder, "edits", "Cut-1.faceplate.otio")
    step_until(watcher, lambda: result.is_file() and not watcher.busy, 90)
    play(host, "sandbox", "Import result timeline", config, watcher)
    assert host.timeline.name == "Cut 1 Faceplate"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_monitor_is_opened_by_the_watcher(
    host: Host,  # noqa: F811
    config: Config,  # noqa: F811
    watcher: HotFolder,
    edition: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    play(host, edition, "Faceplate monitor", config, watcher)
    for _ in range(3):
        watcher.step()
    assert opened == [connect().page]


def test_the_watcher_is_started_where_lua_may_start_programs(host: Host, config: Config) -> None:  # noqa: F811
    (Path(config.folder) / ".faceplate-watching.lua").unlink(missing_ok=True)
    lua = Lua(host, "full")
    lua.run(lua_script(REPLACE, config))
    assert lua.executed == [
        f"nohup '{config.python}' -P -m host_bridge.cli engine watch '{config.folder}' > /dev/null 2>&1 &"
    ]
    assert "nothing looks after" in told(host) and "faceplate engine watch" in told(host)


def test_a_clip_with_a_name_of_any_kind(host: Host, config: Config, watcher: HotFolder, live: Live) -> None:  # noqa: F811
    odd = live.work / 'a "b" \\ é\n%d.mp4'
    odd.write_bytes(Path(host.timeline.tracks[0][0].media.path).read_bytes())
    plate = host.timeline.tracks[0][0]
    plate.media.path = str(odd)
    plate.count = 2
    play(host, "full", REPLACE, config, watcher)
    assert told(host) == "1 of 1 clips have their new face" and host.timeline.tracks[1][0].count == 2
    jobs = [job for job in live.client.list()["jobs"] if job["kind"] == "swap"]
    assert jobs[0]["request"]["plate"] == str(odd)


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_is_lua_that_sets_no_global(name: str, config: Config) -> None:  # noqa: F811
    lua = lupa.LuaRuntime(encoding="utf-8")
    chunk = lua.eval("function(text) return assert(loadstring(text)) end")(lua_script(name, config))
    assert chunk is not None
    before = set(lua.globals())
    lua.eval("function(text) pcall(loadstring(text)) end")(lua_script(name, config))
    assert set(lua.globals()) == before
