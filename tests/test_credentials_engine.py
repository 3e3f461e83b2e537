"""A real engine verifies results: each tampering is found, the frame is named, and the answer is what the command prints."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_engine import Live, live_engine
from signing import claim, flip, movie, write_frames, write_picture

from host_bridge.client import EngineError
from nodes.credentials.identity import load_identity
from nodes.credentials.sign import sign_file, sign_sequence


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
    sign_sequence(frames, claim(), load_identity())
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
    path = sign_file(write_picture(folder / "a.png"), claim("still"), load_identity()).file
    assert one(live, path)["intact"]
    found = path.stat()
    os.utime(flip(path), ns=(found.st_atime_ns, found.st_mtime_ns))
    file = one(live, path)
    assert not file["intact"] and file["said"] == (
        "a.png: not intact: the file was changed after it was signed, or the manifest is that of another file."
    )


def test_what_lies_outside_the_allowed_folders_is_not_looked_at_through_a_link_either(
    live: Live, folder: Path, tmp_path: Path
) -> None:
    secret = sign_file(write_picture(tmp_path / "secret.png"), claim("still"), load_identity()).file
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
