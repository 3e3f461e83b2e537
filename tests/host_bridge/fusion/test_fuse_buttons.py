"""The buttons of the Fuses: where Lua may start programs they hand the engine the job, with every parameter; elsewhere they say what else to do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host_bridge.cli import main
from host_bridge.fusion.build import build
from host_bridge.jobs import parse
from nodes.definitions import DetectParameters, SwapParameters
from tests.support.fusion_host.fuse import Fuse
from tests.support.fusion_host.pictures import from_rgb, to_rgb
from tests.support.fusion_host.stage import COUNT, FIRST, Stage, prepared
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Stage]:
    with prepared(tmp_path_factory.mktemp("buttons"), samples) as made:
        yield made


def pressed(stage: Stage, fuse: Fuse, button: str, kind: str, **about: Any) -> dict[str, Any]:
    """Press it, and wait for the job that it makes."""

    def found() -> list[dict[str, Any]]:
        return [job for job in stage.live.client.list()["jobs"] if job["kind"] == kind]

    before = {job["id"] for job in found()}
    fuse.press(button, **({"first": FIRST, "last": FIRST + COUNT - 1, "time": FIRST + 1} | about))
    assert "Handed to Faceplate's engine" in fuse.value("Note")
    made = wait_for(lambda: [job for job in found() if job["id"] not in before], 60, every=0.05)
    job = stage.live.client.wait(made[0]["id"], 60)
    assert job["state"] == "finished", job["error"]
    return job


def test_pressed_one_after_the_other_they_make_what_the_nodes_show(stage: Stage) -> None:
    image = from_rgb(stage.plate(FIRST + 1), 8)
    faces = stage.fuse("Detect", results="detect")
    faces.set(PlateClip=stage.plates, MinScore=0.25)
    job = pressed(stage, faces, "Analyse", "detect")
    assert job["request"]["detect"]["min_score"] == 0.25 and job["request"]["range"] == "7-10"
    assert job["request"]["rate"] == "25"
    faces.press("Reload")
    assert to_rgb(faces.process(image, FIRST + 1)[2])[..., 0].any()

    crops, mattes = stage.fuse("Align", results="align"), stage.fuse("Mask", results="mask")
    for node, kind in ((crops, "align"), (mattes, "mask")):
        node.set(PlateClip=stage.plates)
        pressed(stage, node, "Analyse", kind)
        node.press("Reload")
        assert to_rgb(node.process(image, FIRST + 1)[2])[..., 0].any()

    swap = stage.fuse("Swap", results="swap")
    swap.set(PlateClip=stage.plates, SourceClip=stage.source)
    pressed(stage, swap, "Preview", "preview")
    shown = swap.process(image, FIRST + 1)[0]
    assert not np.array_equal(shown.pixels, image.pixels) and swap.process(image, FIRST)[0] is image
    pressed(stage, swap, "Render", "swap")
    swap.press("Reload")
    off = np.abs(to_rgb(swap.process(image, FIRST + 1)[0])[..., :3] * 255 - stage.composite(FIRST + 1))
    assert off.max() < 1.1
    assert swap.attributes("Status")["LINKS_Name"] == "Frames 7 to 10, 400 x 300"


def test_a_request_holds_every_parameter_of_the_node_and_of_those_above_it(stage: Stage) -> None:
    swap = stage.fuse("Swap", "sandbox", "more")
    swap.set(SourceClip=stage.source, Method=1, Model="/models/m.onnx", Shape=0.3, Opacity=0.5, Colour=0)
    values = {"MinScore": 0.25, "AnyAngle": 0, "OwnTrackScore": 1, "TrackScore": 0.75, "Detector": 0, "MaxFaces": 3}
    mask = {"Regions": "face, mouth", "Grow": 0.125}
    post = swap.press("Render", above=flow(swap, stage.plates, values, mask), first=0, last=3, rate=24)
    asked, job = posted(post)["jobs"]
    request = job["request"]
    parsed = parse("swap", request)
    assert parse("performers", asked["request"]).swap == parsed.settings.swap  # type: ignore[attr-defined]
    assert request["plate"] == stage.plates and request["range"] == "0-3" and request["rate"] == "24"
    settings = parsed.settings  # type: ignore[attr-defined]
    assert settings.swap == SwapParameters(
        method="model", model=Path("/models/m.onnx"), shape=0.3, opacity=0.5, colour="none"
    )
    assert settings.detect == DetectParameters(
        detector="short", min_score=0.25, any_angle=False, track_score=0.75, max_faces=3
    )
    assert settings.align.size == 104 and settings.mask.regions == ("face", "mouth") and settings.mask.grow == 0.125


def flow(fuse: Fuse, clip: str, detect: dict[str, Any], mask: dict[str, Any]) -> Any:
    """A flow above a node: Loader, Detect, Merge, Align, Mask."""
    at = fuse.above("Loader", {}, clip)
    at = fuse.above("Fuse.FaceplateDetect", detect, above=at)
    at = fuse.above("Merge", {}, above=at)
    at = fuse.above("Fuse.FaceplateAlign", {"OwnSize": 1, "Size": 100}, above=at)
    return fuse.above("Fuse.FaceplateMask", mask, above=at)


def posted(stored: dict[str, Any]) -> dict[str, Any]:
    """What lies in Fusion's preferences for `faceplate engine watch --resolve`."""
    assert stored["saved"] is True
    id, _, text = stored["Global.FaceplatePost"].partition(":")
    assert 8 <= len(id) <= 64 and id.isalnum()
    return json.loads(bytes.fromhex(text))


