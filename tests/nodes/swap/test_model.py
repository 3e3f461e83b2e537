"""The runtime of the method `model`, on small ONNX models that are built here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nodes.errors import ModelError, SchemaError
from nodes.swap.model import load_model
from nodes.swap.place import move
from nodes.swap.runner import INPUTS

SIZE = 32


def save(path: Path, graph_nodes, inputs, outputs, metadata=None, constants=()) -> Path:
    tensors = [
        [helper.make_tensor_value_info(name, type_, shape) for name, type_, shape in side] for side in (inputs, outputs)
    ]
    graph = helper.make_graph(graph_nodes, "test", *tensors, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def said(**changes: str | None) -> dict[str, str]:
    metadata = {
        "schema": "faceplate.model/1",
        "subject": "face",
        "template": "face/1",
        "size": str(SIZE),
        "coverage": "1.25",
        "colour": "rgb",
        "layout": "nhwc",
        "inputs": json.dumps(["crop"]),
    }
    return {f"faceplate.{k}": v for k, v in (metadata | changes).items() if v is not None}


def identity(path: Path, *, batch: int | str = "N", type_: int = TensorProto.FLOAT, **changes) -> Path:
    """NHWC: the face is the crop, the mask its green channel."""
    shape = [batch, SIZE, SIZE]
    return save(
        path,
        [
            helper.make_node("Identity", ["crop"], ["face"]),
            helper.make_node("Slice", ["crop", "one", "two", "axis"], ["mask"]),
        ],
        [("crop", type_, [*shape, 3])],
        [("face", type_, [*shape, 3]), ("mask", type_, [*shape, 1])],
        said(**changes),
        [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("one", 1), ("two", 2), ("axis", 3))],
    )


def blend(path: Path, **changes) -> Path:
    """NCHW BGR: the reference over the crop, the mask its alpha; the first channel out is the reference's blue."""
    planes = ["N", "C", SIZE, SIZE]
    constants = [
        helper.make_tensor(n, TensorProto.INT64, [1], [v])
        for n, v in (("zero", 0), ("three", 3), ("four", 4), ("axis", 1))
    ]
    return save(
        path,
        [
            helper.make_node("Slice", ["reference", "zero", "three", "axis"], ["colour"]),
            helper.make_node("Slice", ["reference", "three", "four", "axis"], ["mask"]),
            helper.make_node("Mul", ["crop", "mask"], ["hidden"]),
            helper.make_node("Sub", ["crop", "hidden"], ["rest"]),
            helper.make_node("Add", ["colour", "rest"], ["face"]),
        ],
        [("crop", TensorProto.FLOAT, ["N", 3, SIZE, SIZE]), ("reference", TensorProto.FLOAT, ["N", 4, SIZE, SIZE])],
        [("face", TensorProto.FLOAT, planes), ("mask", TensorProto.FLOAT, planes)],
        said(layout="nchw", colour="bgr", inputs='["crop", "reference"]') | changes,
        constants,
    )


def moving(path: Path, flow: np.ndarray, shade: np.ndarray, given: str = "reference") -> Path:
    """NHWC: a fixed flow and shade for one picture."""
    grids = {"flow": flow[None], "shade": shade[None]}
    return save(
        path,
        [helper.make_node("Constant", [], [n], value=numpy_helper.from_array(g, n)) for n, g in grids.items()],
        [(given, TensorProto.FLOAT, [1, SIZE, SIZE, INPUTS[given]])],
        [(name, TensorProto.FLOAT, grid.shape) for name, grid in grids.items()],
        said(inputs=json.dumps([given])),
    )


