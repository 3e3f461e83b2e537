"""The cache: what is kept, how much of it, and how it is emptied."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from host_bridge.cli import main
from nodes import cache
from tests.support.clips import write_movie


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of three files of 1000 bytes, the oldest first."""
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path))
    (tmp_path / "faces").mkdir()
    for age, name in enumerate(("oldest", "older", "new")):
        file = tmp_path / "faces" / f"{name}.npz"
        file.write_bytes(bytes(1000))
        os.utime(file, (1000.0 + age, 1000.0 + age))
    return tmp_path


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    assert cache.keep_within(2500) == 1000
    assert [path.stem for path, _, _ in cache.kept()] == ["new", "older"]
    assert cache.keep_within(2500) == 0


def test_the_command_says_how_much_there_is_and_empties_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEPLATE_CACHE_LIMIT", "0.5")
    assert main(["cache", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == 3000 and told["limit"] == 500_000_000 and told["folder"] == str(folder)
    assert main(["cache", "clear"]) == 0
    assert cache.kept() == []
    assert folder.is_dir()


@pytest.mark.parametrize("told", ["two", "-1", "nan", "inf", "1e400", "2GB"])
def test_a_limit_that_is_no_size_is_told_before_any_work(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plate_pictures: list[np.ndarray],
    told: str,
) -> None:
    monkeypatch.setenv("FACEPLATE_CACHE_LIMIT", told)
    assert main(["cache"]) == 1
    assert f"FACEPLATE_CACHE_LIMIT={told}: is no size" in capsys.readouterr().err
    clip = write_movie(folder / "clip.mkv", plate_pictures[:2], 25, codec="ffv1")
    assert main(["detect", str(clip), "--out", str(folder / "faces")]) == 1
    assert "frames in" not in capsys.readouterr().err and len(cache.kept()) == 3
