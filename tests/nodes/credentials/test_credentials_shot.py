"""A shot's folder is signed as a whole, from its document; switching that off is a record of the project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.consent.provenance import PerformerPart, Provenance
from nodes.consent.records import read_chain
from nodes.credentials.identity import load_identity, load_trust
from nodes.credentials.manifest import COMPOSITE, WITH_MODEL
from nodes.credentials.sign import claim_of, ready, sign_added, sign_derived, sign_shot, switch, switched_off
from nodes.credentials.verify import verify
from nodes.errors import CredentialsError
from nodes.shot_document import ShotDocument, SwitchedOff
from tests.support.consents import consent
from tests.support.shot_documents import shot_of
from tests.support.signing import apart, movie, write_frames, write_picture

Run = Callable[..., tuple[int, str, str]]
WHO = Provenance(performers=(PerformerPart(id="p-1", role="target", consents=("c-1",)),))


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)
    monkeypatch.delenv("FACEPLATE_PROJECT", raising=False)


def document(folder: Path, method: str = "model", **more: Any) -> ShotDocument:
    """A shot's document, as far as signing reads it, of files in `folder`."""
    model = folder / "model.onnx"
    model.write_bytes(b"a model")
    inputs = {
        "plate": {"path": str(folder / "plate.mov"), "digest": "aa" * 32},
        "source": {"path": str(folder / "source.mov"), "digest": "bb" * 32},
        "model": {"path": str(model), "digest": "cc" * 32},
    }
    return shot_of(inputs | more, method, provenance=WHO.document())


def signed(folder: Path, told: ShotDocument) -> ShotDocument:
    return told.model_copy(update={"credentials": sign_shot(folder, told, load_identity())})


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    folder = tmp_path / "shot"
    folder.mkdir()
    for name in ("composite.mkv", "plate.mkv", "preview.mp4"):
        movie(folder / name)
    write_picture(folder / "sheet.png")
    for name in ("patch", "matte"):
        for frame in write_frames(folder / name, 3, suffix=".exr"):
            frame.rename(frame.with_name(frame.name.replace("composite", name)))
    (folder / "report.html").write_text("<html>")
    (folder / "patch" / "notes.txt").write_text("somebody else's")
    return folder


def test_all_results_of_a_shot_are_signed_and_its_document_says_where(shot: Path, tmp_path: Path) -> None:
    told = signed(shot, document(tmp_path))
    told.save(shot)
    credentials = json.loads((shot / "shot.json").read_bytes())["credentials"]
    assert credentials["results"] == [
        {"file": "composite.mkv", "manifest": "composite.c2pa"},
        {"file": "plate.mkv", "manifest": "plate.c2pa"},
        {"file": "preview.mp4", "manifest": "preview.mp4"},
        {"file": "sheet.png", "manifest": "sheet.png"},
        {"file": "patch", "manifest": "patch/patch.c2pa"},
        {"file": "matte", "manifest": "matte/matte.c2pa"},
    ]
    assert credentials["by"]["local"] and credentials["time_stamped"] is None
    found = verify(shot, load_trust())
    assert [(v.file.name, v.state) for v in found] == [
        (name, "own")
        for name in (
            "composite.mkv",
            "plate.mkv",
            "preview.mp4",
            "sheet.png",
            "patch.1001.exr",
            "matte.1001.exr",
        )
    ]
    assert [v.manifest.swap["part"] for v in found] == ["composite", "plate", "preview", "sheet", "patch", "matte"]


def test_signing_again_what_was_signed_replaces_the_manifests(shot: Path, tmp_path: Path) -> None:
    told = document(tmp_path)
    assert sign_shot(shot, told, load_identity()) == sign_shot(shot, told, load_identity())
    assert {v.state for v in verify(shot, load_trust())} == {"own"}