def dfm(path: Path, batch: int | str | None = None, morph: bool = False) -> Path:
    """A lookalike of DeepFaceLab's: the face is the crop with less of its first channel, blue; masks of ½ and ½."""
    shape = [batch, SIZE, SIZE]
    value = "morph_value:0" if morph else "one"
    constants = [
        helper.make_tensor(n, TensorProto.FLOAT, s, v)
        for n, s, v in (("one", [1], [1.0]), ("less_blue", [3], [0.5, 1, 1]), ("half", [1], [0.5]), ("nil", [1], [0.0]))
    ] + [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("a", 0), ("b", 1), ("axis", 3))]
    return save(
        path,
        [
            helper.make_node("Mul", ["in_face:0", "less_blue"], ["tinted"]),
            helper.make_node("Mul", ["tinted", value], ["out_celeb_face:0"]),
            helper.make_node("Slice", ["in_face:0", "a", "b", "axis"], ["channel"]),
            helper.make_node("Mul", ["channel", "nil"], ["black"]),
            helper.make_node("Add", ["black", "half"], ["out_face_mask:0"]),
            helper.make_node("Add", ["black", "half"], ["out_celeb_face_mask:0"]),
        ],
        [("in_face:0", TensorProto.FLOAT, [*shape, 3])] + ([(value, TensorProto.FLOAT, [1])] if morph else []),
        [
            ("out_face_mask:0", TensorProto.FLOAT, [*shape, 1]),
            ("out_celeb_face:0", TensorProto.FLOAT, [*shape, 3]),
            ("out_celeb_face_mask:0", TensorProto.FLOAT, [*shape, 1]),
        ],
        constants=constants,
    )


def crops(count: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(count).random((count, size, size, 3), np.float32)


def test_a_model_says_what_it_needs(tmp_path):
    model = load_model(identity(tmp_path / "m.onnx"))
    assert (model.size, model.coverage, model.subject, model.template) == (SIZE, 1.25, "face", "face/1")
    assert not model.needs_reference
    assert load_model(blend(tmp_path / "b.onnx")).needs_reference


@pytest.mark.parametrize("fixed", ["N", 1, 4])
@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_every_crop_comes_back_whatever_the_batch(tmp_path, fixed, count):
    model = load_model(identity(tmp_path / "m.onnx", batch=fixed))
    given = crops(count)
    faces, masks = model.run(given, batch=3)
    np.testing.assert_array_equal(faces, given)
    np.testing.assert_array_equal(masks, given[..., 1])
    assert faces.dtype == masks.dtype == np.float32


def test_a_half_precision_model_runs(tmp_path):
    faces, _ = load_model(identity(tmp_path / "m.onnx", type_=TensorProto.FLOAT16)).run(crops(2))
    np.testing.assert_allclose(faces, crops(2), atol=1e-3)


def test_planar_bgr_and_the_reference_keep_their_colours(tmp_path):
    model = load_model(blend(tmp_path / "b.onnx"))
    plate, reference = crops(3), np.zeros((3, SIZE, SIZE, 4), np.float32)
    reference[:, 8:24, 8:24] = [1, 0.5, 0, 1]
    faces, masks = model.run(plate, reference)
    np.testing.assert_allclose(faces[:, 10, 10], [[1, 0.5, 0]] * 3)
    np.testing.assert_array_equal(faces[:, 0], plate[:, 0])
    np.testing.assert_array_equal(masks, reference[..., 3])


def test_a_flow_and_a_shade_take_the_place_of_face_and_mask(tmp_path):
    flow, shade = crops(1, 4)[0, ..., :2], -crops(1, 4)[0]
    model = load_model(moving(tmp_path / "m.onnx", flow, shade))
    assert model.moves and model.needs_reference
    flows, shades = model.run(references=np.ones((3, SIZE, SIZE, 4), np.float32))
    np.testing.assert_array_equal(flows, [flow] * 3)
    np.testing.assert_array_equal(shades, [shade] * 3)


@pytest.mark.parametrize("size", [SIZE, 3 * SIZE])
def test_a_picture_of_any_size_is_moved_and_shaded(size):
    picture = crops(1, size)[0] / 2
    moved = move(picture, np.tile(np.float32([0.25, 0]), (4, 4, 1)), np.full((4, 4, 3), 0.125, np.float32))
    np.testing.assert_allclose(moved[:, : -size // 4], picture[:, size // 4 :] + 0.125, atol=1e-5)


def test_a_flow_without_a_reference_to_move_is_refused(tmp_path):
    flow, shade = np.zeros((4, 4, 2), np.float32), np.zeros((4, 4, 3), np.float32)
    with pytest.raises(ModelError, match=r"m\.onnx.*'reference'"):
        load_model(moving(tmp_path / "m.onnx", flow, shade)).run(crops(1))
    with pytest.raises(ModelError, match="lacks the picture"):
        load_model(moving(tmp_path / "m.onnx", flow, shade, "crop"))


def test_a_model_that_needs_a_reference_says_so_when_there_is_none(tmp_path):
    with pytest.raises(ModelError, match=r"b\.onnx.*'reference'"):
        load_model(blend(tmp_path / "b.onnx")).run(crops(1))


def test_crops_of_another_size_are_refused_with_the_size_to_use(tmp_path):
    with pytest.raises(ModelError, match=r"crop size of 32"):
        load_model(identity(tmp_path / "m.onnx")).run(crops(1, 48))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"schema": "faceplate.model/2"}, SchemaError, "newer Faceplate.*Update"),
        ({"schema": "faceplate.shot/1"}, SchemaError, r"faceplate\.shot/1"),
        ({"subject": "hand"}, ModelError, "'hand', not 'face'"),
        ({"template": "other/1"}, ModelError, "'other/1', not 'face/1'"),
        ({"size": "64"}, ModelError, "64×64"),
        ({"size": "-1"}, ModelError, "faceplate.size"),
        ({"size": None}, ModelError, "faceplate.size"),
        ({"coverage": "nan"}, ModelError, "faceplate.coverage"),
        ({"colour": "yuv"}, ModelError, "faceplate.colour"),
        ({"layout": "nchw"}, ModelError, "'crop'"),
        ({"inputs": '["crop", "depth"]'}, ModelError, "faceplate.inputs"),
        ({"inputs": '["crop", "reference"]'}, ModelError, "promises"),
        ({"inputs": "5"}, ModelError, "faceplate.inputs"),
        ({"schema": None}, ModelError, "no swap model"),
    ],
)
def test_a_model_for_something_else_is_refused_by_name(tmp_path, changes, error, words):
    path = identity(tmp_path / "wrong.onnx", **changes)
    with pytest.raises(error, match=rf"wrong\.onnx.*{words}"):
        load_model(path, template="face/1")


