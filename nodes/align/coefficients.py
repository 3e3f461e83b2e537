"""Expression coefficients: numbers 0..1 that all people share, read from landmarks by a small network."""

from __future__ import annotations

import numpy as np

from nodes.runtime import load_weights
from nodes.subjects import Subject
from nodes.types import Float

_BATCH = 64


def read_coefficients(landmarks: Float, subject: Subject) -> Float:
    """Expression coefficients [T, C], 0..1, of landmarks [T, L, >=2] in square pixels; C is 0 for a subject without any.

    Of a face they are the 52 blendshapes of ARKit by their names (`subject.coefficients.names`), by MediaPipe's network:
    Grishchenko et al. 2022, "Attention Mesh" and "Blendshape V2" model card. Smooth the landmarks first: the network does not.
    """
    known = subject.coefficients
    if known is None:
        return np.zeros((len(landmarks), 0), np.float32)
    session = load_weights(known.network)
    name = session.get_inputs()[0].name
    points = np.ascontiguousarray(landmarks[:, known.points, :2], np.float32)
    found = [session.run(None, {name: points[i : i + _BATCH]})[0] for i in range(0, len(points), _BATCH)]
    return np.concatenate(found) if found else np.zeros((0, len(known.names)), np.float32)