def test_a_sequence_that_is_written_later_is_signed_and_named_as_well(shot: Path, tmp_path: Path) -> None:
    told = signed(shot, document(tmp_path))
    for number in (1001, 1002):
        for name in ("patch", "matte"):
            write_picture(shot / "fusion" / f"{number}.{name}.png", number)
    for _ in range(2):
        told = sign_added(shot, "fusion", told)
    told.save(shot)
    results = json.loads((shot / "shot.json").read_bytes())["credentials"]["results"]
    assert results[-1] == {"file": "fusion", "manifest": "fusion/fusion.c2pa"}
    assert len(results) == 7
    assert {v.state for v in verify(shot, load_trust())} == {"own"}
    write_picture(shot / "fusion" / "1003.matte.png")
    assert [v.faults for v in verify(shot, load_trust()) if v.faults] == [("a frame was added: 1003.matte.png",)]


def test_what_is_written_later_into_a_shot_that_is_not_signed_is_not_signed_either(shot: Path, tmp_path: Path) -> None:
    told = document(tmp_path).model_copy(update={"credentials": SwitchedOff()})
    assert sign_added(shot, "patch", told) == told
    assert sign_derived(shot / "preview.mp4", "composite", told) is None
    assert not list(shot.rglob("*.c2pa")) and verify(shot / "preview.mp4", load_trust())[0].state == "none"


def test_what_is_made_of_a_signed_shot_elsewhere_is_signed(shot: Path, tmp_path: Path) -> None:
    told = signed(shot, document(tmp_path))
    (tmp_path / "media").mkdir()
    delivered = movie(tmp_path / "media" / "V1-0001.mov")
    assert sign_derived(delivered, "composite", told).sidecar is None
    frames = write_frames(tmp_path / "media" / "V1-0002")
    assert sign_derived(frames, "patch", told).sidecar == frames[0].parent / "composite.c2pa"
    assert [v.state for v in verify(delivered, load_trust())] == ["own"]


def test_a_claim_says_what_the_document_says(tmp_path: Path) -> None:
    by_model = claim_of(document(tmp_path))
    assert by_model.source_type == WITH_MODEL and by_model.given == ("bb" * 32,) and not by_model.placed
    assert by_model.models == (hashlib.sha256(b"a model").hexdigest(),)
    assert by_model.provenance == WHO and by_model.touched == ()
    untrained = claim_of(document(tmp_path, "reference", roto={"path": "x", "digest": "dd" * 32}))
    assert untrained.source_type == COMPOSITE and untrained.placed == ("bb" * 32,) and not untrained.models
    assert untrained.touched == ("roto",)


def test_a_claim_of_several_people_names_each_ones_source_and_model(tmp_path: Path) -> None:
    second = {"path": str(tmp_path / "model.onnx"), "digest": "ee" * 32}
    both = claim_of(document(tmp_path, "reference", source_2={"path": "x", "digest": "dd" * 32}, model_2=second))
    assert both.placed == ("bb" * 32,) and both.given == ("dd" * 32,) and len(both.models) == 1
    assert both.source_type == WITH_MODEL


def test_switching_off_is_a_setting_of_the_project_with_a_reason(tmp_path: Path) -> None:
    project = tmp_path / "show"
    project.mkdir()
    consent(project, "Anna")
    assert switched_off(project) is None and switched_off(None) is None
    with pytest.raises(CredentialsError, match="needs a reason"):
        switch(project, False, " ")
    off = switch(project, False, "the client signs")
    assert off == switched_off(project) and off.reason == "the client signs"
    assert off.model_dump() == {"signed": False, "since": off.since, "reason": "the client signs"}
    assert ready(project) == off and sign_shot(project, document(tmp_path), off) == off
    assert switch(project, False, "again") == off  # it is so already
    assert switch(project, True, "") is None and switched_off(project) is None
    assert not read_chain(project).faults


def test_the_command_switches_off_and_on_in_the_project_one_is_in(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "show"
    project.mkdir()
    consent(project, "Anna")
    monkeypatch.chdir(project)
    assert run("credentials", "off")[0] == 2
    status, said, _ = run("credentials", "off", "--reason", "a test")
    assert status == 0 and "carry no Content Credentials since " in said and said.endswith(": a test\n")
    status, said, _ = run("credentials", "on")
    assert status == 0 and "carry Content Credentials" in said
    monkeypatch.chdir(tmp_path)
    status, _, said = run("credentials", "off", "--reason", "a test")
    assert status == 10 and "there is no project here" in said
