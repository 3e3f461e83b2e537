"""Least-squares similarity transforms between point sets, in two or three dimensions, for many sets at once."""

from __future__ import annotations

import numpy as np

from nodes.types import Float


def fit_similarity(points: Float, to: Float, weights: Float | None = None) -> tuple[Float, Float, Float]:
    """Fit `to` ≈ scale · points · rotationᵀ + translation in the least-squares sense.

    points, to: [..., N, D], broadcast against each other. weights: [N] or None. Returns scale [...], rotation [..., D, D]
    (never a reflection) and translation [..., D]. Umeyama 1991, "Least-squares estimation of transformation parameters
    between two point patterns", weighted.
    """
    points, to = np.broadcast_arrays(np.asarray(points, np.float64), np.asarray(to, np.float64))
    weight = np.ones(points.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    weight = (weight / weight.sum())[:, None]
    mean_points, mean_to = (points * weight).sum(-2), (to * weight).sum(-2)
    centred, centred_to = points - mean_points[..., None, :], to - mean_to[..., None, :]
    covariance = np.swapaxes(centred_to, -1, -2) @ (centred * weight)
    u, singular, vt = np.linalg.svd(covariance)
    sign = np.ones_like(singular)
    sign[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[..., None, :]) @ vt
    variance = (centred**2 * weight).sum((-1, -2))
    scale = (singular * sign).sum(-1) / np.maximum(variance, 1e-12)
    translation = mean_to - scale[..., None] * np.einsum("...ij,...j->...i", rotation, mean_points)
    return scale.astype(np.float32), rotation.astype(np.float32), translation.astype(np.float32)


def apply_similarity(points: Float, scale: Float, rotation: Float, translation: Float) -> Float:
    """Move points [..., N, D] by similarity transforms as :func:`fit_similarity` returns them."""
    moved: Float = (
        np.asarray(scale)[..., None, None] * (points @ np.swapaxes(rotation, -1, -2)) + translation[..., None, :]
    )
    return moved


def remove_similarity(points: Float, scale: Float, rotation: Float, translation: Float) -> Float:
    """The inverse of :func:`apply_similarity`."""
    back = (points - translation[..., None, :]) @ rotation
    return np.asarray(back / np.asarray(scale)[..., None, None], np.float32)


def mean_shape(shapes: Float, weights: Float | None = None, rounds: int = 5) -> Float:
    """Mean [N, D] of shapes [B, N, D] up to similarity, in the frame and scale of their first estimate.

    Generalised Procrustes analysis: Gower 1975. The result is centred and has unit root-mean-square radius.
    """
    mean = _unit(shapes[len(shapes) // 2])
    for _ in range(rounds):
        mean = _unit(apply_similarity(shapes, *fit_similarity(shapes, mean[None], weights)).mean(0))
    return mean


def _unit(shape: Float) -> Float:
    centred = shape - shape.mean(0)
    return np.asarray(centred / np.sqrt((centred**2).sum(1).mean()), np.float32)
