"""Colour and edge of the new face, changed in the compositor without the engine, on a drawn plate and a drawn patch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from tests.support.blender import Blender

WIDTH, HEIGHT = 160, 120
SETTINGS = {
    "neutral": {},
    "brighter": {"Exposure": 1.0},
    "grey": {"Saturation": 0.0},
    "tinted": {"Gain": [1, 0.5, 0, 1]},
    "matched": {"Match": 1.0},
    "half matched": {"Match": 0.5},
    "smaller": {"Edge": -6},
    "larger": {"Edge": 6},
    "largest": {"Edge": 200},
    "feathered": {"Feather": 8},
    "all": {"Match": 1.0, "Exposure": 0.5, "Saturation": 1.5, "Gain": [1.1, 1, 0.9, 1], "Edge": 3, "Feather": 5},
}
SCENE = """
enable()
scene = empty_scene(width, height, 1, 3)
tree, end = compositor(scene)
plate = sequence(tree, str(folder / "plate.0001.exr"), 3, 1)
swap = tree.nodes.new("FaceplateSwapNode")
tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
part("tree.group").show(swap, folder / "patch.0001.exr", part("media").of_socket(swap.inputs["Image"], scene))

def shot(socket, name, frame=1):
    tree.links.new(socket, end.inputs[0])
    scene.frame_set(frame)
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    scene.render.filepath = str(folder / f"{name}.exr")
    bpy.ops.render.render(write_still=True)

"""


@dataclass(frozen=True)
class Rendered:
    """What Blender rendered, float32 [H, W, 4]; plate and patch are what its Image nodes read."""

    folder: Path

    def __getitem__(self, name: str) -> np.ndarray:
        return read(self.folder / f"{name}.exr")


def write(path: Path, rgba: np.ndarray) -> None:
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), oiio.ImageSpec(rgba.shape[1], rgba.shape[0], 4, "half"))
    assert out.write_image(np.ascontiguousarray(rgba, np.float32))
    out.close()


def read(path: Path) -> np.ndarray:
    return np.asarray(oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT))


@pytest.fixture(scope="module")
def rendered(faceplate_in: Blender, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Each setting as Image, Patch and Matte; exposure from 0 to 2 stops by keyframes; all neutral again."""
    folder = tmp_path_factory.mktemp(f"controls-{faceplate_in.version}")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    coverage = np.clip((40 - np.hypot((y - 60) / 1.3, x - 80)) / 10, 0, 1)[..., None]
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH, 3)) * [0.8, 0.6, 0.4]
    face = np.dstack([0.5 + 0.2 * np.sin(x / 5), 0.3 + 0.1 * np.cos(y / 7), np.full(x.shape, 0.2)])
    for number in (1, 2, 3):
        write(folder / f"plate.{number:04d}.exr", np.dstack([noise, np.ones((HEIGHT, WIDTH))]))
        write(folder / f"patch.{number:04d}.exr", np.dstack([face * coverage, coverage]))
    faceplate_in.run(f"""folder, width, height = Path({str(folder)!r}), {WIDTH}, {HEIGHT}
{SCENE}
inside = swap.node_tree.nodes["Result"]
shot(plate.outputs["Image"], "plate")
defaults = {{s.name: s.default_value[:] if s.type == "RGBA" else s.default_value for s in swap.inputs}}
for name, values in {SETTINGS!r}.items():
    for key, value in (defaults | values).items():
        swap.inputs[key].default_value = value
    for output in ("Image", "Patch", "Matte"):
        shot(swap.outputs[output], f"{{name}} {{output}}")
for key, value in defaults.items():
    swap.inputs[key].default_value = value
exposure = swap.inputs["Exposure"]
for frame, stops in ((1, 0.0), (3, 2.0)):
    exposure.default_value = stops
    exposure.keyframe_insert("default_value", frame=frame)
for frame in (1, 2, 3):
    shot(swap.outputs["Patch"], f"keyed {{frame}}", frame)
tree.links.new(plate.outputs["Image"], end.inputs[0])
over = tree.nodes.new("CompositorNodeAlphaOver")
lower, upper = [socket for socket in over.inputs if socket.type == "RGBA"]
raw = tree.nodes.new("CompositorNodeImage")
raw.image = inside.image
for name in ("frame_duration", "frame_start", "frame_offset", "use_auto_refresh"):
    setattr(raw, name, getattr(inside, name))
tree.links.new(plate.outputs["Image"], lower)
tree.links.new(raw.outputs["Image"], upper)
shot(over.outputs[0], "plain over")
shot(raw.outputs["Image"], "patch")
answer(True)
""")
    return Rendered(folder)


