"""What an artist rendered in another program is signed with what its shots say, and by nobody's guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.consent.provenance import PerformerPart, Provenance
from nodes.credentials.identity import load_trust
from nodes.credentials.manifest import BY_HAND, COMPOSITE, WITH_MODEL, ManifestSummary
from nodes.credentials.verify import verify_file
from tests.support.shot_documents import shot_document
from tests.support.signing import apart, flip, movie, write_frames, write_picture

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)


@pytest.fixture
def shot(tmp_path: Path) -> Callable[..., Path]:
    """Make a shot's folder with as much of its document as is signed of it. The model's file is gone since."""

    def make(name: str = "shot", plate: str = "aa", consent: str = "c-1", trained: bool = True, **more: Any) -> Path:
        inputs = {n: {"path": str(tmp_path / n), "digest": d * 32} for n, d in (("plate", plate), ("source", "bb"))}
        if trained:
            inputs["model"] = {"path": str(tmp_path / "gone.onnx"), "digest": "cc" * 32, "sha256": "dd" * 32}
        who = Provenance(performers=(PerformerPart(id="p-1", role="target", consents=(consent,)),))
        told = shot_document(inputs | more, "model" if trained else "reference", provenance=who.document())
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "shot.json").write_text(json.dumps(told))
        return tmp_path / name

    return make


def said(path: Path) -> ManifestSummary:
    found = verify_file(path, load_trust())
    assert found.state == "own" and found.manifest is not None
    return found.manifest


def test_a_render_says_what_its_shot_says_and_that_it_was_finished_elsewhere(
    run: Run, shot: Callable[..., Path], tmp_path: Path
) -> None:
    status, out, _ = run("credentials", "sign", movie(tmp_path / "render.mp4"), "--of", shot())
    assert status == 0 and out == f"signed; the manifest is in {tmp_path / 'render.mp4'}\n"
    told = said(tmp_path / "render.mp4")
    assert told.swap["part"] == "render" and told.swap["plates"] == ["aa" * 32]
    assert told.swap["models"] == ["dd" * 32]  # known from the document, although the file is gone
    assert told.swap["consents"] == [{"role": "target", "records": ["c-1"]}]
    kinds = [a.source_type for a in told.actions]
    assert told.actions[0].action == "c2pa.opened"
    assert {kind.rpartition("/")[2] for kind in (WITH_MODEL, BY_HAND)} <= set(kinds)
    assert told.swap["touched"] == ["finishing in another program"]


def test_a_render_of_several_shots_has_all_their_plates_and_consents_and_no_single_parent(
    run: Run, shot: Callable[..., Path], tmp_path: Path
) -> None:
    shots = shot("a"), shot("b", "ee", "c-2", trained=False, roto={"path": "roto.exr", "digest": "ff" * 32})
    assert run("credentials", "sign", movie(tmp_path / "cut.mov"), "--of", shots[0], "--of", shots[1])[0] == 0
    told = said(tmp_path / "cut.mov")
    assert told.swap["plates"] == ["aa" * 32, "ee" * 32]
    assert told.swap["consents"] == [{"role": "target", "records": ["c-1", "c-2"]}]
    assert told.swap["touched"] == ["roto", "finishing in another program"]
    first, *others = told.actions
    assert (first.action, first.source_type) == ("c2pa.created", COMPOSITE.rpartition("/")[2])
    assert [a.action for a in others].count("c2pa.placed") == 3  # two plates and the source
    assert {i["relationship"] for i in told.ingredients if i["title"].startswith("plate")} == {"componentOf"}


def test_a_sequence_gets_one_manifest_that_tells_which_frame_was_changed(
    run: Run, shot: Callable[..., Path], tmp_path: Path
) -> None:
    frames = write_frames(tmp_path / "render", 4, suffix=".exr")
    assert run("credentials", "sign", tmp_path / "render", "--of", shot())[0] == 0
    pattern = tmp_path / "render" / "composite.%04d.exr"
    assert run("credentials", "verify", pattern)[0] == 0
    flip(frames[2], 0.8)
    status, out, _ = run("credentials", "verify", pattern)
    assert status == 11 and frames[2].name in out and frames[1].name not in out


def test_the_run_of_an_edit_stands_for_its_shots_that_are_done(
    run: Run, shot: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "cut.faceplate"
    shots = [
        {
            "id": name,
            "name": name,
            "where": [0, number],
            "media": {"url": "a.mov", "path": "a.mov", "rate": "25", "start": 0},
            "span": [0, 9],
            "state": "done" if name == "A" else "waiting",
            "folder": str(shot(f"cut.faceplate/{name}", "aa" if name == "A" else "ee").name),
        }
        for number, name in enumerate("AB")
    ]
    document = {"schema": "faceplate.timeline/1", "edit": {"path": "cut.otio", "digest": "00"}, "shots": shots}
    (out / "timeline.json").write_text(json.dumps(document))
    assert run("credentials", "sign", write_picture(tmp_path / "frame.png"), "--of", out)[0] == 0
    assert said(tmp_path / "frame.png").swap["plates"] == ["aa" * 32]
    shots[0]["state"] = "waiting"
    (out / "timeline.json").write_text(json.dumps(document))
    status, _, err = run("credentials", "sign", write_picture(tmp_path / "other.png"), "--of", out)
    assert status != 0 and "no shot of it is done" in err


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"schema": "faceplate.shot/1"}', "nothing", '{"schema": "faceplate.shot/9"}']
)
def test_a_document_that_says_nothing_signs_nothing(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "shot").mkdir()
    (tmp_path / "shot" / "shot.json").write_text(text)
    picture = write_picture(tmp_path / "a.png")
    before = picture.read_bytes()
    status, _, err = run("credentials", "sign", picture, "--of", tmp_path / "shot")
    assert status == 7 and "shot" in err and picture.read_bytes() == before


def test_credentials_that_a_file_has_already_are_not_thrown_away(
    run: Run, shot: Callable[..., Path], tmp_path: Path
) -> None:
    folder, picture = shot(), write_picture(tmp_path / "a.png")
    assert run("credentials", "sign", picture, "--of", folder)[0] == 0
    before = picture.read_bytes()
    status, _, err = run("credentials", "sign", picture, "--of", folder)
    assert status == 11 and "already" in err and picture.read_bytes() == before
