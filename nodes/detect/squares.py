"""Squares for landmark networks: laid around a subject, turned with it, and mapped from their pixels back to the plate."""

from __future__ import annotations

import numpy as np

from nodes.geometry.sampling import crop, transform_points
from nodes.runtime import load_weights
from nodes.types import Float


def unit(vectors: Float) -> Float:
    """Normalise vectors [..., 2] to length 1; one of no length stays as it is."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6), np.float32)


def perpendicular(vectors: Float) -> Float:
    """Turn vectors [..., 2] a quarter clockwise in the picture: across becomes down."""
    return np.asarray(vectors[..., ::-1] * [-1, 1], np.float32)


def box_extent(boxes: Float) -> tuple[Float, Float]:
    """Return centre [B, 2] and width and height [B, 2] of boxes [B, 4] as x0, y0, x1, y1."""
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.asarray((low + high) / 2, np.float32), high - low


def turned_squares(centres: Float, across: Float, sides: Float, size: int) -> Float:
    """Lay squares around `centres` [B, 2] of `sides` [B], plate pixels, with rows along the unit vectors `across` [B, 2].

    size: pixels a side of the network's input. Returns [B, 2, 3], square pixels → plate pixels.
    """
    linear = np.stack([across, perpendicular(across)], axis=2) * (sides / size)[:, None, None]
    shift = centres - linear @ np.full(2, size / 2)
    return np.concatenate([linear, shift[..., None]], axis=2).astype(np.float32)


def turned_extent(points: Float, across: Float) -> tuple[Float, Float]:
    """Return centre [B, 2] and width and height [B, 2] of the boxes around `points` [B, N, 2] with rows along `across` [B, 2].

    Measured along the subject's own axes, so that a tilted one has the same extent.
    """
    turn = np.stack([across, perpendicular(across)], axis=1)
    level = points @ np.swapaxes(turn, 1, 2)
    low, high = level.min(1), level.max(1)
    return np.asarray(np.einsum("bj,bjk->bk", (low + high) / 2, turn), np.float32), high - low


def look(network: str, image: np.ndarray, squares: Float, size: int) -> list[Float]:
    """Run an embedded network that takes RGB 0..1 over all `squares` [B, 2, 3] of an image, in one batch.

    size: pixels a side of the network's input. Returns the network's outputs in their order.
    """
    session = load_weights(network, threads=1)
    crops = crop(image, squares, size)
    outputs: list[Float] = session.run(None, {session.get_inputs()[0].name: crops.astype(np.float32) / 255})
    return outputs


def to_plate(points: Float, squares: Float) -> Float:
    """Map landmarks [B, L, 3] from pixels of `squares` [B, 2, 3] to x, y and z in plate pixels [B, L, 3]."""
    scale = np.sqrt(np.abs(np.linalg.det(squares[:, :, :2])))
    xy = transform_points(squares, points[..., :2])
    z = points[..., 2:] * scale[:, None, None]
    return np.concatenate([xy, z], axis=-1).astype(np.float32)


def probability(logits: Float) -> Float:
    """Apply the logistic function, without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)
