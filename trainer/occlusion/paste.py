"""Composed crops: an example turned and cut at random, with cutouts laid before the face, and seen through a worse camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from nodes.subjects.subject import load_subject
from nodes.types import Float
from trainer.occlusion.cutouts import Cutout
from trainer.occlusion.examples import COVERAGE, FACE, HAIR, HAND, OTHER, SIDE
from trainer.synthetic.shapes import Array

# Landmarks on or near which things come to lie: mouth and its corners, nose, eyes, cheeks, chin, jaw and forehead, by the mesh's own numbers.
_TARGETS = (13, 14, 61, 291, 1, 4, 159, 386, 50, 280, 205, 425, 152, 199, 148, 377, 10, 151, 67, 297, 172, 397, 33, 263)
_WORN = (33,), (263,), (61, 291)  # outer corners of the eyes, and of the mouth, on whose middles worn things hang
_SPREAD = 0.1  # of the crop's side around them
_COUNTS = (0.22, 0.5, 0.2, 0.08)  # how often so many things are laid over the face
_LEAST_FACE = 0.2  # of a face that a thing must leave in sight
_LEAST_LEVEL = 0.05  # mean of a picture, 0..1, so that something can be seen
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class Composed(NamedTuple):
    """A crop to train on. image: sRGB 0..1, [S, S, 3]. classes: shares that sum to 1, [5, S, S]. weights: 0..1, [S, S]. landmarks: pixels, [478, 3]."""

    image: Float
    classes: Float
    weights: Float
    landmarks: Float


def composed(
    random: np.random.Generator,
    picture: Array,
    classes: Array,
    landmarks: Float,
    cutouts: Sequence[Cutout],
    size: int = 192,
    weights: Array | None = None,
) -> Composed:
    """Make a crop of coverage 1 out of an example.

    picture, classes, landmarks, weights: of an example, 8 bits or 0..1; known everywhere without weights.
    """
    layers, points = _cut(picture, classes, landmarks, weights, *_jitter(random, size), size)
    if cutouts:
        for _ in range(int(random.choice(len(_COUNTS), p=_COUNTS))):
            layers = _laid(random, layers, points, cutouts[int(random.integers(len(cutouts)))])
    if random.random() < 0.15:
        layers = _moved(random, layers, 0.03 * size)
    return _composed(_filmed(random, layers[..., :3]), layers, points)


def centred(picture: Array, classes: Array, landmarks: Float, size: int) -> Composed:
    """Cut a crop of coverage 1 out of an example, as it is; arguments as of `composed`."""
    scale = size / (SIDE / COVERAGE)
    matrix = np.array([[scale, 0, 0.5 * (size - scale * SIDE)], [0, scale, 0.5 * (size - scale * SIDE)]], np.float32)
    layers, points = _cut(picture, classes, landmarks, None, matrix, False, size)
    return _composed(layers[..., :3].copy(), layers, points)


def _cut(
    picture: Array, classes: Array, landmarks: Float, weights: Array | None, matrix: Float, mirrored: bool, size: int
) -> tuple[Array, Float]:
    """Cut a crop out of an example: layers [S, S, 3 colours + 4 classes + 1 weight], and landmarks in its pixels."""
    image = _warped(picture, matrix, size)
    shares = _warped(np.moveaxis(classes[:OTHER], 0, -1), matrix, size)
    known = _warped(weights, matrix, size) if weights is not None else np.ones((size, size), np.float32)
    points = np.array(landmarks, np.float32)
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[:, 2] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if mirrored:
        points = points[load_subject("face").mirror]
    return np.dstack([image, shares, known]), points


def _composed(image: Float, layers: Array, points: Float) -> Composed:
    shares = np.moveaxis(layers[..., 3:7], -1, 0)
    whole = np.concatenate([shares, np.maximum(1 - shares.sum(0, keepdims=True), 0)])
    return Composed(image, whole / whole.sum(0), layers[..., 7].copy(), points)


def _jitter(random: np.random.Generator, size: int) -> tuple[Float, bool]:
    """Draw the transform [2, 3] from an example to a crop, in continuous coordinates, and whether it mirrors."""
    scale = size / (SIDE / COVERAGE) * random.uniform(0.85, 1.15)
    angle = np.radians(random.uniform(-12, 12))
    mirrored = bool(random.random() < 0.5)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear[:, 0] *= -1 if mirrored else 1
    shift = size * (0.5 + random.uniform(-0.06, 0.06, 2)) - linear @ (SIDE / 2, SIDE / 2)
    return np.concatenate([linear, shift[:, None]], 1).astype(np.float32), mirrored


def _warped(image: Array, matrix: Float, size: int, border: int = cv2.BORDER_REPLICATE) -> Float:
    """Warp an image by a transform in continuous coordinates; 0..1."""
    opencv = matrix.astype(np.float64)
    opencv[:, 2] += opencv[:, :2] @ (0.5, 0.5) - 0.5
    warped = cv2.warpAffine(
        np.ascontiguousarray(image), opencv, (size, size), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return np.asarray(warped, np.float32) / np.float32(255 if warped.dtype == np.uint8 else 1)


def _laid(random: np.random.Generator, layers: Array, points: Float, cutout: Cutout) -> Float:
    """Lay a cutout over the face, with its shadow: layers [S, S, 3 colours + 4 classes + 1 weight]."""
    size = len(layers)
    thing: Array = _warped(cutout.rgba, _placed(random, cutout, points, size), size)
    if thing[..., 3].max() < 0.05:
        return layers
    thing[..., :3] = _lit(random, thing, layers, cutout.kind)
    if random.random() < 0.3:
        thing = _moved(random, thing, 0.05 * size)
    elif random.random() < 0.45:
        thing = cv2.GaussianBlur(thing, (0, 0), float(random.uniform(0.5, 3)))
    alpha = thing[..., 3:]
    out = layers * (1 - alpha)
    if out[..., 3 + FACE].sum() < _LEAST_FACE * layers[..., 3 + FACE].sum():
        return layers
    shade = _shadow(random, thing[..., 3], 0.35 if cutout.kind == HAIR else 1.0)
    out[..., :3] = out[..., :3] * shade[..., None] + thing[..., :3]
    if cutout.kind != OTHER:
        out[..., 3 + cutout.kind] += alpha[..., 0]
    # Where the example is not known, a thing laid there teaches nothing: or all that is known of foreheads would be hands.
    out[..., 7] = layers[..., 7]
    return np.asarray(out, np.float32)


def _placed(random: np.random.Generator, cutout: Cutout, points: Float, size: int) -> Float:
    """Draw the transform [2, 3] from a cutout to the crop that puts a part of it near a place on the face; continuous coordinates."""
    if cutout.worn is not None:
        hung = np.stack([points[list(those), :2].mean(0) for those in _WORN]) + random.normal(0, 0.006 * size, (3, 2))
        hung += random.normal(0, 0.012 * size) * (hung[2] - hung[:2].mean(0)) / max(np.ptp(hung[:, 1]), 1)
        return np.asarray(cv2.getAffineTransform(cutout.worn, hung.astype(np.float32)), np.float32)
    alpha = cutout.rgba[..., 3]
    height, width = alpha.shape
    scale = size / (SIDE / COVERAGE) * float(np.exp(random.normal(0, 0.22)))
    # It comes from where it leaves its picture: a hand from below or aside, hair from above.
    if cutout.kind == HAND:
        angle = random.normal(0, 40)
    elif cutout.kind == HAIR:
        angle = random.normal(0, 18)
        scale *= float(random.uniform(0.8, 1.3))
    else:
        angle = random.choice([random.normal(0, 30), random.uniform(-180, 180)])
    turn = np.radians(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if random.random() < 0.5:
        linear[:, 0] *= -1
    rows, columns = np.nonzero(alpha >= 0.6 * alpha.max())
    # Of a few of its points the one that is farthest from where it leaves its picture, such as a fingertip.
    tries = random.integers(len(rows), size=3 if cutout.kind == HAND else 1)
    chosen = np.stack([columns[tries], rows[tries]], 1) + 0.5
    borders = {"left": alpha[:, 0], "right": alpha[:, -1], "top": alpha[0], "bottom": alpha[-1]}
    open_side = max(borders, key=lambda side: float(borders[side].sum()))
    away = {"left": chosen[:, 0], "right": width - chosen[:, 0], "top": chosen[:, 1], "bottom": height - chosen[:, 1]}
    anchor = chosen[int(np.argmax(away[open_side]))]
    target = points[_TARGETS[int(random.integers(len(_TARGETS)))], :2] + random.normal(0, _SPREAD * size, 2)
    return np.concatenate([linear, (target - linear @ anchor)[:, None]], 1).astype(np.float32)


def _lit(random: np.random.Generator, thing: Array, layers: Array, kind: int) -> Float:
    """Return the colours times alpha of a thing [S, S, 4], as bright as the scene, and of a hand half of the time in the face's own tone."""
    image, face, alpha = layers[..., :3], layers[..., 3 + FACE], thing[..., 3]
    skin = (image * face[..., None]).sum((0, 1)) / max(float(face.sum()), 1.0)
    own = thing[..., :3].sum((0, 1)) / max(float(alpha.sum()), 1.0)
    if kind == HAND:
        gain = random.lognormal(0, 0.25) * skin.mean() / max(float(own.mean()), 0.02) * np.ones(3)
        if random.random() < 0.5:
            gain = random.lognormal(0, 0.12) * random.lognormal(0, 0.04, 3) * skin / np.maximum(own, 0.02)
        elif random.random() < 0.5:
            gain = gain * random.lognormal(0, 0.5)
    else:
        # A scene's light is known by its brightest parts; the cutouts are painted as in full light.
        gain = (
            np.clip(np.percentile(image[::4, ::4] @ _LUMA, 95) * 1.3, 0.1, 1.2) * random.lognormal(0, 0.3) * np.ones(3)
        )
        gain = gain * (skin / max(float(skin.mean()), 0.02)) ** random.uniform(0, 0.7)
    coarse = cv2.resize(image @ _LUMA, (6, 6), interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(cv2.resize(coarse, alpha.shape, interpolation=cv2.INTER_LINEAR), (0, 0), 12)
    light = np.clip(light / max(float(light.mean()), 0.01), 0.3, 2) ** random.uniform(0, 0.7)
    lit = thing[..., :3] * gain.astype(np.float32) * light[..., None]
    knee = 0.8 * alpha[..., None]  # highlights roll off
    return np.asarray(
        np.where(lit > knee, knee + 0.2 * alpha[..., None] * np.tanh((lit - knee) / 0.3), lit), np.float32
    )


def _shadow(random: np.random.Generator, alpha: Array, strength: float) -> Float:
    """Return the light that is left beside and under a thing, 0..1 [S, S]: a soft shadow to one side, and a dark rim where it touches."""
    size = len(alpha)
    left = 1 - strength * random.uniform(0, 0.45) * cv2.GaussianBlur(
        alpha, (0, 0), float(random.uniform(0.008, 0.025) * size)
    )
    if random.random() < 0.6:
        shift = random.normal(0, 0.035 * size, 2)
        moved = cv2.warpAffine(alpha, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (size, size))
        soft = cv2.GaussianBlur(moved, (0, 0), float(random.uniform(0.01, 0.06) * size))
        left = left * (1 - strength * random.uniform(0.1, 0.65) * soft)
    return np.asarray(left, np.float32)


def _moved(random: np.random.Generator, layers: Array, most: float) -> Float:
    """Blur layers as a straight motion of up to `most` pixels does."""
    length, angle = random.uniform(2, max(most, 2.5)), random.uniform(0, np.pi)
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((side, side), np.uint8)
    step = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    first, last = (np.round((side // 2 + sign * step) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, 255, 1, cv2.LINE_AA, 4)
    return np.asarray(
        cv2.filter2D(layers, -1, kernel.astype(np.float32) / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    )


def _filmed(random: np.random.Generator, image: Array) -> Float:
    """Change the whole picture as lights, cameras, grades and codecs do; 0..1."""
    size = len(image)
    image = image * np.float32(max(1.0, _LEAST_LEVEL / max(float(image.mean()), 1e-3)))
    if random.random() < 0.7:
        image = np.clip(image, 0, 1) ** np.float32(np.exp(random.normal(0, 0.25)))
        image = image * (random.lognormal(0, 0.2) * random.lognormal(0, 0.07, 3)).astype(np.float32)
    if random.random() < 0.5:
        grey = (image @ _LUMA)[..., None]
        image = grey + (0.0 if random.random() < 0.2 else float(random.uniform(0.3, 1.3))) * (image - grey)
    if random.random() < 0.4:
        image = random.normal(0, 0.03) + 0.4 + random.uniform(0.6, 1.25) * (image - 0.4)
    if random.random() < 0.1:  # a coloured grade
        image = image * random.uniform(0.5, 1.2, 3) + random.uniform(0, 0.08, 3)
    image = np.clip(image, 0, 1).astype(np.float32)
    if random.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 2.0)))
    if random.random() < 0.3:
        small = int(size * random.uniform(0.25, 0.8))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=int(random.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    if random.random() < 0.6:
        grain: Array = random.standard_normal((size, size, 1 if random.random() < 0.5 else 3), np.float32)
        if random.random() < 0.5:
            grain = cv2.GaussianBlur(grain, (0, 0), 0.7).reshape(grain.shape) * 2
        image = image + float(random.exponential(0.015)) * grain
    pixels: Array = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if random.random() < 0.5:
        _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))])
        pixels = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return np.asarray(pixels, np.float32) / np.float32(255)
