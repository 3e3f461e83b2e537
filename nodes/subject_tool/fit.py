"""Fit of a user's own subject: its template, rigid landmarks, mirror pairs and crop, from footage that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect import main_tracks
from nodes.detect.kept import analyse
from nodes.errors import GeometryError, NoFaceError
from nodes.footage.footage import Footage
from nodes.geometry.similarity import fit_similarity, nearest_rotation, remove_similarity
from nodes.progress import Progress, quiet
from nodes.subject_tool.document import AROUND, document_network, draft_of, read_document, write_subject
from nodes.subject_tool.estimate import estimate_template, mirror_pairs
from nodes.subjects.keypoint_network import KeypointNetwork
from nodes.subjects.subject import find_subject
from nodes.types import Float, Int

_MOST = 2000  # shapes of a clip
_THIN = 1e-3  # width of a template, in its units, below which it is a line
_GOOD = 2.0  # times the usual residual, up to which a shape counts for the subject's usual orientation


@dataclass(frozen=True, slots=True)
class Fitted:
    """The result of a fit. found, frames: of each clip, frames that show the subject, and all.

    weights: [L], sum to 1. spread: [L], median distance from the template, of its radius.
    """

    path: Path
    landmarks: tuple[str, ...]
    found: tuple[int, ...]
    frames: tuple[int, ...]
    weights: Float
    spread: Float
    mirror: Int


def fit_subject(name: str, clips: Sequence[Footage], progress: Progress = quiet) -> Fitted:
    """Fit the subject `name` (or at that path) to clips, one individual each, and write its document anew.

    The landmarks' weights are the inverse of their variance (:mod:`nodes.subject_tool.estimate`). The template is upright by the
    document's `upright`, else by its mirror pairs, else as usual in the clips. Raises NoFaceError for a clip
    without the subject, GeometryError for landmarks on one line, SchemaError, ModelError and OutputError.
    """
    path = find_subject(name)
    document = read_document(path)
    network = document_network(document, path)
    groups = []
    with draft_of(path) as draft:
        for i, clip in enumerate(clips):
            stage = f"detect {i + 1}" if len(clips) > 1 else "detect"
            groups.append(_shapes(clip, draft, document["name"], stage, progress))
    if all(not group[..., 2].any() for group in groups):
        groups = [group[..., :2] for group in groups]
    rows = [np.linspace(0, len(g) - 1, min(len(g), _MOST)).round().astype(np.int64) for g in groups]
    template, weights = estimate_template([group[some] for group, some in zip(groups, rows, strict=True)])
    fit_options = document.get("fit", {})  # a document may be written by hand
    if rigid := fit_options.get("rigid"):
        weights *= np.isin(np.arange(len(weights)), rigid)
        weights /= weights.sum()
    shapes = np.concatenate(groups)
    template = _as_usual(template, shapes, weights)
    mirror = mirror_pairs(template) if (pairs := fit_options.get("mirror")) is None else np.array(pairs, np.int64)
    template = _rolled(template, mirror, network)
    if np.linalg.svd(template - template.mean(0), compute_uv=False)[1] < _THIN:
        raise GeometryError("the landmarks of this subject lie on one line", file=path, remedy="Add others")
    document |= {
        "finder": document["finder"] | {"fitted": True},
        "half_side": round(float(np.abs(template[:, :2]).max()) * fit_options.get("around", AROUND), 4),
        "template": template.round(5).tolist(),
        "weights": [float(f"{w:.4g}") for w in weights],
        "mirror": mirror.tolist(),
    }
    write_subject(document, path)
    counts = tuple(map(len, groups)), tuple(c.info.frames for c in clips)
    spread = np.median(np.linalg.norm(_rest(template, shapes, weights), axis=-1), axis=0)
    names = document.get("landmarks")
    names = names if isinstance(names, list) else range(len(weights))
    return Fitted(path, tuple(map(str, names)), *counts, weights, spread, mirror)


def _shapes(clip: Footage, draft: Path, name: str, stage: str, progress: Progress) -> Float:
    """Find the subject's landmarks in the frames of a clip that show it: [T, L, 3]."""
    faces = analyse(clip, DetectParameters(subject=str(draft)), progress=progress, name=stage)
    shapes = [t.landmarks[t.scores > 0] for t in main_tracks(faces)]
    if not shapes:
        raise NoFaceError(
            f"no {name} was found",
            file=clip.info.path,
            remedy=f"Check with `faceplate subject show {name} CLIP` what the network finds, or give other footage",
        )
    return np.concatenate(shapes)


def _rest(template: Float, shapes: Float, weights: Float) -> Float:
    """Return the residuals of shapes [B, L, D] after a fit to the template: [B, L, D], its units."""
    own = template[None, :, : shapes.shape[2]]
    return remove_similarity(shapes, *fit_similarity(own, shapes, weights)) - own


def _as_usual(template: Float, shapes: Float, weights: Float) -> Float:
    """Turn a template [L, 3] as the subject is turned in most of shapes [B, L, D]."""
    dimensions = shapes.shape[2]
    residual = np.sqrt((_rest(template, shapes, weights) ** 2).sum(-1) @ weights)
    good = shapes[residual <= _GOOD * np.median(residual)]
    rotations = fit_similarity(template[None, :, :dimensions], good, weights)[1]
    whole = np.eye(3)
    whole[:dimensions, :dimensions] = nearest_rotation(rotations.mean(0))
    return np.asarray(template @ whole.T, np.float32)


def _rolled(template: Float, mirror: Int, network: KeypointNetwork) -> Float:
    """Turn a template [L, 3] in the picture so that it stands upright."""
    if isinstance(network.upright, tuple):
        below, above = network.upright
        up = template[above, :2] - template[below, :2]
        across = np.array([-up[1], up[0]])
    else:
        apart = (template[mirror] - template)[mirror != np.arange(len(mirror)), :2]
        if not len(apart):
            return template
        across = np.linalg.svd(apart)[2][0]
        across = across if across[0] >= 0 else -across
    cos, sin = across / max(float(np.linalg.norm(across)), 1e-9)
    turned = template.copy()
    turned[:, :2] = template[:, :2] @ np.array([[cos, sin], [-sin, cos]]).T
    return turned