def test_in_the_sandbox_it_leaves_a_post_and_shows_the_command(
    stage: Stage, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    fuse = stage.fuse("Detect", "sandbox", "boxed")
    fuse.set(PlateClip=stage.plates, Every=3, AnyAngle=0, Subject="face")
    post = posted(fuse.press("Analyse", first=FIRST, last=FIRST + 1))
    assert [job["kind"] for job in post["jobs"]] == ["detect"] and parse("detect", post["jobs"][0]["request"])
    note = fuse.value("Note")
    assert "start no programs" in note
    assert "faceplate engine watch FOLDER --resolve" in note
    (line,) = (line for line in note.splitlines() if line.startswith("faceplate detect"))
    assert "--every 3" in line and "--no-any-angle" in line and "--subject" not in line
    status, _, error = run(*shlex.split(line)[1:])
    assert status == 0, error
    fuse.press("Reload")
    assert to_rgb(fuse.process(from_rgb(stage.plate(FIRST), 8), FIRST)[2])[..., 0].any()

    swap = stage.fuse("Swap", "sandbox", "boxed-swap")
    swap.set(PlateClip=stage.plates, SourceClip=stage.source)
    posted(swap.press("Render", first=FIRST, last=FIRST))
    (line,) = (line for line in swap.value("Note").splitlines() if line.startswith("faceplate swap"))
    assert "--fusion" in line and f'"{stage.source}"' in line
    assert posted(swap.press("Monitor")) == {"open": "monitor"}
    assert "faceplate fusion monitor" in swap.value("Note")
    assert swap.press("Train") == {} and "Train on selected clips" in swap.value("Note")


def test_a_script_that_is_told_of_no_tool_takes_the_active_one(stage: Stage) -> None:
    fuse = stage.fuse("Detect", "sandbox")
    fuse.press("Analyse", active=True)
    assert "footage of the shot" in fuse.value("Note")
    fuse.press("Reload", active=True)
    assert fuse.value("Reloaded") == 1


def test_what_is_missing_is_said_and_nothing_is_sent(stage: Stage) -> None:
    fuse = stage.fuse("Swap", "sandbox")
    for id, value, missing in (
        ("Results", "/somewhere", "footage of the shot at Plate"),
        ("PlateClip", stage.plates, "Source first"),
        ("Results", "  ", "folder at Results"),
    ):
        fuse.set(**{id: value})
        assert fuse.press("Render") == {} and missing in fuse.value("Note")


def test_the_sandbox_of_the_tests_lacks_exactly_what_that_of_the_free_edition_lacks(tmp_path: Path) -> None:
    build(tmp_path)
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateMask.fuse")
    absent = {"io", "require", "package", "ffi", "debug"} | {f"os.{n}" for n in ("execute", "remove", "rename")}
    absent |= {f"bmd.{n}" for n in ("readdir", "readfile", "writefile")}
    assert fuse.names("full") - fuse.names("sandbox") == absent
    assert fuse.names("sandbox") <= fuse.names("full")


def test_on_windows_it_is_started_so_that_nothing_waits_and_quotes_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMP", str(tmp_path))
    python = tmp_path / "Program Files" / "python.exe"
    python.parent.mkdir()
    python.touch()
    build(tmp_path, python=str(python))
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateMask.fuse")
    fuse.set(Results="D:\\shots\\one\\", PlateClip='D:\\plates\\a "b".mov')
    assert fuse.press("Analyse", system="Windows") == {}
    line = next(one for one in fuse.work.printed if one.startswith("start"))
    command = shlex.split(line)
    assert command[:3] == ["start", "", "/B"] and command[3] == str(python)
    (job,) = json.loads(Path(command[-1]).read_bytes())["jobs"]
    assert job["request"]["out"] == "D:\\shots\\one" and job["request"]["plate"] == 'D:\\plates\\a "b".mov'


def test_a_faceplate_that_has_moved_is_missed_and_the_job_is_left_in_the_preferences(tmp_path: Path) -> None:
    build(tmp_path, python=str(tmp_path / "gone"))
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateMask.fuse")
    fuse.set(Results="/shots/one", PlateClip="/plates/a.mov")
    assert posted(fuse.press("Analyse"))["jobs"][0]["kind"] == "mask"
    assert "gone is not there: install Faceplate for Resolve again" in fuse.value("Note")


def stands_in(python: Path, does: str) -> None:
    """A program in place of Python that does this with what it is given, and answers that consent is there."""
    yes = 'return {state = "finished", result = {allowed = true, said = "yes"}}'
    python.write_text(f"#!/bin/sh\necho '{yes}' > \"${{6%.json}}-performers.answer.lua\"\n{does}\n")
    python.chmod(0o755)


def test_train_makes_the_facesets_first(tmp_path: Path) -> None:
    """A program that notes what it is given stands in for Python: training itself is tested elsewhere."""
    noting = tmp_path / "it's python"
    stands_in(noting, f'cp "$6" "{tmp_path}/noted.json"\necho "$@" > "{tmp_path}/arguments"')
    build(tmp_path, python=str(noting))
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateSwap.fuse")
    fuse.set(Results="/shots/one/", PlateClip="/plates/a.mov", SourceClip="/plates/b.mov", Minutes=7)
    fuse.press("Train")
    wait_for((tmp_path / "arguments").exists)
    assert (tmp_path / "arguments").read_text().startswith("-P -m host_bridge.cli fusion send ")
    jobs = json.loads((tmp_path / "noted.json").read_text())["jobs"]
    assert [job["kind"] for job in jobs] == ["performers", "faceset", "faceset", "train"]
    asked, *requests = [parse(job["kind"], job["request"]) for job in jobs]
    assert [str(r.out) for r in requests] == [f"/shots/one.train/{n}" for n in ("source", "target", "model")]  # type: ignore[attr-defined]
    assert jobs[3]["request"]["train"] == {"minutes": 7}
    assert jobs[3]["request"]["facesets"] == [job["request"]["out"] for job in jobs[1:3]]
    assert asked.train and [(r.performer, r.named) for r in requests[:2]] == [("b", None), ("a", None)]  # type: ignore[attr-defined]


def test_send_says_in_its_log_what_goes_wrong(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "asked.json"
    log = tmp_path / "asked.json.log"
    for text, status, why in (
        ("{", 2, "can be understood"),
        ('{"jobs": [{"name": "../x", "kind": "detect", "request": {}}]}', 2, "can be understood"),
        ('{"jobs": [{"name": "a", "kind": "dance", "request": {}}]}', 2, "dance"),
        ('{"jobs": [{"name": "b", "kind": "detect", "request": {"clip": "/etc/passwd.mov"}}]}', 2, "passwd"),
    ):
        file.write_text(text)
        assert main(["fusion", "send", str(file)]) == status
        assert why in log.read_text()
    for name, why in (("a", "dance"), ("b", "passwd")):
        answer = (tmp_path / f"asked-{name}.answer.lua").read_text()
        assert 'state = "failed"' in answer and why in answer
    assert main(["fusion", "send", str(tmp_path / "gone.json")]) == 1
