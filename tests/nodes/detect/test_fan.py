"""S3FD and FAN through face-alignment's own code, with its own networks: freshly initialised, for the weights cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from filelock import FileLock

from nodes.align import align, fan
from nodes.definitions import AlignParameters, Detector, DetectParameters
from nodes.detect import detect, s3fd
from nodes.errors import FaceplateError, ModelError
from nodes.types import Faces
from tests.support.memory import clip_of

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("one_thread")]

RELEASE = "1.5.0"
S3FD, FAN = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Iterator[None]:
    """The package alone, made once by pip: what it requires but numba, which only makes it quicker, is here already."""
    folder = Path(request.config.cache.mkdir("face-alignment")) / RELEASE
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "face_alignment").is_dir():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = subprocess.run(
                [*pip, "--target", folder, f"face-alignment=={RELEASE}"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[-2000:]
    numba = ModuleType("numba")
    numba.jit = lambda **_: lambda function: function  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setitem(sys.modules, "numba", sys.modules.get("numba", numba))
        yield
        for name in [name for name in sys.modules if name.partition(".")[0] == "face_alignment"]:
            patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def hub(library: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the library looks for its weights, and finds them."""
    from face_alignment.detection.sfd.net_s3fd import s3fd as S3fd
    from face_alignment.models import FAN as Fan

    folder, before = tmp_path_factory.mktemp("hub"), torch.hub.get_dir()
    (folder / "checkpoints").mkdir()
    torch.manual_seed(0)
    torch.save(S3fd().state_dict(), folder / "checkpoints" / S3FD)
    torch.save(Fan(4).state_dict(), folder / "checkpoints" / FAN)
    torch.hub.set_dir(folder)
    yield folder / "checkpoints"
    torch.hub.set_dir(before)


@pytest.fixture(autouse=True)
def fresh(hub: Path) -> Iterator[None]:
    yield
    s3fd._detector.cache_clear()
    fan._network.cache_clear()


class Says(torch.nn.Module):
    """In the place of S3FD's network: says that there are faces of these scores in these cells, {(stride, y, x): score}."""

    def __init__(self, cells: dict[tuple[int, int, int], float]) -> None:
        super().__init__()
        self.cells = cells
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        self.seen.append(images)
        told = []
        for stride in (4, 8, 16, 32, 64, 128):
            size = -(-images.shape[2] // stride), -(-images.shape[3] // stride)
            logits = torch.zeros(1, 2, *size)
            logits[:, 0] = 20.0
            for (s, y, x), score in self.cells.items():
                if s == stride:
                    logits[0, :, y, x] = torch.tensor([1 - score, score]).log()
            told += [logits, torch.zeros(1, 4, *size)]
        return told


@pytest.mark.parametrize("size", [(96, 128), (75, 101), (1, 1), (20, 300)])
def test_the_librarys_own_s3fd_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    found = s3fd.find_faces(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8), 0.1)
    assert found.boxes.shape == (len(found), 4) and found.keypoints.shape == (len(found), 6, 2)
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert np.isfinite(found.boxes).all() and (found.scores >= 0.1).all()


def test_its_boxes_lie_where_the_network_says_in_the_pictures_own_pixels_and_scores_below_a_half_count() -> None:
    network = s3fd._detector().face_detector = Says({(16, 4, 9): 0.9, (32, 1, 1): 0.3, (8, 2, 30): 0.02})
    picture = np.full((120, 250, 3), (10, 20, 30), np.uint8)
    found = s3fd.find_faces(picture, 0.1)
    assert np.allclose(found.boxes, [[120, 40, 184, 104], [-16, -16, 112, 112]])
    assert np.allclose(found.scores, [0.9, 0.3], atol=1e-6)
    (seen,) = network.seen
    assert seen.shape == (1, 3, 120, 250)
    assert seen[0, :, 0, 0].tolist() == [30 - 104, 20 - 117, 10 - 123]  # blue, green, red, as the network was trained
    assert len(s3fd.find_faces(picture, 0.5)) == 1
    assert len(s3fd.find_faces(picture, 0.95)) == 0
    eyes = found.keypoints[0, :2]
    assert eyes[0, 1] == eyes[1, 1] and 120 < eyes[0, 0] < eyes[1, 0] < 184


