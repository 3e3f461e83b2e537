"""Colour matching as one affine transform of RGB a frame, from statistics inside the matte only.

An affine a frame, not a look-up or a histogram, because the caller can smooth it over time: a match
measured on every frame flickers with the noise of the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nodes.definitions import ColourMatch
from nodes.types import Float

_STEP = 4  # pixels
GAIN_LIMIT = 2.5  # contrast is stretched or squeezed by at most this along any direction of RGB
_FLAT = (2 / 255) ** 2  # variance below which a colour varies by noise, not by content
_FEW = 32.0  # pixels, about: below it a matte has too few to say anything about colour

# The opponent axes of Ruderman, Cronin & Chiao 1998, in the rows: lightness, yellow-blue, red-green.
_OPPONENT = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])

_Double = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColourStatistics:
    """Statistics of B images inside their mattes.

    mean: [B, 3]. covariance: [B, 3, 3]. pixels: [B], Kish's effective number of pixels, 0 where the matte is empty.
    """

    mean: _Double
    covariance: _Double
    pixels: _Double


def colour_statistics(image: Float, weight: Float) -> ColourStatistics:
    """Measure mean and covariance of colour, weighted by the matte.

    image: [B, H, W, 3]. weight: [B, H, W], 0..1. Pixels of weight 0, and those that are not finite, count for nothing.
    """
    count, height, width = weight.shape
    pixels = np.ascontiguousarray(image, np.float32).reshape(count, height * width, 3)
    weights = np.asarray(weight, np.float32).reshape(count, height * width)
    if not np.isfinite(pixels.sum()):
        finite = np.asarray(np.isfinite(pixels).all(-1))
        weights, pixels = np.where(finite, weights, 0), np.where(finite[..., None], pixels, 0)
    total = weights.sum(1, dtype=np.float64)
    safe = np.maximum(total, 1e-9)
    mean = (weights[:, None] @ pixels)[:, 0] / safe[:, None]
    centred = pixels - mean[:, None].astype(np.float32)  # in two passes: a flat patch cancels to noise in one
    covariance = (centred * weights[..., None]).swapaxes(1, 2) @ centred / safe[:, None, None]
    effective = total**2 / np.maximum(np.square(weights).sum(1, dtype=np.float64), 1e-9)
    return ColourStatistics(mean.astype(np.float64), covariance.astype(np.float64), effective)


def colour_transform(source: ColourStatistics, like: ColourStatistics, method: ColourMatch) -> Float:
    """Find the affine transforms of RGB, [B, 3, 4], that give `source` the statistics of `like`.

    `reinhard`: mean and deviation along each opponent axis (Reinhard et al. 2001; their logarithm is left to the
    footage's own transfer curve, which keeps it affine in RGB). `mkl`: mean and covariance by the Monge-Kantorovitch
    linear map (Pitié & Kokaram 2007). Gains stay within GAIN_LIMIT; the fewer pixels there are, the nearer the
    transform is to the identity, which it is for an empty matte.
    """
    identity = np.broadcast_to(np.eye(3, 4), (len(source.mean), 3, 4))
    if method is ColourMatch.NONE:
        return identity.astype(np.float32)
    gain = _limited(_reinhard(source, like) if method is ColourMatch.REINHARD else _mkl(source, like))
    offset = like.mean - (gain @ source.mean[..., None])[..., 0]
    fewest = np.minimum(source.pixels, like.pixels) ** 2
    trust = (fewest / (fewest + _FEW**2))[:, None, None]
    affine: Float = (identity + trust * (np.concatenate([gain, offset[..., None]], -1) - identity)).astype(np.float32)
    return affine


def match_colours(faces: Float, plates: Float, mattes: Float, method: ColourMatch) -> Float:
    """Find the affine transforms of RGB, [B, 3, 4], that give faces [B, H, W, 3] the colours of plates under mattes [B, H, W].

    Every fourth pixel across and down is measured, which is enough for colour.
    """
    thin = np.s_[:, ::_STEP, ::_STEP]
    own, like = (colour_statistics(image[thin], mattes[thin]) for image in (faces, plates))
    return colour_transform(own, like, method)


def apply_colour(image: Float, affine: Float) -> Float:
    """Transform the colours of images [B, H, W, 3] by affines [B, 3, 4]; the result is never negative."""
    out = np.empty(image.shape, np.float32)
    for one, transform, into in zip(image, affine, out, strict=True):
        if into.size:
            # A negative value has no place in a transfer curve.
            np.maximum(cv2.transform(np.asarray(one, np.float32), np.asarray(transform, np.float64)), 0, out=into)
    return out


def _reinhard(source: ColourStatistics, like: ColourStatistics) -> _Double:
    def variances(s: ColourStatistics) -> _Double:
        along: _Double = np.einsum("ij,bjk,ik->bi", _OPPONENT, s.covariance, _OPPONENT)
        return np.maximum(along, 0) + _FLAT

    ratio = np.sqrt(variances(like) / variances(source))
    gain: _Double = np.einsum("ji,bj,jk->bik", _OPPONENT, ratio, _OPPONENT)
    return gain


def _mkl(source: ColourStatistics, like: ColourStatistics) -> _Double:
    flat = _FLAT * np.eye(3)
    a, b = source.covariance + flat, like.covariance + flat
    root, inverse = _power(a, 0.5), _power(a, -0.5)
    gain: _Double = inverse @ _power(root @ b @ root, 0.5) @ inverse
    return gain


def _power(symmetric: _Double, exponent: float) -> _Double:
    values, vectors = np.linalg.eigh(symmetric)
    power: _Double = (vectors * np.maximum(values, 1e-12)[:, None] ** exponent) @ vectors.swapaxes(1, 2)
    return power


def _limited(gain: _Double) -> _Double:
    # Both maps are symmetric and positive definite: their eigenvalues are their gains.
    values, vectors = np.linalg.eigh((gain + gain.swapaxes(1, 2)) / 2)
    limited: _Double = (vectors * np.clip(values, 1 / GAIN_LIMIT, GAIN_LIMIT)[:, None]) @ vectors.swapaxes(1, 2)
    return limited
