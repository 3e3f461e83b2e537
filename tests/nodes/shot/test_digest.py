"""Digests of footage: of all that it holds, and computed once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nodes import cache as digest
from nodes.cache import digest_file, digest_footage
from nodes.errors import FootageError


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests"


def frames(folder: Path) -> list[Path]:
    folder.mkdir()
    files = [folder / f"a.{i:04d}.exr" for i in range(3)]
    for i, file in enumerate(files):
        file.write_bytes(np.random.default_rng(i).bytes(400_000))
    return files


@pytest.mark.parametrize("settled", [-1.0, 2.0])
def test_a_frame_repainted_in_place_is_another_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: float
) -> None:
    monkeypatch.setattr(digest, "_SETTLED", settled)
    files = frames(tmp_path / "a")
    before, old = digest_footage(tmp_path / "a"), files[1].stat()
    with files[1].open("rb+") as file:
        file.seek(200_000)
        file.write(b"repainted")
    os.utime(files[1], ns=(old.st_atime_ns, old.st_mtime_ns))  # as tools do that keep times
    assert files[1].stat().st_size == old.st_size
    assert digest_footage(tmp_path / "a") != before


def test_a_large_movie_changed_anywhere_is_another_one(tmp_path: Path) -> None:
    movie = tmp_path / "a.mov"
    with movie.open("wb") as file:
        file.truncate(70 << 20)
    before = digest_footage(movie)
    with movie.open("rb+") as file:
        file.seek(33_333_333)
        file.write(b"x")
    assert digest_footage(movie) == digest_file(movie) != before


def test_what_did_not_change_is_not_read_again(tmp_path: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_SETTLED", -1.0)
    files = frames(tmp_path / "a")
    first, alone = digest_footage(tmp_path / "a"), digest_file(files[0])
    assert len(list(cached.iterdir())) == 2
    monkeypatch.setattr(digest, "_parts", None)
    assert (digest_footage(tmp_path / "a" / "a.%04d.exr"), digest_file(files[0])) == (first, alone)


def test_what_was_changed_just_now_is_not_kept(tmp_path: Path, cached: Path) -> None:
    frames(tmp_path / "a")
    digest_footage(tmp_path / "a")
    assert not cached.exists()


def test_the_place_of_footage_does_not_count_but_its_names_do(tmp_path: Path) -> None:
    files = frames(tmp_path / "a")
    before = digest_footage(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_footage(tmp_path / "b") == before
    (tmp_path / "b" / files[0].name).rename(tmp_path / "b" / "a.0003.exr")
    assert digest_footage(tmp_path / "b") != before


def test_missing_footage_is_named(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"gone.mov: cannot be read"):
        digest_footage(tmp_path / "gone.mov")
