"""The source: the frames of a performer that can serve as references, and their performance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.align.pose import Performance, joined, take_performance
from nodes.detect import main_tracks
from nodes.errors import NoFaceError
from nodes.footage.footage import Footage
from nodes.geometry.smoothing import smooth, window_length
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Faces, Float, Int

_WINDOW = 0.12  # seconds over which the source's landmarks are smoothed: their noise would shake the texture
_MOST_FRAMES = 8000
_SPEED_UNIT = 1.5  # template units a second: faster frames are likely to be blurred


@dataclass(frozen=True, slots=True)
class Source:
    """The usable frames of the source, and the footage that they are fetched from, if needed.

    frames: [N] in its footage; landmarks: [N, L, 3]; performance: of N frames; penalty: [N], extra cost of choosing a frame.
    """

    subject: Subject
    footage: Footage | None
    frames: Int
    landmarks: Float
    performance: Performance
    penalty: Float


def take_source(footage: Footage, faces: Faces) -> Source:
    """Collect the usable frames of the source's main face; NoFaceError when there are none."""
    subject, rate = load_subject(faces.subject), float(faces.rate)
    tracks = main_tracks(faces)
    if not tracks:
        raise NoFaceError(
            f"no {subject.name} was found in the source",
            file=footage.info.path,
            remedy=f"Choose footage that shows the performer's {subject.name}",
        )
    smoothed = [smooth(t.landmarks, window_length(_WINDOW, rate)) for t in tracks]
    performances = [take_performance(s, subject, mirrored=t.mirrored) for s, t in zip(smoothed, tracks, strict=True)]
    speed = np.concatenate([_speed(p) for p in performances]) * np.float32(rate)
    visible_rows = np.flatnonzero(np.concatenate([t.scores for t in tracks]) > 0)
    keep = visible_rows[:: max(1, -(-len(visible_rows) // _MOST_FRAMES))]
    return Source(
        subject,
        footage,
        np.concatenate([t.frames for t in tracks])[keep],
        np.concatenate(smoothed)[keep],
        joined(performances)[keep],
        ((speed[keep] / _SPEED_UNIT) ** 2).astype(np.float32),
    )


def _speed(performance: Performance) -> Float:
    """Measure the subject's speed across the picture, [T], template units a frame."""
    place = performance.position[:, :2] / performance.scale[:, None]
    return np.asarray(np.linalg.norm(np.gradient(place, axis=0), axis=1)) if len(place) > 1 else np.zeros(1, np.float32)
