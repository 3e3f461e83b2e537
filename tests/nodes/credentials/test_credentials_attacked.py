"""Content Credentials under attack: traps, and files that were made to mislead whoever verifies them."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.credentials.identity import load_identity, load_trust
from nodes.credentials.sign import credentials_entry, sign_made
from nodes.credentials.verify import verify
from nodes.errors import CredentialsError, FaceplateError, FootageError
from tests.support.signing import apart, claim, movie, read_picture, write_frames, write_picture

INTACT = {"own", "trusted", "unknown"}


def states(path: Path) -> list[str]:
    return [verdict.state for verdict in verify(path, load_trust())]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of every form, signed."""
    home = apart(monkeypatch, tmp_path) / "shot"
    home.mkdir()
    for name in ("sheet.png", "still.jpg", "frame.tif"):
        write_picture(home / name)
    movie(home / "preview.mp4")
    (home / "composite.mkv").write_bytes(bytes(range(256)) * 20)
    identity = load_identity()
    signed = [sign_made(file, claim(), identity) for file in sorted(home.iterdir())]
    signed.append(sign_made(write_frames(home / "patch", 3), claim(), identity))
    (home / "shot.json").write_text(
        json.dumps({"credentials": credentials_entry(home, signed, identity).model_dump(mode="json")})
    )
    assert set(states(home)) == {"own"} and len(states(home)) == 6
    return home


@pytest.mark.parametrize("name", ["sheet.png", "still.jpg", "frame.tif", "preview.mp4"])
def test_what_is_put_behind_the_end_shows(home: Path, name: str) -> None:
    file = home / name
    before = file.read_bytes()
    for more in (b"more", before):
        file.write_bytes(before + more)
        assert states(file) == ["changed"]
    file.write_bytes(b"")
    assert states(file) == ["changed"]


@pytest.mark.parametrize("box", [b"uuid", b"mdat", b"udta", b"moov"])
def test_a_box_that_is_put_behind_a_movie_shows(home: Path, box: bytes) -> None:
    with (home / "preview.mp4").open("ab") as file:
        file.write(struct.pack(">I4s40x", 48, box))
    assert states(home / "preview.mp4") == ["changed"]


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_done_to_its_bytes_a_file_is_judged_and_never_intact_with_other_pixels(
    home: Path, data: st.DataObject
) -> None:
    file = data.draw(st.sampled_from(sorted(f for f in home.rglob("*") if f.is_file())))
    before = file.read_bytes()
    pixels = read_picture(file) if file.suffix in (".png", ".jpg", ".tif") else None
    at = data.draw(st.integers(0, len(before) - 1))
    new = data.draw(st.sampled_from([b"", b"\0" * 4, b"\xff" * 4]) | st.binary(max_size=30))
    file.write_bytes(before[:at] + new + before[at + data.draw(st.sampled_from([0, len(new), 900])) :])
    try:
        found = states(file)
        if pixels is not None and found[0] in INTACT:
            assert (read_picture(file) == pixels).all()
        states(home)
    except FaceplateError:
        pass
    finally:
        file.write_bytes(before)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            *[st.none() | st.text() | st.sampled_from(["a\0b", "\ud800", "x" * 5000, "..", "", "/etc/passwd", "patch"])]
            * 2
        )
    )
)
def test_whatever_a_shots_document_says_its_folder_is_judged(home: Path, told: list[tuple[object, object]]) -> None:
    results = [{"file": file, "manifest": manifest} for file, manifest in told]
    (home / "shot.json").write_text(json.dumps({"credentials": {"results": results}}))
    for path in (home, home / "sheet.png", home / "patch/none.%04d.exr"):
        assert states(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(home: Path) -> None:
    for name in ("trap.c2pa", "trap.png"):
        os.mkfifo(home / name)
        with pytest.raises(FootageError):
            verify(home / name, load_trust())
    assert set(states(home)) == {"own"}


def test_a_frame_under_another_spelling_of_its_number_was_added(home: Path) -> None:
    shutil.copy(home / "patch/composite.1002.png", home / "patch/composite.01002.png")
    (verdict,) = verify(home / "patch", load_trust())
    assert verdict.faults == ("a frame was added: composite.01002.png",)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, 'trust = ["~nobody-of-this-name/root.pem"]', "trust = ['.']", "\0"]
)
def test_a_configuration_that_is_a_trap_says_what_is_wrong_with_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart(monkeypatch, tmp_path)
    (tmp_path / "credentials.toml").write_text(text)
    monkeypatch.setenv("FACEPLATE_CREDENTIALS", str(tmp_path / "credentials.toml"))
    with pytest.raises(CredentialsError):
        load_trust()
