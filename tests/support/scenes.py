"""Scenes for the tests of registration: a picture of an object, laid into a background as a camera would see it."""

from __future__ import annotations

import cv2
import numpy as np
from skimage import data

_FINER = 3


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def similarity(scale: float, degrees: float, x: float, y: float, size: tuple[int, int]) -> np.ndarray:
    """Reference pixels → plate pixels; the reference's centre comes to x, y."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return shift(x, y) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ shift(-size[0] / 2, -size[1] / 2)


def tilted(matrix: np.ndarray, across: float, down: float, size: tuple[int, int]) -> np.ndarray:
    """The same, with perspective: how much farther one side is than the other."""
    tilt = np.array([[1, 0, 0], [0, 1, 0], [across / size[0], down / size[1], 1]])
    centred = matrix @ shift(size[0] / 2, size[1] / 2) @ tilt @ shift(-size[0] / 2, -size[1] / 2)
    return centred / centred[2, 2]


def lay(background: np.ndarray, sign: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Render the sign into the background, nine samples a pixel; by OpenCV alone, so that nothing of ours is its own judge."""
    height, width = sign.shape[:2]
    corners = cv2.perspectiveTransform(np.array([[[0, 0], [width, 0], [width, height], [0, height]]], float), matrix)[0]
    x0, y0 = np.clip(np.floor(corners.min(0) - 2), 0, None).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(0) + 2), background.shape[1::-1]).astype(int)
    finer = shift(-0.5, -0.5) @ np.diag([_FINER, _FINER, 1.0]) @ shift(-x0, -y0) @ matrix @ shift(0.5, 0.5)
    size = int(x1 - x0), int(y1 - y0)
    fine = size[0] * _FINER, size[1] * _FINER
    there = cv2.warpPerspective(sign, finer, fine, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(np.ones((height, width), np.float32), finer, fine, flags=cv2.INTER_NEAREST)
    there, alpha = (cv2.resize(p.astype(np.float32), size, interpolation=cv2.INTER_AREA) for p in (there, alpha))
    out = background.astype(np.float32)
    out[y0:y1, x0:x1] += alpha[..., None] * (there - out[y0:y1, x0:x1])
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def shoot(
    picture: np.ndarray, *, noise: float = 0, blur: float = 0, gain: float = 1, lift: float = 0, seed: int = 0
) -> np.ndarray:
    """Take the picture with a worse camera in another light."""
    picture = picture.astype(np.float32)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    picture = picture * gain + lift + np.random.default_rng(seed).normal(0, noise or 1e-9, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def hide(
    picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int], share: float, before: np.ndarray
) -> np.ndarray:
    """Hide the left `share` of the object by a piece of another picture, over its whole height."""
    edges = np.array([[[0, 0], [size[0] * share, 0], [size[0] * share, size[1]], [0, size[1]]]], float)
    quad = cv2.perspectiveTransform(edges, matrix)[0]
    mask = cv2.fillConvexPoly(np.zeros(picture.shape[:2], np.uint8), np.rint(quad).astype(np.int32), 1)
    other = cv2.resize(before, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.where(mask[..., None] > 0, other, picture)


def corner_error(found: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> float:
    """The largest distance in plate pixels between where a corner is and where it was found."""
    corners = np.array([[[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]]], float)
    there, wanted = (cv2.perspectiveTransform(corners, m)[0] for m in (found, matrix))
    return float(np.linalg.norm(there - wanted, axis=1).max())


def signs() -> dict[str, np.ndarray]:
    """Photographs that stand for products and signs, about 300 pixels wide."""
    rgb = {
        "poster": data.rocket(),
        "product": data.coffee(),
        "cat": data.chelsea(),
        "print": np.dstack([data.page()] * 3),
    }
    return {name: _scaled(picture, 300) for name, picture in rgb.items()}


def _scaled(picture: np.ndarray, width: int) -> np.ndarray:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA))
