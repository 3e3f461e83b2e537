"""Cut what a reference's rectangle shows in a frame, and put it back."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.geometry.homography import apply_homography, corners_of
from nodes.geometry.sampling import warp
from nodes.geometry.similarity import Double
from nodes.types import Float, Roi


def cut_crop(picture: np.ndarray, to_plate: Double, size: tuple[int, int]) -> np.ndarray:
    """Cut the reference's rectangle out of a frame, as the reference shows it.

    picture: [H, W] or [H, W, C], uint8 or float32. to_plate: [3, 3], crop pixels → plate pixels. size: width and height of
    the crop. Beyond the frame its edge is repeated. See :func:`at_size` for crops of another size than the reference's.
    """
    return warp(picture, to_plate, Roi(0, 0, *size))


def at_size(to_plate: Double, size: tuple[int, int], other: tuple[int, int]) -> Double:
    """Transforms [..., 3, 3] for crops of another size (width, height) that show the same rectangle."""
    return np.asarray(to_plate @ np.diag([size[0] / other[0], size[1] / other[1], 1.0]), np.float64)


def inverse_warp(
    crop: np.ndarray, to_plate: Double, frame: tuple[int, int], matte: Float | None = None
) -> tuple[Roi, np.ndarray, Float]:
    """Warp a crop back to where it was cut from.

    crop: [h, w] or [h, w, C], uint8 or float32. to_plate: [3, 3]. frame: width and height of the plate. matte: [h, w], 0..1,
    of the crop, by default all of it. Returns the rectangle of the plate that it touches, the crop in it [roi.height,
    roi.width(, C)], not multiplied, and its alpha [roi.height, roi.width], 0..1.
    """
    height, width = crop.shape[:2]
    corners = apply_homography(to_plate, corners_of(width, height))
    low = np.clip(np.floor(corners.min(0) - 1), 0, frame).astype(int)
    high = np.clip(np.ceil(corners.max(0) + 1), 0, frame).astype(int)
    roi = Roi(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    if roi.empty:
        return Roi(0, 0, 0, 0), np.zeros((0, 0, *crop.shape[2:]), crop.dtype), np.zeros((0, 0), np.float32)
    to_crop = np.asarray(np.linalg.inv(to_plate), np.float64)
    matte = np.ones((height, width), np.float32) if matte is None else matte.astype(np.float32)
    alpha = warp(matte, to_crop, roi, cv2.BORDER_CONSTANT, cv2.INTER_LINEAR, corners)
    return roi, warp(crop, to_crop, roi, at=corners), np.clip(alpha, 0, 1)


def put_back(picture: np.ndarray, crop: np.ndarray, to_plate: Double, matte: Float | None = None) -> np.ndarray:
    """Lay a crop over the frame that it was cut from; where its alpha is 0 the frame keeps its values. Same type as given."""
    roi, there, alpha = inverse_warp(crop, to_plate, (picture.shape[1], picture.shape[0]), matte)
    out = picture.copy()
    if roi.empty:
        return out
    under = picture[roi.slices].astype(np.float32)
    alpha = alpha.reshape(*alpha.shape, *[1] * (picture.ndim - 2))
    mixed = under + alpha * (there.astype(np.float32) - under)
    if picture.dtype == np.uint8:
        mixed = np.clip(np.rint(mixed), 0, 255)
    out[roi.slices] = np.where(alpha > 0, mixed.astype(picture.dtype), picture[roi.slices])
    return out
