"""Faceplate > Self-check, in real LuaJIT in both environments: it tells what there is, changes nothing, and its report gets out."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_bridge.client import connect
from host_bridge.fusion.build import lua_script
from host_bridge.fusion.faceplate_resolve import Config
from host_bridge.watch.hot_folder import HotFolder
from tests.support.clips import cut
from tests.support.resolve_host import Host, TimelineItem
from tests.support.resolve_lua import GONE, Lua

NAME = "Self-check"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "hot" / "edits").mkdir(parents=True)
    return Config(f"{tmp_path}/hot", f"{tmp_path}/results", "python", "1.2.3")


@pytest.fixture
def host(samples: Path, tmp_path: Path) -> Host:
    made = Host(prefs_file=tmp_path / "Fusion.prefs")
    media = made.media(cut(samples / "cap13_edit2.mp4", tmp_path / "secret name.mp4", 0, 12))
    made.timeline.playhead = made.clip(media, 100, 2, 5)
    return made


def check(host: Host, config: Config, edition: str) -> str:
    """The report, as it gets to the user."""
    watcher = HotFolder(Path(config.folder), connect, settle=0, prefs=[host.prefs_file] if host.prefs_file else [])
    try:
        watcher.step()
        Lua(host, edition, lambda seconds: watcher.step()).run(lua_script(NAME, config))
    finally:
        watcher.close()
    return Path(config.folder, "Faceplate self-check.txt").read_text("utf-8")


@pytest.mark.parametrize("edition", ["full", "sandbox"])
def test_it_says_what_this_edition_has_and_that_all_works(host: Host, config: Config, edition: str) -> None:
    report = check(host, config, edition)
    assert report.startswith("Faceplate 1.2.3 in DaVinci Resolve 21.1.0.17\n") and "FAILS" not in report
    for name in GONE:
        if name not in ("arg", "ffi"):
            assert (f"nil   {name}\n" in report) == (edition == "sandbox"), name
    assert ("nil   os.execute\n" in report) == (edition == "sandbox")
    told = (
        "frames of a range of 0 to 9: 10",
        "COMPN_GlobalEnd: 9",
        "Fuse.FaceplateSwap",
        "Export OTIO: true",
        "GetMarkers: its note: check",
        "takes what a script sets: check",
        "FPS: 25",
    )
    assert all(text in report for text in told), report
    assert "self-check: 0 of what was tried fails" in host.notes()[0]


@pytest.mark.parametrize("edition", ["full", "sandbox"])
def test_it_leaves_the_project_as_it_was_and_names_no_footage(host: Host, config: Config, edition: str) -> None:
    before = [list(track) for track in host.timeline.tracks]
    report = check(host, config, edition)
    assert [t.name for t in host.project.timelines] == ["Edit 1"] and host.timeline.tracks == before
    assert not before[0][0].comps and not before[0][0].takes
    assert "secret" not in report and "Edit 1" not in report and "My film" not in report
    assert host.resolve.fusion.tree["Global"].get("FaceplatePost", "") == ""
    assert host.resolve.fusion.tree["Global"]["FaceplateCheck"] == ""


def test_what_does_not_work_is_told_and_the_rest_goes_on(
    host: Host, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimelineItem, "AddFusionComp", lambda self: None)
    monkeypatch.setattr(TimelineItem, "GetSourceStartFrame", None)
    host.end_counts = False
    report = check(host, config, "sandbox")
    assert "FAILS GetSourceStartFrame" in report and "ok    AddFusionComp: nil" in report
    assert "frames of a range of 0 to 9: 9" in report and "DeleteTimelines: true" in report
    assert "2 of what was tried fails" in host.notes()[0]


def test_without_a_clip_at_the_playhead_it_says_what_to_do(host: Host, config: Config) -> None:
    host.timeline.playhead = None
    report = check(host, config, "full")
    assert "put the playhead on a clip with footage" in report and "FAILS" not in report


def test_without_a_watcher_the_sandbox_says_how_the_report_gets_out(host: Host, config: Config) -> None:
    lua = Lua(host, "sandbox")
    lua.run(lua_script(NAME, config))
    assert "faceplate engine watch" in host.notes()[0] and "--resolve" in host.notes()[0]
    assert any("-- preferences" in text for text in lua.printed)
