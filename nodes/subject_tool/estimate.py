"""Estimation of a subject's template, its landmarks' stability and its mirror pairs from footage of several individuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from nodes.errors import GeometryError
from nodes.geometry.similarity import apply_similarity, fit_similarity, mean_shape, remove_similarity
from nodes.types import Float, Int

_ROUNDS = 8
_CANDIDATES = 24  # shapes of which the most typical one starts the estimate
_JURY = 96  # shapes that the candidates are compared with
_TUKEY = 4.685  # spreads above the usual residual at which a shape loses all say; 95 % efficient on normal noise
_LEAST_SPREAD = 0.1  # of the usual residual: where all frames are alike, the first blink is no outlier
_LEAST_VARIANCE = 1e-8  # of a landmark, in squared template units: bounds the weight of one that never moved
_LEAST_EXTENT = 1e-5  # of the coordinates, below which a shape is one point, rounded


def estimate_template(groups: Sequence[Float]) -> tuple[Float, Float]:
    """Estimate template [L, 3] and weights [L] of a subject from landmarks [B, L, 2 or 3] of each of several individuals.

    Alternates between the mean shape under a weighted similarity fit and weights from what is left: a landmark counts
    by the inverse of its variance within an individual, so that what moves with expression does not move the fit. Every
    individual has the same say. Generalised Procrustes analysis (Gower 1975), with Tukey's biweight on the residual of
    whole shapes: wrong detections, up to a third of an individual's, have no say, nor have shapes that hold NaN or coincide.
    The template is centred, of root-mean-square radius 1 and turned as the most typical shape is; z is 0 where the landmarks
    have none. Raises GeometryError for an individual without a single shape that can be used.
    """
    individual = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    shapes, individual = _usable(np.concatenate(groups), individual, len(groups))
    template, weights = _most_typical(shapes), np.ones(shapes.shape[1], np.float32)
    for _ in range(_ROUNDS):
        centres, weights = _reweigh(template, weights, shapes, individual)
        template = mean_shape(centres, weights)
    return np.pad(template, ((0, 0), (0, 3 - template.shape[1]))), weights


def _usable(shapes: Float, individual: Int, count: int) -> tuple[Float, Int]:
    """Leave out the shapes that no similarity can be fitted to."""
    known = np.where(np.isfinite(shapes).all((1, 2), keepdims=True), shapes, 0)
    good = np.ptp(known, axis=1).max(-1) > _LEAST_EXTENT * np.abs(known).max((1, 2))
    without = np.setdiff1d(np.arange(count), individual[good])
    if len(without) or not count:
        which = f" in clip {without[0] + 1}" if count > 1 else ""
        raise GeometryError(
            f"nothing was found{which} whose landmarks are finite and in different places",
            remedy="Give footage that shows the subject",
        )
    return shapes[good].astype(np.float32), individual[good]


def _most_typical(shapes: Float) -> Float:
    """Choose the shape that most others resemble, from some of them: least median of residuals (Rousseeuw 1984)."""
    candidates, jury = (
        shapes[np.linspace(0, len(shapes) - 1, min(n, len(shapes))).astype(int)] for n in (_CANDIDATES, _JURY)
    )
    even = np.ones(shapes.shape[1], np.float32)
    likeness = [np.median(_residual(candidate, jury, even)) for candidate in candidates]
    return mean_shape(candidates[[int(np.argmin(likeness))]])


def _residual(template: Float, shapes: Float, weights: Float) -> Float:
    """Measure the residual of shapes [B, L, D] after the template, as a part of all their extent: [B], 0..1."""
    weight = weights / weights.sum()
    rest = shapes - apply_similarity(template[None], *fit_similarity(template[None], shapes, weights))
    centred = shapes - (shapes * weight[:, None]).sum(1, keepdims=True)
    return np.asarray(np.sqrt((rest**2).sum(-1) @ weight / ((centred**2).sum(-1) @ weight)), np.float32)


def _reweigh(template: Float, weights: Float, shapes: Float, individual: Int) -> tuple[Float, Float]:
    """Run one round: the mean shape of each individual, [G, L, D], level with the template, and better weights [L]."""
    trust = _trust(_residual(template, shapes, weights), individual)
    shapes, individual, trust = shapes[trust > 0], individual[trust > 0], trust[trust > 0]
    level = remove_similarity(shapes, *fit_similarity(template[None], shapes, weights))
    share = trust * (individual == np.arange(individual.max() + 1)[:, None])
    share = share / share.sum(1, keepdims=True)
    centres = np.tensordot(share, level, 1)
    variance = share.mean(0) @ ((level - centres[individual]) ** 2).sum(-1)
    weights = 1 / (variance + np.percentile(variance, 10) + _LEAST_VARIANCE)
    return centres.astype(np.float32), (weights / weights.sum()).astype(np.float32)


def _trust(residual: Float, individual: Int) -> Float:
    """Weight residuals [B] above the median of their individual by Tukey's biweight, 0..1."""
    trust = np.empty_like(residual)
    for individual_id in range(individual.max() + 1):
        own = residual[individual == individual_id]
        usual = np.median(own)
        spread = max(1.4826 * float(np.median(np.abs(own - usual))), _LEAST_SPREAD * float(usual), 1e-9)
        excess = np.clip((own - usual) / (_TUKEY * spread), 0, 1)
        trust[individual == individual_id] = (1 - excess**2) ** 2
    return trust


_SETTLE = 6  # rounds in which plane and pairs settle
_SIDEWAYS = 0.6  # largest depth of a normal: a thin subject mirrors itself front to back, as no flip of a picture does


def mirror_pairs(template: Float, tolerance: float = 0.1) -> Int:
    """Find the landmark [L] that each becomes under a left-right flip: itself if the template has no symmetry.

    template: [L, 2 or 3], of root-mean-square radius 1. tolerance: root-mean-square distance, in units of the template,
    between the mirrored landmarks and those that they become. Of several symmetries, as a square has them, the one whose
    mirror image is turned the least is taken. Zabrodsky et al. 1995, "Symmetry as a continuous feature", for the distance.
    """
    flat = template.shape[1] == 2 or not np.any(template[:, 2])
    shape = np.asarray(template[:, : 2 if flat else 3], np.float64)
    shape = shape - shape.mean(0)
    itself = np.arange(len(shape))
    best, side = itself, -1.0
    # What is symmetric has its plane's normal among its principal axes; where those are open, as of a square, the picture's will do.
    for normal in (*np.linalg.svd(shape, full_matrices=False)[2], *np.eye(shape.shape[1])):
        before = itself
        for _ in range(_SETTLE):
            mirrored = shape - 2 * np.outer(shape @ normal, normal)
            distance = ((mirrored[:, None] - shape) ** 2).sum(-1)
            mirror = linear_sum_assignment(distance)[1]
            if (mirror == before).all():
                break
            before, normal = mirror, np.linalg.svd(shape - shape[mirror])[2][0]
        both_ways = (mirror[mirror] == itself).all() and np.sqrt(distance[itself, mirror].mean()) < tolerance
        if both_ways and abs(normal[0]) > side and (flat or abs(normal[2]) <= _SIDEWAYS):
            best, side = mirror, abs(normal[0])
    return best.astype(np.int64)