def test_neutral_values_leave_the_frame_as_it_is_without_them(rendered: Rendered) -> None:
    np.testing.assert_array_equal(rendered["neutral Image"], rendered["plain over"])
    np.testing.assert_array_equal(rendered["neutral Patch"], rendered["patch"])
    np.testing.assert_array_equal(rendered["neutral Matte"][..., 0], rendered["patch"][..., 3])


@pytest.mark.parametrize("name", SETTINGS)
def test_outside_of_the_matte_the_frame_is_the_plate_whatever_is_set(rendered: Rendered, name: str) -> None:
    outside = rendered["patch"][..., 3] == 0
    image, plate = rendered[f"{name} Image"], rendered["plate"]
    assert outside.mean() > 0.5 and np.isfinite(image).all()
    np.testing.assert_array_equal(image[outside], plate[outside])
    assert not rendered[f"{name} Matte"][outside, 0].any() and not rendered[f"{name} Patch"][outside].any()


def test_exposure_gain_and_saturation_change_the_colour_alone(rendered: Rendered) -> None:
    patch = rendered["patch"]
    for name, colour in (
        ("brighter", patch[..., :3] * 2),
        ("tinted", patch[..., :3] * [1, 0.5, 0]),
        ("grey", np.repeat((patch[..., :3] @ [0.2126, 0.7152, 0.0722])[..., None], 3, 2)),
    ):
        np.testing.assert_allclose(rendered[f"{name} Patch"][..., :3], colour, atol=1e-5)
        np.testing.assert_array_equal(rendered[f"{name} Patch"][..., 3], patch[..., 3])


def test_match_gives_the_new_face_the_mean_colour_of_the_plate_below_it(rendered: Rendered) -> None:
    patch, plate = rendered["patch"], rendered["plate"]
    wanted = (plate[..., :3] * patch[..., 3:]).sum((0, 1))
    had = patch[..., :3].sum((0, 1))
    assert np.abs(wanted / had - 1).max() > 0.1
    np.testing.assert_allclose(rendered["matched Patch"][..., :3].sum((0, 1)), wanted, rtol=1e-3)
    np.testing.assert_allclose(rendered["half matched Patch"][..., :3].sum((0, 1)), (wanted + had) / 2, rtol=1e-3)


def test_the_edge_shrinks_grows_over_its_own_soft_edge_and_feathers_inwards(rendered: Rendered) -> None:
    patch = rendered["patch"]
    mattes = {name: rendered[f"{name} Matte"][..., 0] for name in SETTINGS}
    before = patch[..., 3]
    assert (mattes["smaller"] <= before).all() and mattes["smaller"].sum() < 0.8 * before.sum()
    assert (mattes["larger"] >= before).all() and mattes["larger"].sum() > 1.1 * before.sum()
    assert (mattes["largest"][before > 0.02] > 0.99).all()
    assert (mattes["feathered"] <= before + 1e-6).all()
    steps = [np.abs(np.diff(mattes[name][60])).max() for name in ("feathered", "neutral")]
    assert steps[0] < steps[1] and mattes["feathered"].max() > 0.99
    for name in ("smaller", "larger", "feathered"):  # the colour of each pixel stays
        seen = mattes[name] > 0.02
        colours = rendered[f"{name} Patch"][seen, :3] / mattes[name][seen, None]
        np.testing.assert_allclose(colours, patch[seen, :3] / before[seen, None], atol=1e-4)


def test_they_can_be_keyframed(rendered: Rendered) -> None:
    first, second, third = (rendered[f"keyed {frame}"][60, 80, 0] for frame in (1, 2, 3))
    assert third == pytest.approx(4 * first, rel=1e-4) and first < second < third