def test_a_face_that_s3fd_finds_is_followed(plate_pictures: list[np.ndarray]) -> None:
    expected = detect(clip_of(plate_pictures[:6]))
    x0, y0, x1, y1 = expected.tracks[0].boxes[0]
    cell = (32, int((y0 + y1) / 64), int((x0 + x1) / 64))
    s3fd._detector().face_detector = Says({cell: 0.9})
    (track,) = detect(clip_of(plate_pictures[:6]), DetectParameters(detector=Detector.S3FD)).tracks
    assert track.frames.tolist() == list(range(6))
    assert np.abs(track.landmarks[..., :2] - expected.tracks[0].landmarks[..., :2]).max() < 3


@pytest.fixture(scope="module")
def faces(plate_pictures: list[np.ndarray]) -> tuple[list[np.ndarray], Faces]:
    """A frame with two faces beside each other."""
    pictures = [np.hstack([plate_pictures[0], plate_pictures[0][:, ::-1]])]
    found = detect(clip_of(pictures))
    assert [len(t) for t in found.tracks] == [1, 1]
    return pictures, found


def test_the_librarys_own_fan_gives_every_face_of_a_frame_its_landmarks(faces: Any) -> None:
    aligned = align(faces[1], AlignParameters(landmarker="fan"), clip_of(faces[0])).crops
    assert len(aligned) == 2
    for before, after in zip(faces[1].tracks, (a.track for a in aligned), strict=True):
        assert after.landmarks.shape == before.landmarks.shape and after.landmarks.dtype == np.float32
        assert np.isfinite(after.landmarks).all() and not np.array_equal(after.landmarks, before.landmarks)
        assert np.array_equal(after.landmarks[..., 2], before.landmarks[..., 2])


class Brightest(torch.nn.Module):
    """In the place of FAN: all points lie where its picture is brightest."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        assert crops.shape[1:] == (3, 256, 256) and float(crops.max()) <= 1
        return torch.nn.functional.avg_pool2d(crops.mean(1, keepdim=True), 4).expand(-1, 68, -1, -1).clone()


@pytest.mark.parametrize("place", [(131.5, 90.5), (150.5, 140.5), (98.5, 101.5)])
def test_its_points_lie_where_the_network_says_in_the_pictures_own_pixels(
    faces: Any, monkeypatch: pytest.MonkeyPatch, place: tuple[float, float]
) -> None:
    picture, found = np.zeros((300, 400, 3), np.uint8), faces[1]
    x, y = place
    picture[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    track = replace(
        found.tracks[0],
        frames=np.array([0]),
        boxes=np.float32([[80, 70, 180, 190]]),
        **{name: getattr(found.tracks[0], name)[:1] for name in ("scores", "landmarks")},
    )
    points: list[np.ndarray] = []
    monkeypatch.setattr(fan, "bend", lambda mesh, at: points.append(at) or mesh)
    fan._network().face_alignment_net = Brightest()
    outside = replace(track, id=1, boxes=track.boxes + 1000)
    fan.refine(replace(found, width=400, height=300, count=1, tracks=(track, outside)), clip_of([picture]))
    (at,) = points  # the face outside of the picture has none
    assert at.shape == (68, 2)
    assert np.abs(at - place).max() < 4  # half a cell of the network's, of 64 over twice the face


@pytest.mark.parametrize(("name", "use"), [(S3FD, "--detector auto"), (FAN, "--landmarker mesh")])
def test_weights_that_are_not_there_or_damaged_are_named(
    hub: Path, tmp_path: Path, faces: Any, monkeypatch: pytest.MonkeyPatch, name: str, use: str
) -> None:
    pictures, found = faces

    def run() -> None:
        s3fd.find_faces(pictures[0], 0.5) if name == S3FD else fan.refine(found, clip_of(pictures))

    def unreachable(url: str, *_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("face_alignment.utils.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(ModelError, match=rf"{name}: is missing.*no network.*{use}") as caught:
        run()
    assert caught.value.exit_status == 5
    file = tmp_path / "checkpoints" / name
    os.link(hub / (FAN if name == S3FD else S3FD), file)
    for content in (None, b"", b"not weights", (hub / name).read_bytes()[:5000]):
        if content is not None:
            file.unlink()
            file.write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}: does not hold the weights .*Delete it"):
            run()


def test_fan_is_for_faces_alone(faces: Any) -> None:
    with pytest.raises(FaceplateError, match="finds faces, no hand"):
        fan.refine(replace(faces[1], subject="hand"), clip_of(faces[0]))
