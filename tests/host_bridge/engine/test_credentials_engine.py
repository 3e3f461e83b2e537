"""A real engine verifies results: each tampering is found, the frame is named, and the answer is what the command prints."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from host_bridge.client import EngineError
from nodes.credentials.identity import load_identity
from nodes.credentials.sign import credentials_entry, sign_made
from tests.support.live_engine import Live, live_engine
from tests.support.signing import Authority, claim, flip, key_pem, movie, write_frames, write_picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An engine whose keys, and so its certificate, are the tests' too."""
    folder = tmp_path_factory.mktemp("credentials-engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        (folder / "credentials.toml").write_text("")
        patch.setenv("FACEPLATE_CREDENTIALS", str(folder / "credentials.toml"))
        with live_engine(folder) as engine:
            yield engine


@pytest.fixture
def folder(live: Live) -> Path:
    made = live.work / str(len(list(live.work.iterdir())))
    made.mkdir()
    return made


def asked(live: Live, path: Path, *trust: Path) -> dict[str, Any]:
    """What a host is told of a path."""
    request = {"path": str(path), "trust": [str(root) for root in trust]}
    job = live.client.submit("credentials", request, wait=30)
    assert job["state"] == "finished", job
    return job["result"]


def one(live: Live, path: Path, *trust: Path) -> dict[str, Any]:
    (file,) = asked(live, path, *trust)["files"]
    return file


def test_the_engine_says_what_the_command_prints(
    live: Live, folder: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    frames = write_frames(folder / "composite")
    sign_made(frames, claim(), load_identity())
    for path in (folder / "composite", folder / "composite" / "composite.%04d.png", frames[0]):
        told = asked(live, path)
        status, printed, _ = run("credentials", "verify", path, "--json")
        assert told == json.loads(printed) and status == told["status"] == 0
        assert told["schema"] == "faceplate.credentials/1" and [f["state"] for f in told["files"]] == ["own"]
        assert "intact; signed with this machine's own certificate" in told["files"][0]["said"]
    flip(frames[2])
    assert asked(live, folder / "composite") == json.loads(
        run("credentials", "verify", folder / "composite", "--json")[1]
    )


def test_an_answer_is_never_an_earlier_one_and_comes_at_once(live: Live, folder: Path) -> None:
    path = sign_made(write_picture(folder / "a.png"), claim("still"), load_identity()).file
    assert one(live, path)["intact"]
    found = path.stat()
    os.utime(flip(path), ns=(found.st_atime_ns, found.st_mtime_ns))
    file = one(live, path)
    assert not file["intact"] and file["said"] == (
        "a.png: not intact: the file was changed after it was signed, or the manifest is that of another file."
    )


@pytest.fixture
def shot(folder: Path) -> Path:
    """A shot's folder with a movie, a picture and a sequence, signed, and a document that says so."""
    identity = load_identity()
    claims = {"composite.mkv": "composite", "preview.mp4": "preview"}
    signed = [sign_made(movie(folder / name), claim(part), identity) for name, part in claims.items()]
    signed.append(sign_made(write_picture(folder / "sheet.png"), claim("sheet"), identity))
    signed.append(sign_made(write_frames(folder / "patch"), claim("patch"), identity))
    told = {
        "schema": "faceplate.shot/1",
        "credentials": credentials_entry(folder, signed, identity).model_dump(mode="json"),
    }
    (folder / "shot.json").write_text(json.dumps(told))
    return folder


def frame(shot: Path, number: int) -> Path:
    return shot / "patch" / f"composite.{number}.png"


def exchange(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def of_another(shot: Path, name: str, other: str) -> None:
    """Give a file the manifest of another."""
    sign_made(movie(shot / other, 9), claim(), load_identity())
    (shot / other).with_suffix(".c2pa").replace((shot / name).with_suffix(".c2pa"))
    (shot / other).unlink()


def with_wrong_key(shot: Path) -> None:
    wrong = replace(load_identity(), key=key_pem(Authority.new().key))
    sign_made(sorted((shot / "patch").glob("*.png")), claim("patch"), wrong)


OTHER = "the file was changed after it was signed, or the manifest is that of another file"
GONE = "shot.json says that it was signed, but there is no manifest of it in it or beside it"
KEY = "the signature does not fit: the manifest was changed, or signed with a key that is not the certificate's"
FRAMES = "composite.1001.png, "


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        pytest.param(
            lambda s: flip(frame(s, 1002)),
            f"{FRAMES}6 frames: not intact: a frame was changed after signing: composite.1002.png.",
            id="byte flipped in a frame",
        ),
        pytest.param(
            lambda s: frame(s, 1006).unlink(),
            f"{FRAMES}5 frames: not intact: a frame was removed: composite.1006.png.",
            id="frame removed",
        ),
        pytest.param(
            lambda s: shutil.copy(frame(s, 1001), frame(s, 1007)),
            f"{FRAMES}7 frames: not intact: a frame was added: composite.1007.png.",
            id="frame added",
        ),
        pytest.param(
            lambda s: exchange(frame(s, 1002), frame(s, 1005)),
            f"{FRAMES}6 frames: not intact: 2 frames were exchanged for other frames of the sequence: "
            "composite.1002.png, composite.1005.png.",
            id="frames exchanged",
        ),
        pytest.param(
            lambda s: (s / "patch/composite.c2pa").unlink(),
            f"patch: its Content Credentials are gone: {GONE}.",
            id="manifest of a sequence removed",
        ),
        pytest.param(
            lambda s: (s / "composite.c2pa").unlink(),
            f"composite.mkv: its Content Credentials are gone: {GONE}.",
            id="manifest beside a movie removed",
        ),
        pytest.param(
            lambda s: write_picture(s / "sheet.png"),
            f"sheet.png: its Content Credentials are gone: {GONE}.",
            id="manifest in a picture removed",
        ),
        pytest.param(
            lambda s: of_another(s, "composite.mkv", "other.mkv"),
            f"composite.mkv: not intact: {OTHER}.",
            id="manifest of another file",
        ),
        pytest.param(lambda s: flip(s / "preview.mp4"), f"preview.mp4: not intact: {OTHER}.", id="byte flipped"),
        pytest.param(with_wrong_key, f"composite.c2pa: not intact: {KEY}.", id="wrong key"),
    ],
)
def test_every_tampering_shows_and_the_rest_of_the_shot_stays_intact(
    live: Live, shot: Path, tamper: Callable[[Path], object], said: str
) -> None:
    before = asked(live, shot)
    assert before["status"] == 0 and len(before["files"]) == 4
    tamper(shot)
    told = asked(live, shot)
    faulty = [file for file in told["files"] if file["state"] != "own"]
    assert [file["said"] for file in faulty] == [said] and len(told["files"]) == 4
    assert told["status"] == 11 and not faulty[0]["intact"] and faulty[0]["faults"]


def test_a_certificate_that_this_machine_does_not_know_is_said_to_prove_nothing_until_its_root_is_trusted(
    live: Live, folder: Path
) -> None:
    authority = Authority.new()
    key, certificate = authority.issue("A studio")
    chain = certificate.public_bytes(Encoding.PEM).decode()
    studio = replace(load_identity(), chain=chain, key=key_pem(key), local=False)
    path = sign_made(write_picture(folder / "a.png"), claim("still"), studio).file
    told = asked(live, path)
    assert told["status"] == 13 and told["files"][0]["intact"]
    assert "by a certificate that this machine does not know" in told["files"][0]["said"]
    (folder / "root.pem").write_text(authority.pem())
    assert one(live, path, folder / "root.pem")["state"] == "trusted"
    job = live.client.submit("credentials", {"path": str(path), "trust": [str(path)]}, wait=30)
    assert job["state"] == "failed" and "holds no certificate to trust" in job["error"]["message"]
    assert job["error"]["remedy"] == "Give a root certificate, in PEM"


def test_what_was_never_signed_and_what_is_not_there_are_told_apart(live: Live, folder: Path) -> None:
    told = asked(live, write_picture(folder / "bare.png"))
    assert told["status"] == 12 and told["files"][0]["said"] == "bare.png: no Content Credentials."
    job = live.client.submit("credentials", {"path": str(folder / "gone.png")}, wait=30)
    assert (job["state"], job["error"]["exit_status"]) == ("failed", 3) and "does not exist" in job["error"]["message"]


def test_what_lies_outside_the_allowed_folders_is_not_looked_at_through_a_link_either(
    live: Live, folder: Path, tmp_path: Path
) -> None:
    secret = sign_made(write_picture(tmp_path / "secret.png"), claim("still"), load_identity()).file
    with pytest.raises(EngineError, match="lies outside the folders that jobs may use"):
        asked(live, secret)
    movie(folder / "a.mkv")
    (folder / "a.c2pa").symlink_to(secret)
    for path in (folder, folder / "a.mkv", folder / "a.c2pa"):
        try:
            job = live.client.submit("credentials", {"path": str(path)}, wait=30)
        except EngineError as e:
            assert path.suffix == ".c2pa" and e.status == 403
        else:
            assert job["state"] == "failed" and "lies outside the folders" in job["error"]["message"], job
