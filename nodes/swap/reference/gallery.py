"""Pixels of the chosen source frames, fetched in one pass over the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from nodes.footage.footage import Footage
from nodes.types import Float, Image8, Int

_MARGIN = 0.06  # of the face's extent, around it


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of a surface, such as one source frame around the face.

    image: [h, w, ...]; vertices: [V, 2] of the surface, in its pixels. own: share of the surface itself in each pixel, [h, w], 0..255; None
    where nothing is in front of it.
    """

    image: Image8 | Float
    vertices: Float
    own: Image8 | None = None


Look = Callable[[Image8, Float], Image8 | None]


def fetch_references(
    source: Footage,
    frames: Int,
    vertices: Float,
    size: int,
    progress: Callable[[int], None] = lambda done: None,
    margin: float = _MARGIN,
    look: Look | None = None,
) -> list[Reference]:
    """Cut the face out of `frames` [N] of the source, given the vertices [N, V, 3] of its surface there.

    size: side of the crops they are for; a source face much larger is reduced, by whole factors, area-filtered. margin: of the face's extent, around it.
    look: finds in a frame what is in front of a surface, given its vertices: its own share of each pixel, None where nothing is.
    """
    order = np.argsort(frames)
    references: list[Reference | None] = [None] * len(frames)
    remaining = iter(order)
    k = next(remaining, None)
    if k is None:
        return []
    for done, frame in enumerate(source.frames(int(frames[order[0]]), int(frames[order[-1]]))):
        while k is not None and frames[k] == frame.index:
            image, points = frame.rgb8(), vertices[k, :, :2]
            references[k] = _cut(image, points, size, margin, look(image, vertices[k]) if look else None)
            k = next(remaining, None)
        progress(done)
    return [f for f in references if f is not None]


def _cut(image: Image8, points: Float, size: int, margin: float, own: Image8 | None) -> Reference:
    low, high = points.min(0), points.max(0)
    around = (high - low) * margin
    factor = max(int((high - low).max() / (1.5 * size)), 1)
    x0, y0 = np.maximum(np.floor(low - around), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + around), [image.shape[1], image.shape[0]]).astype(int)
    x1, y1 = max(x1, x0 + factor), max(y1, y0 + factor)
    cut = image[y0:y1, x0:x1]
    if not cut.size:
        # A face wholly outside the picture, by extrapolated landmarks: grey, and never near a good match.
        return Reference(np.full((2, 2, 3), 128, np.uint8), points - low)
    parts = [cut] if own is None else [cut, own[y0:y1, x0:x1]]
    if factor > 1:
        smaller = max(cut.shape[1] // factor, 1), max(cut.shape[0] // factor, 1)
        parts = [np.asarray(cv2.resize(p, smaller, interpolation=cv2.INTER_AREA), np.uint8) for p in parts]
    cut, *shares = (np.ascontiguousarray(p) for p in parts)
    scale = np.array([cut.shape[1] / (x1 - x0), cut.shape[0] / (y1 - y0)], np.float32)
    corner = np.array([x0, y0], np.float32)
    return Reference(cut, ((points - corner) * scale).astype(np.float32), *shares)
