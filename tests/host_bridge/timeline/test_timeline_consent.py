"""A run of a timeline asks for consent before its work begins, and again of what it finds done already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_bridge.timeline.document import document_path, load, save
from nodes.cache import digest_footage
from nodes.consent.edit import Terms, revoke
from tests.support.clips import cut
from tests.support.consents import add_consent, apart
from tests.support.edits import QUICK, UNTRAINED, clip, performer, plate, write_edit

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The performer who is put in, and two plates."""
    folder = tmp_path_factory.mktemp("media")
    other = cut(samples / "cap13_edit2.mp4", folder / "other.mp4", 0, 12)
    return performer(samples, folder), plate(samples, folder, 20), other


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clips: tuple[Path, Path, Path]) -> Path:
    """A project in which Anna is put in, for Ben in one plate and for Carl in the other."""
    monkeypatch.setenv("FACEPLATE_STATE", str(tmp_path / "nobody"))
    folder = apart(monkeypatch, tmp_path)
    for name, use, file in zip(("franck", "Ben", "Carl"), ("replacement", "replaced", "replaced"), clips, strict=True):
        agrees(folder, name, use, file)
    return folder


def agrees(project: Path, name: str, use: Any, file: Path) -> str:
    return add_consent(project, name, Terms((use,)), [(digest_footage(file), file.name)]).consent.id


@pytest.fixture
def edit(show: Path, clips: tuple[Path, Path, Path]) -> Path:
    return write_edit(show / "cut.otio", [clip(clips[1], 4, 5), clip(clips[2], 3, 5)])


@pytest.fixture
def again(run: Run, edit: Path, clips: tuple[Path, Path, Path]) -> Callable[..., tuple[int, list[dict[str, Any]], str]]:
    """Run the edit, and give the status, the shots and what was said."""

    def go(*more: object) -> tuple[int, list[dict[str, Any]], str]:
        status, out, err = run("timeline", "run", edit, "--source", clips[0], *(more or UNTRAINED), "--json")
        return status, json.loads(out)["shots"], err

    return go


def written(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_shot_whose_consent_was_revoked_is_neither_done_nor_goes_out_until_there_is_a_new_one(
    show: Path, edit: Path, again: Any, run: Run, clips: tuple[Path, Path, Path]
) -> None:
    status, shots, _ = again()
    assert status == 0 and [shot["state"] for shot in shots] == ["done", "done"]
    folder = edit.with_suffix(".faceplate")
    before = written(folder / "shots")
    revoke(show, "Ben", reason="he changed his mind")

    status, _, err = run("timeline", "export", edit, "--as", "swap")
    assert status == 10 and "was revoked on" in err and not edit.with_name("cut.swap.otio").exists()

    status, out, _ = run("timeline", "plan", edit, "--source", clips[0], "--no-look", "--json")
    planned = json.loads(out)["shots"]
    assert status == 0 and [shot["state"] for shot in planned] == ["to do", "done"]
    (problem,) = planned[0]["problems"]
    assert "Ben" in problem and "was revoked on" in problem and "faceplate performer add" in problem

    status, shots, err = again()
    assert status == 1 and [shot["state"] for shot in shots] == ["failed", "done"]
    assert "Ben" in shots[0]["error"]["message"] and "was revoked on" in shots[0]["error"]["message"]
    assert "faceplate performer add" in shots[0]["error"]["remedy"]
    assert written(folder / "shots") == before, "what the user may still want to look at is not deleted"
    status, out, _ = run("timeline", "export", edit, "--as", "swap", "--json")
    told = json.loads(out)
    assert told["shots"] == ["V1-0002"] and "was revoked on" in told["left"][0]["why"]

    new = agrees(show, "Ben", "replaced", clips[1])
    status, shots, err = again()
    assert status == 0 and [(shot["state"], shot["now"]) for shot in shots] == [("done", True), ("done", False)]
    assert "what was made before does not count" in err and "which was revoked on" in err
    made = json.loads((folder / "shots" / "V1-0001" / "shot.json").read_bytes())["provenance"]
    assert [part["consents"] for part in made["performers"] if part["role"] == "target"] == [[new]]
    assert again()[0] == 0 and all(not shot["now"] for shot in again()[1])


@pytest.mark.parametrize("renewed", [False, True])
def test_what_a_killed_run_had_finished_counts_only_by_a_consent_that_stands(
    renewed: bool, show: Path, edit: Path, again: Any, clips: tuple[Path, Path, Path]
) -> None:
    assert again()[0] == 0
    folder = edit.with_suffix(".faceplate")
    state = load(folder)
    for shot in state.shots:  # as a run leaves it that is killed before it has written down that a shot is done
        state = state.with_shot(shot.model_copy(update={"state": "waiting", "folder": None, "model": None}))
    save(folder, state)
    assert document_path(folder).exists()
    before = written(folder / "shots")
    revoke(show, "Ben")
    if renewed:
        agrees(show, "Ben", "replaced", clips[1])
    status, shots, _ = again()
    assert (status, [shot["state"] for shot in shots]) == (
        (0, ["done", "done"]) if renewed else (1, ["failed", "done"])
    )
    changed = {name for name, at in written(folder / "shots").items() if before.get(name) != at}
    assert {Path(name).parts[0] for name in changed} == ({"V1-0001"} if renewed else set())


def test_nothing_is_trained_for_a_shot_that_may_not_be_swapped(show: Path, edit: Path, again: Any) -> None:
    revoke(show, "franck")
    for name in ("franck", "Ben", "Carl"):
        add_consent(show, name, Terms(("train",)))
    status, shots, _ = again(*QUICK)
    assert status == 1 and [shot["state"] for shot in shots] == ["failed", "failed"]
    assert all("allows train alone" in shot["error"]["message"] for shot in shots)
    assert not [p for p in edit.with_suffix(".faceplate").rglob("*") if p.suffix in (".onnx", ".npy")]
