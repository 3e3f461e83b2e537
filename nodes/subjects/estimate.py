"""Estimate a subject's template, the stability of its landmarks and its mirror pairs from clips of several people.

    python -m nodes.subjects.estimate CLIP CLIP ...

rewrites `face.json` beside this file; its contours and triangles are kept. The one that ships was estimated from
two of the sample clips, `franck` and `cap12_edit`; the third is kept for judging.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from nodes.geometry.similarity import fit_similarity, mean_shape, remove_similarity
from nodes.types import Float, Int

_ROUNDS = 8


def estimate_template(people: Sequence[Float]) -> tuple[Float, Float]:
    """Template [L, 3] and weights [L] from landmarks [B, L, 3] of each of several people.

    Alternates between the mean shape under a weighted similarity fit and weights from what is left: a landmark counts
    by the inverse of its variance within a person, so that what moves with expression does not move the fit. Every
    person has the same say.
    """
    count = min(len(p) for p in people)
    even = [p[np.linspace(0, len(p) - 1, count).astype(int)] for p in people]
    shapes = np.concatenate(even)
    weights = np.ones(shapes.shape[1], np.float32)
    for _ in range(_ROUNDS):
        template = mean_shape(shapes, weights)
        level = remove_similarity(shapes, *fit_similarity(template[None], shapes, weights))
        residual = np.concatenate([p - p.mean(0) for p in np.split(level, len(even))])
        variance = (residual**2).mean(0).sum(-1)
        weights = (1 / (variance + np.percentile(variance, 10))).astype(np.float32)
        weights /= weights.sum()
    return template, weights


def make_upright(template: Float, midline: Int, top: int, bottom: int, right: int, left: int) -> tuple[Float, Int]:
    """Turn a template to face the camera and make it symmetric; also the mirror pairs [L].

    midline: landmarks on the plane of symmetry. top, bottom: two of them. right, left: a mirrored pair, to start from.
    """
    shape = np.asarray(template, np.float64)
    down = shape[bottom] - shape[top]
    across = shape[left] - shape[right]
    for _ in range(10):
        across = across / np.linalg.norm(across)
        down = down - across * (across @ down)
        down = down / np.linalg.norm(down)
        shape = shape @ np.stack([across, down, np.cross(across, down)]).T
        shape = shape - [shape[midline, 0].mean(), 0, 0]
        distance = ((shape[:, None] - (shape * [-1, 1, 1])[None]) ** 2).sum(-1)
        mirror = linear_sum_assignment(distance)[1]
        across = np.linalg.svd(shape - shape[mirror])[2][0]
        across = across * np.sign(across[0])
        down = np.array([0.0, 1.0, 0.0])
    symmetric = (shape + shape[mirror] * [-1, 1, 1]) / 2
    return symmetric.astype(np.float32), mirror.astype(np.int64)


def main() -> None:
    """Rewrite `face.json` from the clips on the command line."""
    from nodes.detect import detect
    from nodes.footage import open_footage

    path = Path(__file__).parent / "face.json"
    document = json.loads(path.read_text())
    people = [detect(open_footage(clip)).tracks[0].landmarks[::7] for clip in sys.argv[1:]]
    template, weights = estimate_template(people)
    template, mirror = make_upright(template, np.array(document["contours"]["midline"]), 10, 152, 33, 263)
    document["template"] = np.round(template, 5).tolist()
    document["weights"] = [float(f"{w:.4g}") for w in weights]
    document["mirror"] = mirror.tolist()
    path.write_text(json.dumps(document, indent=None, separators=(",", ":")).replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
