"""FAN landmarks through the optional `face-alignment` package: independent of the mesh.

Bulat & Tzimiropoulos 2017, "How far are we from solving the 2D & 3D Face Alignment problem?". FAN finds 68 points; the mesh
that everything downstream works on is bent so that its 68 counterparts lie on them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from scipy.interpolate import RBFInterpolator

from nodes.align.landmarks68 import to_68
from nodes.detect.s3fd import library_weights, loading
from nodes.errors import FaceplateError, MissingDependencyError
from nodes.footage.footage import Footage
from nodes.types import Faces, Float


@cache
def _network() -> Any:
    try:
        import torch
        from face_alignment import FaceAlignment, LandmarksType, api
    except ImportError as e:
        raise MissingDependencyError(
            "the landmarker fan needs the package face-alignment",
            remedy="Use the embedded mesh with --landmarker mesh, or install it with: pip install 'faceplate[fan]'",
        ) from e
    file = library_weights(api.models_urls["2DFAN-4"], "use the embedded mesh with --landmarker mesh")
    with loading(file):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # 'folder' is its detector without weights: faces are given. Compiling takes minutes and leaves pickles behind.
        return FaceAlignment(LandmarksType.TWO_D, device=device, face_detector="folder", compile=False)


def bend(mesh: Float, points: Float) -> Float:
    """Bend a mesh [478, 3] so that its 68 counterparts lie on `points` [68, 2], smoothly in between (thin plate)."""
    anchors = to_68(mesh)
    size = float(np.ptp(anchors))
    field = RBFInterpolator(anchors / size, points - anchors, kernel="thin_plate_spline", smoothing=1e-3)
    return np.concatenate([mesh[:, :2] + field(mesh[:, :2] / size), mesh[:, 2:]], axis=1).astype(np.float32)


def refine(faces: Faces, plate: Footage | None) -> Faces:
    """Move the landmarks of all tracks to FAN's, except for faces outside of the picture.

    Raises FaceplateError for a subject other than a face, MissingDependencyError without the package, ModelError without its weights.
    """
    if faces.subject != "face":
        raise FaceplateError(f"the landmarker fan finds faces, no {faces.subject}", remedy="Use --landmarker mesh")
    network = _network()
    if plate is None:
        raise FaceplateError("the landmarker fan needs the footage as well as its faces", remedy="Connect the plate")
    meshes = {track.id: track.landmarks.copy() for track in faces.tracks}
    for frame in plate.frames(faces.first, faces.first + faces.count - 1):
        rows = [(t, frame.index - int(t.frames[0])) for t in faces.tracks if t.frames[0] <= frame.index <= t.frames[-1]]
        visible = [
            (t, i)
            for t, i in rows
            if (t.boxes[i, :2] < (frame.width, frame.height)).all() and (t.boxes[i, 2:] > 0).all()
        ]
        if visible:
            shapes = network.get_landmarks_from_image(frame.rgb8(), [t.boxes[i].tolist() for t, i in visible])
            for (track, i), points in zip(visible, shapes, strict=True):
                meshes[track.id][i] = bend(track.landmarks[i], np.asarray(points, np.float32) + 0.5)
    return replace(faces, tracks=tuple(replace(t, landmarks=meshes[t.id]) for t in faces.tracks))
