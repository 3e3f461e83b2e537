"""Buttons in Blender that mend a problem: folders are allowed, consent is recorded, and a wrong Python is recognised, without a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blender import Blender
from tests.support.live_engine import Live, engine_without_project

ASK = """
enable()
link = part("link").session
def ask(**request):
    ended = []
    link.submit("performers", request, on_end=ended.append)
    pump(lambda: ended)
    return ended[0]
def settle():
    pump(lambda: not link.busy())
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with engine_without_project(tmp_path_factory.mktemp("engine")) as live:
        yield live


def run(where: Blender, code: str):
    return where.run(ASK + code, FACEPLATE_PYTHON=sys.executable, seconds=100)


def test_a_folder_is_allowed_by_the_action_of_the_refusal(faceplate_in: Blender, live: Live, tmp_path: Path) -> None:
    outside = tmp_path / "foot age"
    outside.mkdir()
    refused, after = run(
        faceplate_in,
        f"""
refused = ask(near={str(outside / "shot.blend")!r})["error"]
getattr(bpy.ops.faceplate, refused["action"]["name"])(**refused["action"]["arguments"])
settle()
answer([refused, ask(near={str(outside / "shot.blend")!r})["state"]])
""",
    )
    assert refused["action"] == {"name": "allow_folder", "arguments": {"folder": str(outside)}}
    assert refused["remedy"].endswith(f"faceplate engine allow '{outside}'") and after == "finished"


def test_consent_is_recorded_by_the_dialog(faceplate_in: Blender, live: Live) -> None:
    project = live.work / f"project {faceplate_in.version}"
    project.mkdir()
    (project / "release.pdf").write_bytes(b"signed")
    said, messages, known = run(
        faceplate_in,
        f"""
said, messages = [], []
project = {str(project)!r}
for given in ({{}}, {{"performer": "Anna"}}, {{"performer": "Anna", "self_": True}}, {{"performer": "Anna", "self_": True, "uses": {{"replaced"}}}}):
    try:
        bpy.ops.faceplate.record_consent(**given)
    except RuntimeError as e:
        said.append(str(e))
for until in ("soon", "2099-12-31"):
    bpy.ops.faceplate.record_consent(performer="Anna", document=project + "/release.pdf", uses={{"replaced"}}, until=until, project=project)
    settle()
    messages.append(link.state.message)
bpy.ops.faceplate.record_consent(performer="Ben", self_=True, uses={{"replaced", "train"}}, project=project)
settle()
answer([said, messages, ask(near=project)["result"]["performers"]])
""",
    )
    assert [text.partition("recorded: ")[2].strip() for text in said] == [
        "name the performer",
        "choose the document, or This Is Me",
        "choose what is allowed",
        "choose the project's folder",
    ]
    assert "soon: is no day" in messages[0] and messages[1] == ""
    assert {p["name"]: (p["allows"], p["until"]) for p in known} == {
        "Anna": (["replaced", "replacement"], "2099-12-31"),
        "Ben": (["replaced", "replacement", "train"], None),
    }


def test_a_python_of_something_else_is_recognised_and_that_of_a_folder_found(
    faceplate_in: Blender, live: Live, tmp_path: Path
) -> None:
    program = tmp_path / "Faceplate" / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    found, wrong, right = faceplate_in.run(
        ASK
        + f"""
import sys
preferences = bpy.context.preferences.addons[MODULE].preferences
told = []
for place in (sys.executable if Path(sys.executable).name.startswith("python") else "/usr/bin/python3", {str(tmp_path / "Faceplate")!r}):
    preferences.python = place
    bpy.ops.faceplate.test_python()
    settle()
    told.append(list(type(preferences).tested if hasattr(type(preferences), "tested") else part("preferences").FaceplatePreferences.tested))
found = part("link").engine_python()
preferences.python = ""
answer([found, *told])
""",
        FACEPLATE_PYTHON=sys.executable,
    )
    assert found == str(program)
    assert wrong[0] and "is not the Python of Faceplate. Choose the folder" in wrong[1]
    assert right[0] == 0 and right[1].startswith("It works")
