"""BlazeFace detection, of faces and of palms: anchors, decoding and blending of overlapping boxes as its authors define it.

Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from nodes.runtime import load_weights
from nodes.types import Bool, Float, Image8


@dataclass(frozen=True, slots=True)
class Detections:
    """K detections in one image. boxes: [K, 4] as x0, y0, x1, y1; keypoints: [K, P, 2], both in image pixels; scores:
    [K], 0..1. A face has 6 key points, the eyes first (the subject's right eye, then the left); a palm has 7, see hand.py."""

    boxes: Float
    keypoints: Float
    scores: Float

    def __len__(self) -> int:
        return len(self.scores)

    def scaled(self, factor: float) -> Detections:
        """Return the same in an image that is `factor` times as large."""
        return Detections(self.boxes * factor, self.keypoints * factor, self.scores)

    def __getitem__(self, index: npt.NDArray[np.intp] | Bool | list[int]) -> Detections:
        return Detections(self.boxes[index], self.keypoints[index], self.scores[index])


@dataclass(frozen=True, slots=True)
class _Network:
    weights: str
    size: int
    grids: tuple[tuple[int, int], ...]  # (cells a side, anchors a cell)
    black: float = -1  # value of black; white is 1


_NETWORKS = {
    "short": _Network("face_detection_short", 128, ((16, 2), (8, 6))),
    "full": _Network("face_detection_full", 192, ((48, 1),)),
    "palm": _Network("palm_detection", 192, ((24, 2), (12, 6)), black=0),
}
_BLEND_OVERLAP = 0.3
_LEAST_TILE = 96  # pixels: enlargement beyond twofold shows nothing more
_TILE = 0.4  # side of a tile, of the image's height: the network finds faces down to 6 % of its picture


@cache
def anchors(network: str) -> Float:
    """Return anchor centres [A, 2] in the unit square, cell by cell, row by row."""
    blocks = []
    for cells, count in _NETWORKS[network].grids:
        centre = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(centre, centre, indexing="ij")
        blocks.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(blocks)


def letterbox(image: Image8, size: int, black: float = -1) -> tuple[Float, float, Float]:
    """Fit `image` into a square of `size` with black bars; also the scale and the offset [2] that were used.

    The square has values from `black` to 1.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    fitted = (max(round(width * scale), 1), max(round(height * scale), 1))
    offset = (size - np.array(fitted)) // 2
    square = np.zeros((size, size, 3), np.uint8)
    area = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[offset[1] : offset[1] + fitted[1], offset[0] : offset[0] + fitted[0]] = cv2.resize(
        image, fitted, interpolation=area
    )
    return square.astype(np.float32) / (255 / (1 - black)) + black, scale, offset.astype(np.float32)


def overlap(box: Float, boxes: Float) -> Float:
    """Intersection over union of `box` [..., 4] with `boxes` [K, 4] → [..., K]."""
    box = box[..., None, :]
    low, high = np.maximum(box[..., :2], boxes[:, :2]), np.minimum(box[..., 2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = np.prod(box[..., 2:] - box[..., :2], axis=-1) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) - inter
    iou: Float = inter / np.maximum(area, 1e-9)
    return iou


def blend_overlapping(detections: Detections) -> Detections:
    """Replace each cluster of overlapping detections by their mean, weighted by score (section 4.2 of the paper)."""
    rest, kept = detections[np.argsort(-detections.scores)], []
    while len(rest):
        overlapping = overlap(rest.boxes[0], rest.boxes) > _BLEND_OVERLAP
        overlapping[0] = True
        weight = rest.scores[overlapping] / rest.scores[overlapping].sum()
        kept.append(
            (
                np.tensordot(weight, rest.boxes[overlapping], 1),
                np.tensordot(weight, rest.keypoints[overlapping], 1),
                rest.scores[0],
            )
        )
        rest = rest[~overlapping]
    if not kept:
        return detections
    boxes, keypoints, scores = zip(*kept, strict=True)
    return Detections(np.array(boxes, np.float32), np.array(keypoints, np.float32), np.array(scores, np.float32))


def find_in_image(image: Image8, network: str, min_score: float) -> Detections:
    """Detect faces (`short`, `full`) or palms (`palm`) in one image [H, W, 3]; coordinates in its pixels."""
    spec = _NETWORKS[network]
    session = load_weights(spec.weights, threads=1)
    square, scale, offset = letterbox(image, spec.size, spec.black)
    raw, logits = session.run(None, {session.get_inputs()[0].name: square[None]})
    if raw.shape[-1] == 1:
        raw, logits = logits, raw
    scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
    likely = scores >= min_score
    values = raw[0, likely].reshape(-1, raw.shape[-1] // 2, 2)
    centre = anchors(network)[likely] * spec.size
    points = values + centre[:, None]
    middle, half = points[:, 0], values[:, 1] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    corner = np.tile(offset, 2)
    return blend_overlapping(
        Detections((boxes - corner) / scale, (points[:, 2:] - offset) / scale, scores[likely].astype(np.float32))
    )


def find_at_any_angle(image: Image8, network: str, min_score: float) -> Detections:
    """Detect as :func:`find_in_image` in the four quarter turns of the image; the best scoring of overlapping detections wins."""
    height, width = image.shape[:2]
    searches = []
    for turns in range(4):
        turned = find_in_image(np.ascontiguousarray(np.rot90(image, turns)), network, min_score)
        points = np.concatenate([turned.boxes.reshape(-1, 2, 2), turned.keypoints], axis=1)
        x, y = points[..., 0], points[..., 1]
        x, y = [(x, y), (width - y, x), (width - x, height - y), (y, height - x)][turns]
        points = np.stack([x, y], -1)
        corners = points[:, :2]
        boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
        searches.append(Detections(boxes, points[:, 2:], turned.scores))
    return best_of(searches)


def find_small_faces(image: Image8, min_score: float) -> Detections:
    """Detect as :func:`find_in_image` with the `full` range network, over tiles of the image that overlap by a third.

    Finds faces down to 2.5 % of the image's height; some 0.1 s at 16:9 on one core.
    """
    height, width = image.shape[:2]
    side = max(round(_TILE * height), _LEAST_TILE)
    starts = [np.linspace(0, max(n - side, 0), 1 + max(int(np.ceil(1.5 * (n / side - 1))), 0)) for n in (height, width)]
    searches = []
    for y, x in itertools.product(*(s.astype(int).tolist() for s in starts)):
        tile = find_in_image(image[y : y + side, x : x + side], "full", min_score)
        corner = np.array([x, y], np.float32)
        searches.append(Detections(tile.boxes + np.tile(corner, 2), tile.keypoints + corner, tile.scores))
    return best_of(searches)


def best_of(searches: list[Detections]) -> Detections:
    """Keep the best scoring of overlapping detections from several searches of one image."""
    together = Detections(
        *(
            np.concatenate([getattr(f, name) for f in searches]).astype(np.float32)
            for name in ("boxes", "keypoints", "scores")
        )
    )
    together = together[np.argsort(-together.scores)]
    keep: list[int] = []
    for i in range(len(together)):
        if not keep or overlap(together.boxes[i], together.boxes[keep]).max() < _BLEND_OVERLAP:
            keep.append(i)
    return together[keep]
