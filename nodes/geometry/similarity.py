"""Least-squares similarity transforms between point sets, in two or three dimensions, for many sets at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.errors import GeometryError
from nodes.types import Bool, Float, Int

Double = npt.NDArray[np.float64]

_ROUNDING = 4.0  # units in the last place of the largest coordinate: closer points coincide
_LEAST = 1e-12  # of the covariance's largest singular value: below it a direction is noise of the decomposition


def fit_similarity(
    points: Float, to: Float, weights: Float | None = None, frames: Int | None = None
) -> tuple[Float, Float, Float]:
    """Fit `to` ≈ scale · points · rotationᵀ + translation in the least-squares sense.

    points, to: [..., N, D], broadcast against each other. weights: [N] or None. frames: [B], the frame of each set, for
    messages. Returns scale [...], rotation [..., D, D] (never a reflection) and translation [..., D], in float32.
    Raises GeometryError as :func:`umeyama` does, which computes it.
    """
    scale, rotation, translation = umeyama(points, to, weights, frames)
    return scale.astype(np.float32), rotation.astype(np.float32), translation.astype(np.float32)


def umeyama(
    points: npt.ArrayLike, to: npt.ArrayLike, weights: npt.ArrayLike | None = None, frames: Int | None = None
) -> tuple[Double, Double, Double]:
    """Fit as :func:`fit_similarity`, in float64 throughout.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", weighted. Raises
    GeometryError, which names the first such set, where a coordinate is NaN or infinite and where the points leave the
    transform open: when they all coincide, on either side; in 2-D, two distinct points are enough, in 3-D all on one line
    leave the turn about it free; so does a mirror image that no rotation brings nearer than another.
    """
    finite, rounding = zip(*(_trust(np.asarray(p)) for p in (points, to)), strict=True)
    _refuse(~(finite[0] & finite[1]), "a coordinate is no finite number", frames)
    points, to = np.broadcast_arrays(np.asarray(points, np.float64), np.asarray(to, np.float64))
    weight = np.ones(points.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise GeometryError("the weights of a fit must be finite, none of them negative and not all of them zero")
    weight = (weight / weight.sum())[:, None]
    mean_points, mean_to = (points * weight).sum(-2), (to * weight).sum(-2)
    centred, centred_to = points - mean_points[..., None, :], to - mean_to[..., None, :]
    variance, variance_to = ((c**2 * weight).sum((-1, -2)) for c in (centred, centred_to))
    _refuse((variance <= rounding[0] ** 2) | (variance_to <= rounding[1] ** 2), "all points coincide", frames)
    u, singular, vt = np.linalg.svd(np.swapaxes(centred_to, -1, -2) @ (centred * weight))
    sign = np.ones_like(singular)
    sign[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    held = (singular * sign)[..., -2:].sum(-1)  # loss of fit by the next best rotation
    loose = held <= np.maximum(_LEAST * singular[..., 0], rounding[0] * rounding[1])
    _refuse(loose, "the points lie on one line, or mirror their counterparts, so that no rotation fits best", frames)
    rotation = (u * sign[..., None, :]) @ vt
    scale = (singular * sign).sum(-1) / variance
    translation = mean_to - scale[..., None] * np.einsum("...ij,...j->...i", rotation, mean_points)
    return scale, rotation, translation


def _trust(points: npt.NDArray[Any]) -> tuple[Bool, Double]:
    """Tell which sets [..., N, D] are finite, and the distance up to which two of their points count as one, by rounding."""
    unit = np.finfo(points.dtype if points.dtype.kind == "f" else np.float64).eps
    reach = np.abs(np.asarray(points, np.float64)).max((-1, -2), initial=0)
    return np.isfinite(reach), _ROUNDING * unit * reach


def _refuse(bad: Bool, why: str, frames: Int | None) -> None:
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    frame = None if frames is None or bad.ndim != 1 else int(frames[first])
    which = "" if frame is not None or bad.size == 1 else f" in set {first} of {bad.size}"
    raise GeometryError(
        f"no similarity transform can be fitted{which}: {why}",
        frame=frame,
        remedy="Leave this detection out, or give at least two different points (three that are not on one line in 3-D)",
    )


def apply_similarity(points: Float, scale: Float, rotation: Float, translation: Float) -> Float:
    """Move points [..., N, D] by similarity transforms as :func:`fit_similarity` returns them."""
    moved: Float = (
        np.asarray(scale)[..., None, None] * (points @ np.swapaxes(rotation, -1, -2)) + translation[..., None, :]
    )
    return moved


def remove_similarity(points: Float, scale: Float, rotation: Float, translation: Float) -> Float:
    """Undo :func:`apply_similarity`."""
    back = (points - translation[..., None, :]) @ rotation
    return np.asarray(back / np.asarray(scale)[..., None, None], np.float32)


def nearest_rotation(matrices: Float) -> Float:
    """Find the rotations nearest to matrices [..., D, D], never reflections."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., -1] *= np.linalg.det(u @ vt)[..., None]
    return np.asarray(u @ vt, np.float32)


def mean_shape(shapes: Float, weights: Float | None = None, rounds: int = 5) -> Float:
    """Average shapes [B, N, D] up to similarity: [N, D], in the frame and scale of their first estimate.

    Generalised Procrustes analysis: Gower 1975. The result is centred and has unit root-mean-square radius.
    """
    mean = _unit(shapes[len(shapes) // 2])
    for _ in range(rounds):
        mean = _unit(apply_similarity(shapes, *fit_similarity(shapes, mean[None], weights)).mean(0))
    return mean


def _unit(shape: Float) -> Float:
    centred = shape - shape.mean(0)
    return np.asarray(centred / np.sqrt((centred**2).sum(1).mean()), np.float32)
