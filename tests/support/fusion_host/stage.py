"""Sample footage, a running engine, the Fuses, and what the engine made of the footage for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from host_bridge.fusion.build import build
from nodes.footage.patch_files import read_matte
from tests.support.clips import pictures, write_movie, write_pngs
from tests.support.fusion_host.fuse import Environment, Fuse
from tests.support.live_engine import Live, live_engine

FIRST, COUNT = 7, 4  # the first file's number, and how many


@dataclass(frozen=True)
class Stage:
    """live.work holds plate/, source.mkv and the engine's results: swap, mask, detect, align."""

    live: Live
    fuses: Path

    @property
    def watched(self) -> Path:
        return self.fuses.parent / "watched"

    @property
    def work(self) -> Path:
        return self.live.work

    @property
    def plates(self) -> str:
        return str(self.work / "plate" / "plate.%04d.png")

    @property
    def source(self) -> str:
        return str(self.work / "source.mkv")

    def fuse(self, node: str, environment: Environment = "full", results: str | Path = "") -> Fuse:
        made = Fuse(self.fuses / "Fuses" / f"Faceplate{node}.fuse", environment)
        if results:
            made.set(Results=self.work / results)
        return made

    def plate(self, number: int) -> np.ndarray:
        return read(self.work / "plate" / f"plate.{number:04d}.png")

    def composite(self, number: int, swap: str = "swap") -> np.ndarray:
        return read(self.work / swap / "composite" / f"composite.{number:04d}.png")

    def matte(self, number: int, folder: str = "swap") -> np.ndarray:
        return read_matte(self.work / folder / "matte" / f"matte.{number:04d}.exr")

    def do(self, kind: str, **request: Any) -> dict[str, Any]:
        job = self.live.client.wait(self.live.client.submit(kind, request)["id"], 60)
        assert job["state"] == "finished", job["error"]
        return job["result"]


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None, path
    return np.ascontiguousarray(found[..., 2::-1])


@contextmanager
def prepared(folder: Path, samples: Path) -> Iterator[Stage]:
    """The footage, the engine, the Fuses and a folder of temporary files; no results yet. Nobody looks after the folder `watched` yet."""
    build(folder / "root", watched=str(folder / "watched"))
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch, live_engine(folder / "engine") as live:
        patch.setenv("TMPDIR", str(folder / "tmp"))
        write_pngs(live.work / "plate", pictures(samples / "cap13_edit2.mp4", 20, COUNT), FIRST)
        write_movie(live.work / "source.mkv", pictures(samples / "franck.mp4", 0, 30), codec="ffv1")
        yield Stage(live, folder / "root")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Stage]:
    with prepared(tmp_path_factory.mktemp("fusion"), samples) as made:
        plate, same = made.plates, {"rate": "25", "fusion": True}
        made.do("swap", plate=plate, source=made.source, out=str(made.work / "swap"), **same)
        made.do("mask", plate=plate, out=str(made.work / "mask"), **same)
        made.do("detect", clip=plate, out=str(made.work / "detect" / "faces.npz"), **same)
        made.do("align", clip=plate, out=str(made.work / "align"), **same)
        yield made
