"""Blender renders what the scene says, frame by frame, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nodes.errors import FaceplateError
from trainer.synthetic.render import Passes, render
from trainer.synthetic.scene import (
    Camera,
    Light,
    Material,
    MeshThing,
    Scene,
    StrandThing,
    World,
    looking,
    project,
    quads,
)

SIZE = (96, 64)
SPEED = 0.1  # metres a frame


@pytest.fixture(autouse=True)
def own_blender(renderer: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_BPY50", str(renderer))
        yield


def scene(shutter: float = 0.0) -> Scene:
    """A square that flies to the right before a still, hairy one."""
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    corners, starts = quads(np.arange(4)[None])
    flying = np.stack([0.2 * square + [SPEED * t - 0.3, -1, 0] for t in range(3)]).astype(np.float32)
    roots = np.stack([np.linspace(-0.9, 0.9, 40), np.full(40, -0.01), np.full(40, 0.9)], 1)
    hairs = np.stack([roots, roots + np.array([0, 0, 0.5])], 1)[None].astype(np.float32)
    grey, red = Material("plain", {"colour": [0.5] * 3}), Material("plain", {"colour": [0.8, 0.1, 0.1]})
    still = np.zeros((1, 3))
    return Scene(
        frames=3,
        size=SIZE,
        rate=Fraction(24),
        camera=Camera(looking(np.array([[0, -5.0, 0]]), still), np.float32([50]), np.float32([4])),
        lights=(Light("key", looking(np.array([[2, -4.0, 2]]), still), np.float32([200])),),
        world=World(np.full((4, 8, 3), 0.3, np.float32)),
        things=(
            MeshThing("0.flying", flying, corners, starts, red),
            MeshThing("0.still", square[None], corners, starts, grey),
            StrandThing("0.hair", hairs, np.full((40, 2), 0.02, np.float32), red),
        ),
        shutter=shutter,
        samples=4,
    )


def test_mattes_depth_and_projection_are_those_of_the_geometry(tmp_path: Path) -> None:
    take = scene()
    passes = [Passes(file) for file in render(take, tmp_path)]
    flying = take.things[0]
    assert isinstance(flying, MeshThing)
    middles = project(flying.vertices.mean(1, keepdims=True), take.camera, SIZE)[:, 0]
    for frame, (found, middle) in enumerate(zip(passes, middles, strict=True)):
        matte = found.matte("0.flying")
        y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
        assert abs(float((x * matte).sum() / matte.sum()) - middle[0]) < 0.2, frame
        assert abs(float((y * matte).sum() / matte.sum()) - middle[1]) < 0.2, frame
        side = 0.4 * 50 / 36 * SIZE[0] / 4
        assert matte.sum() == pytest.approx(side**2, rel=0.05)
        assert float(found.depth[matte == 1].mean()) == pytest.approx(4, abs=0.05)
        assert (np.abs(found.normal[matte == 1] - [0, -1, 0]) < 0.01).all()
        assert (np.abs(found.albedo[matte == 1] / [0.8, 0.1, 0.1] - 1) < 0.05).all()  # less what the surface reflects
        assert found.matte("0.hair").sum() > 20
        whole = found.matte("0.")
        assert whole.max() <= 1
        assert whole[32, 48] == pytest.approx(1, abs=1e-3)


def test_an_open_shutter_blurs_along_the_motion(tmp_path: Path) -> None:
    sharp, blurred = (
        Passes(render(scene(shutter), tmp_path / str(shutter))[1]).matte("0.flying") for shutter in (0.0, 1.0)
    )
    edge = SPEED * 50 / 36 * SIZE[0] / 4  # pixels that it flies while the shutter is open
    soft = ((blurred[32] > 0.02) & (blurred[32] < 0.98)).sum() / 2
    assert ((sharp[32] > 0.02) & (sharp[32] < 0.98)).sum() / 2 < 1.5
    assert soft == pytest.approx(edge, abs=1.5)
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.1)


def test_what_is_rendered_is_kept_unless_the_scene_changes(tmp_path: Path) -> None:
    files = render(scene(), tmp_path)
    before = [Passes(file).rgb for file in files]
    kept = files[0].stat().st_mtime_ns
    files[1].unlink()
    done: list[int] = []
    render(scene(), tmp_path, progress=lambda stage, count, total: done.append(count))
    assert done == [2, 3]
    assert files[0].stat().st_mtime_ns == kept
    assert np.array_equal(Passes(files[1]).rgb, before[1])
    render(replace(scene(), seed=1), tmp_path)
    assert files[0].stat().st_mtime_ns != kept


def test_what_blender_says_is_in_the_error(tmp_path: Path) -> None:
    take = scene()
    things = (replace(take.things[0], material=Material("unobtainium")),)
    with pytest.raises(FaceplateError, match="unobtainium"):
        render(replace(take, things=things), tmp_path)
