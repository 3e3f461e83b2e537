"""The sandbox of Resolve's free edition: jobs go out through preferences, answers come in as Lua that can do nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_bridge.fusion.build import SCRIPTS_FOLDER, lua_script
from host_bridge.fusion.faceplate_resolve import Config
from host_bridge.watch.fusion_prefs import _POST
from tests.support.resolve_host import Host
from tests.support.resolve_lua import GONE, GONE_OF_OS, Lua

LIBRARY = "".join((SCRIPTS_FOLDER / f"{part}.lua").read_text("utf-8") for part in ("common", "library"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(prefs_file=tmp_path / "Fusion.prefs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def library(host: Host, folder: Path, code: str, edition: str = "sandbox", **watching: bool) -> Lua:
    lua = Lua(host, edition)
    config = f'local CONFIG = {{ folder = "{folder.as_posix()}", results = "/r", python = "py", wait = 1 }}\n'
    (folder / ".faceplate-watching.lua").write_text(f"return {str(watching.get('there', True)).lower()}")
    lua.state.globals().told = lua.state.table()
    lua.run(config + LIBRARY + "\n" + code)
    return lua


def test_it_lacks_what_the_free_edition_lacks_and_nothing_else(host: Host) -> None:
    lua = Lua(host, "sandbox")
    names = set(lua.state.globals())
    assert not set(GONE) & names and not set(GONE_OF_OS) & set(lua.state.globals().os)
    assert {"loadfile", "loadstring", "setfenv", "bmd", "fusion", "resolve", "jit", "os"} <= names
    assert {"getenv", "time", "clock"} <= set(lua.state.globals().os)
    assert set(lua.state.globals().bmd) == {"wait", "fileexists", "direxists", "createuuid"}


@pytest.mark.parametrize("text", ['a "b"', "back\\slash", "new\nline\ttab", "\x01\x7f", "é 日本 😀", "", "%d %s"])
def test_a_job_arrives_as_it_was_written(host: Host, folder: Path, text: str) -> None:
    lua = Lua(host, "sandbox")
    lua.state.globals().text = text
    config = f'local CONFIG = {{ folder = "{folder.as_posix()}" }}\n'
    (folder / ".faceplate-watching.lua").write_text("return true")
    job = '{ name = "a", kind = "swap", request = { text = text, list = { 1, 2.5 }, yes = true, none = {} } }'
    lua.run(f"{config}{LIBRARY}\nsubmit({{ {job} }})")
    assert host.prefs_file
    found = _POST.search(host.prefs_file.read_bytes())
    assert found
    told = json.loads(bytes.fromhex(found[2].decode()))
    assert told["jobs"][0]["request"] == {"text": text, "list": [1, 2.5], "yes": True, "none": {}}


def test_no_post_stays_in_the_preferences_whatever_happens(host: Host, folder: Path) -> None:
    code = 'main(function() submit({ { name = "a", kind = "x", request = {} } }) error("a fault of ours") end)'
    lua = library(host, folder, code)
    assert host.prefs_file and 'FaceplatePost = ""' in host.prefs_file.read_text()
    assert "a fault of ours" in host.notes()[0] and "Self-check" in host.notes()[0] and lua.printed


def test_an_answer_can_run_nothing(host: Host, folder: Path) -> None:
    (folder / "id12345678-a.answer.lua").write_text('resolve.Quit() return { state = "finished" }')
    lua = library(host, folder, 'told.answer = answer("id12345678", "a", 0)')
    assert lua.state.globals().told.answer is None and ("Resolve", "Quit") not in host.calls
    (folder / "id12345678-a.answer.lua").write_text('return { state = "finished" }')
    lua = library(host, folder, 'told.answer = answer("id12345678", "a", 0)')
    assert lua.state.globals().told.answer.state == "finished"


def test_half_an_answer_is_none_yet(host: Host, folder: Path) -> None:
    (folder / "id12345678-a.answer.lua").write_text('return { state = "finis')
    assert library(host, folder, 'told.answer = answer("id12345678", "a", 0)').state.globals().told.answer is None


def test_without_a_watcher_nothing_is_posted_and_the_command_is_told(host: Host, folder: Path) -> None:
    library(host, folder, 'main(function() submit({ { name = "a", kind = "x", request = {} } }) end)', there=False)
    assert f'faceplate engine watch "{folder.as_posix()}" --resolve' in host.notes()[0]
    assert host.prefs_file and host.prefs_file.read_text().count("FaceplatePost") == 1
    assert 'FaceplatePost = ""' in host.prefs_file.read_text()


def test_where_files_can_be_written_no_preference_is_touched(host: Host, folder: Path) -> None:
    library(host, folder, 'main(function() submit({ { name = "a", kind = "x", request = { b = 1 } } }) end)', "full")
    (job,) = folder.glob("*-a.json")
    assert json.loads(job.read_text()) == {"kind": "x", "request": {"b": 1}, "answer": "lua"}
    assert host.prefs_file and not host.prefs_file.exists() and not list(folder.glob(".*.part"))


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/x/f_[0001-0100].dpx", "/x/f_%04d.dpx"),
        ("C:\\x\\[01-99] a.png", "C:\\x\\%02d a.png"),
        ("/x/a.mov", "/x/a.mov"),
    ],
)
def test_sequences_are_named_as_faceplate_opens_them(host: Host, folder: Path, path: str, pattern: str) -> None:
    lua = library(host, folder, f"told.pattern = pattern_of([[{path}]])")
    assert lua.state.globals().told.pattern == pattern


def test_windows_paths_are_written_with_slashes(host: Host) -> None:
    text = lua_script("Faceplate monitor", Config("C:\\Users\\a b", "D:\\r", "C:\\py.exe", "1"))
    assert '"C:/Users/a b"' in text and '"D:/r"' in text
    assert Lua(host, "sandbox").state.eval("function(t) return loadstring(t) ~= nil end")(text)
