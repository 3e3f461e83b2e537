"""`faceplate credentials`: in plain words for people, as JSON for programs, with a status for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nodes.consent.provenance import Provenance
from nodes.credentials.binding import sha256
from nodes.credentials.identity import load_identity
from nodes.credentials.library import sign_stream
from nodes.credentials.manifest import bound_to, definition
from nodes.credentials.sign import sign_made
from tests.support.signing import Authority, apart, claim, configure, flip, key_pem, movie, write_frames, write_picture

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)


@pytest.fixture
def still(tmp_path: Path) -> Path:
    return sign_made(write_picture(tmp_path / "a.png"), claim("still", touched=("roto",)), load_identity()).file


def test_show_says_what_it_is_how_it_was_made_by_which_consents_and_who_signed(still: Path, run: Run) -> None:
    status, told, _ = run("credentials", "show", still)
    assert status == 0
    for line in (
        "one finished frame",
        "edited with a trained model (generative AI)",
        "edited by hand: An artist had a hand in it: roto",
        "target: c-1",
        "source: c-2, c-3",
        "ef" * 32,
        "signed by   Faceplate local certificate",
        "time-stamp  none",
        "which nobody else knows",
    ):
        assert line in told


def test_show_warns_of_a_model_that_does_not_say_whom_it_was_trained_on(tmp_path: Path, run: Run) -> None:
    said = claim(provenance=Provenance(unknown=("12" * 32,)))
    path = sign_made(movie(tmp_path / "a.mkv"), said, load_identity()).file
    assert f"whom the model {'12' * 32} was trained on is not known" in run("credentials", "show", path)[1]


def test_show_of_what_was_changed_says_that_it_is_not_to_be_believed(still: Path, run: Run) -> None:
    flip(still, 0.9)
    told = run("credentials", "show", still)[1]
    assert "not intact" in told and "what it says is not to be believed" in told


def test_show_as_json_holds_the_whole_manifest(still: Path, run: Run) -> None:
    told = json.loads(run("credentials", "show", still, "--json")[1])
    assert told["schema"] == "faceplate.credentials/1"
    (file,) = told["files"]
    assert file["manifest"]["swap"]["models"] == ["ef" * 32] and file["state"] == "own"


def test_a_strangers_words_cannot_steer_the_terminal_and_a_strange_form_is_no_error(tmp_path: Path, run: Run) -> None:
    path = movie(tmp_path / "a.mkv")
    told = definition(claim(), bound_to(sha256(path), "x"))
    told["title"] = "\x1b[31mred\x07"
    swap = next(a for a in told["assertions"] if a["label"] == "org.faceplate.swap")
    swap["data"] = {"part": ["x"], "consents": ["y", {"records": 3}], "unknown": "z", "plate": {"\x1b": 1}, "models": 7}
    (tmp_path / "a.c2pa").write_bytes(sign_stream(told, None, load_identity())[0])
    status, out, _ = run("credentials", "show", path)
    assert status == 0 and "\x1b" not in out and "[31mred" in out


@pytest.mark.parametrize("json_", [False, True])
def test_verify_ends_with_a_status_for_scripts(json_: bool, tmp_path: Path, still: Path, run: Run, monkeypatch) -> None:
    def status(path: Path, *more: object) -> int:
        return run("credentials", "verify", path, *more, *(["--json"] if json_ else []))[0]

    frames = write_frames(tmp_path / "shot")
    sign_made(frames, claim(), load_identity())
    assert status(still) == status(tmp_path / "shot") == status(tmp_path / "shot" / "composite.####.png") == 0
    assert status(write_picture(tmp_path / "bare.png")) == 12
    root = tmp_path / "root.pem"
    assert run("credentials", "certificate", "--out", root)[0] == 0
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "another user"))
    assert status(still) == 13
    assert status(still, "--trust", root) == 0
    flip(frames[2])
    assert status(tmp_path / "shot") == 11
    assert status(tmp_path / "gone.png") == 3


def test_verify_says_which_frame_was_changed(tmp_path: Path, run: Run) -> None:
    frames = write_frames(tmp_path / "shot")
    sign_made(frames, claim(), load_identity())
    flip(frames[2])
    status, told, _ = run("credentials", "verify", tmp_path / "shot")
    assert status == 11 and "composite.1001.png (6 frames): not intact" in told
    assert "a frame was changed after signing: composite.1003.png" in told
    document = json.loads(run("credentials", "verify", tmp_path / "shot", "--json")[1])
    assert document["files"][0]["faults"] == ["a frame was changed after signing: composite.1003.png"]


def test_verify_of_a_wrong_key_says_so(tmp_path: Path, run: Run) -> None:
    wrong = replace(load_identity(), key=key_pem(Authority.new().key))
    path = sign_made(write_picture(tmp_path / "a.png"), claim(), wrong).file
    status, told, _ = run("credentials", "verify", path)
    assert status == 11 and "signed with a key that is not the certificate's" in told


def test_the_root_that_is_written_for_others_holds_no_key(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "root.pem"
    status, told, _ = run("credentials", "certificate", "--out", root)
    assert status == 0 and "made on this machine" in told and "PRIVATE" not in root.read_text()
    said = json.loads(run("credentials", "certificate", "--json")[1])
    assert said["local"] and said["sha256"] in told and said["serial"] in told


def test_a_productions_certificate_is_shown_and_has_no_root_here(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path / "studio", monkeypatch, Authority.new(), more='time_stamp = "https://example.com"\n')
    status, told, _ = run("credentials", "certificate")
    assert status == 0 and "A studio" in told and "time-stamps: by https://example.com" in told
    status, _, said = run("credentials", "certificate", "--out", tmp_path / "root.pem")
    assert status == 11 and "whoever issued it has the root" in said and not (tmp_path / "root.pem").exists()
