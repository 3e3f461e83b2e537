"""What a media file says of itself is read again when the file changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from host_bridge.timeline.read.places import read_header
from tests.support.clips import write_movie

BLACK = np.zeros((32, 32, 3), np.uint8)


def test_a_sequence_that_grows_and_a_movie_that_is_replaced_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.0001.png").touch()
    assert read_header(tmp_path / "a.%04d.png").frames == 1
    (tmp_path / "a.0002.png").touch()
    assert read_header(tmp_path / "a.%04d.png").frames == read_header(tmp_path).frames == 2
    movie = write_movie(tmp_path / "b.mp4", [BLACK] * 3)
    before = movie.stat()
    assert read_header(movie).frames == 3
    write_movie(tmp_path / "c.mp4", [BLACK] * 5).replace(movie)
    os.utime(movie, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_header(movie).frames == 5
