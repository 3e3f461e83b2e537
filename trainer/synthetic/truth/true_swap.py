"""Measures of a swapped picture against the true swap: the source person rendered in the plate's performance, camera and light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import onnx
import onnxruntime as ort

from nodes.footage.colour import to_linear, to_srgb
from nodes.geometry.sampling import crop
from nodes.mask import signed_distance
from nodes.recognise import NETWORK, SIZE, chip_transforms
from nodes.runtime import create_session, read_weights
from nodes.types import Float, Image8

_EDGE = 0.5  # coverage at the outline of a matte
_BESIDE = 0.75  # pixels from an outline


@dataclass(frozen=True)
class ColourError:
    """Differences of colour inside a matte, CIE 1976 ΔE*: mean and 95th percentile, as it is and after the best gain for each channel."""

    mean: float
    p95: float
    mean_after_gain: float
    p95_after_gain: float


def colour_error(picture: Float, true: Float, matte: Float) -> ColourError:
    """Compare the colours of two pictures [H, W, 3], sRGB 0..1, where the matte [H, W] is above ½."""
    inside = matte > _EDGE
    if not inside.any():
        return ColourError(*[float("nan")] * 4)
    one, other = (to_linear(np.asarray(p[inside], np.float32)[None], "srgb") for p in (picture, true))
    gain = (one * other).sum((0, 1)) / np.maximum((one * one).sum((0, 1)), 1e-9)
    matched = to_srgb(np.clip(one * gain, 0, 1), "scene_linear")
    errors = [_differences(np.asarray(p, np.float32), true[inside][None]) for p in (picture[inside][None], matched)]
    return ColourError(*(float(value) for e in errors for value in (e.mean(), np.percentile(e, 95))))


def _differences(one: Float, other: Float) -> Float:
    lab = [cv2.cvtColor(np.ascontiguousarray(p, np.float32), cv2.COLOR_RGB2Lab) for p in (one, other)]
    return np.asarray(np.linalg.norm(lab[0] - lab[1], axis=-1))


def feature_distance(picture: Image8, true: Image8, landmarks: Float) -> float:
    """Measure how different a face looks to the recogniser's layers, 0 for the same picture, after Zhang et al. 2018 (LPIPS, with equal weights).

    picture, true: RGB [H, W, 3]. landmarks: true ones [478, >=2], by which both are cut.
    """
    session = _layers()
    chips = [crop(p, chip_transforms(landmarks[None]), SIZE).astype(np.float32) / 255 for p in (picture, true)]
    name = session.get_inputs()[0].name
    first, second = (session.run(None, {name: chip})[1:] for chip in chips)
    return float(np.mean([_unlike(a, b) for a, b in zip(first, second, strict=True)]))


def _unlike(one: Float, other: Float) -> float:
    """Return the mean squared distance of features [1, C, H, W] that are unit vectors along C."""
    unit = [f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-6) for f in (one, other)]
    return float(((unit[0] - unit[1]) ** 2).sum(1).mean())


@cache
def _layers() -> ort.InferenceSession:
    """Return the recogniser with the last layer at each size of its picture as further outputs."""
    model = onnx.load_model_from_string(read_weights(NETWORK))
    shapes = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    last: dict[int, str] = {}
    for node in model.graph.node:
        if node.op_type == "Relu" and node.output[0] in shapes:
            last[shapes[node.output[0]].type.tensor_type.shape.dim[-1].dim_value] = node.output[0]
    model.graph.output.extend(shapes[name] for name in last.values())
    return create_session(model.SerializeToString(), threads=1, name=f"{NETWORK}, with its layers")


@dataclass(frozen=True)
class MatteError:
    """Intersection over union of two mattes, and the mean distance of their outlines in pixels."""

    overlap: float
    outline: float


def matte_error(matte: Float, true: Float) -> MatteError:
    """Compare mattes [H, W], 0..1; two empty ones are the same."""
    union = float(np.maximum(matte, true).sum())
    if union == 0:
        return MatteError(1.0, 0.0)
    depths = [signed_distance(m) for m in (matte, true)]
    edges = np.minimum(*(np.abs(depth) for depth in depths)) < _BESIDE
    apart = np.abs(depths[0] - depths[1])[edges]
    return MatteError(float(np.minimum(matte, true).sum()) / union, float(apart.mean()))