def test_a_model_of_whole_numbers_is_refused(tmp_path):
    with pytest.raises(ModelError, match="float tensor"):
        load_model(identity(tmp_path / "m.onnx", type_=TensorProto.UINT8))


def test_a_model_that_gives_no_numbers_is_refused_when_it_runs(tmp_path):
    given = crops(2)
    given[1, 3, 3] = np.nan
    with pytest.raises(ModelError, match="not numbers"):
        load_model(identity(tmp_path / "m.onnx")).run(given)


def test_missing_corrupt_and_truncated_files_are_refused_by_name(tmp_path):
    whole = identity(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "corrupt.onnx").write_bytes(np.random.default_rng(0).bytes(4096))
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "folder.onnx").mkdir()
    for name in ("truncated", "corrupt", "empty", "folder", "missing"):
        with pytest.raises(ModelError, match=rf"{name}\.onnx"):
            load_model(tmp_path / f"{name}.onnx")


@pytest.mark.parametrize("batch", [None, 1])
def test_a_dfm_is_read(tmp_path, batch):
    model = load_model(dfm(tmp_path / "someone.dfm", batch))
    given = crops(5)
    faces, masks = model.run(given)
    assert (model.size, model.coverage, model.template, model.inputs) == (SIZE, 1.0, "dfm", ("crop",))
    np.testing.assert_allclose(faces, given * [1, 1, 0.5], atol=1e-6)
    np.testing.assert_allclose(masks, 0.25)


def test_a_morphing_dfm_takes_its_value(tmp_path):
    model = load_model(dfm(tmp_path / "amp.dfm", morph=True))
    np.testing.assert_allclose(model.run(crops(1))[0], crops(1) * [0.75, 0.75, 0.375], atol=1e-6)
