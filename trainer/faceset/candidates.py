"""The faces of one clip that a faceset may take, and what is known of them before a pixel is cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nodes.align.pose import take_performance
from nodes.definitions import ALIGN, AlignParameters, DetectParameters
from nodes.detect import main_tracks
from nodes.footage.footage import Footage
from nodes.graph import run
from nodes.progress import Progress
from nodes.subjects import Subject
from nodes.types import Float, Int, Track
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.select import describe

_SHAPES = 500  # of a clip that say how the performer usually looks


@dataclass(frozen=True, slots=True)
class Candidates:
    """T faces of one clip, in the order of frames, at most one a frame.

    span: first and last position that was looked at. frame, track, score: [T]. to_plate: [T, 2, 3]. landmarks: [T, L, 3] in crop pixels. jump: [T], how far the landmarks are from their smooth path, in crop sides. cut: [T], share of the landmarks that lie outside the picture. others: tracks of other people.
    """

    subject: Subject
    footage: Footage
    span: tuple[int, int]
    frame: Int
    track: Int
    score: Float
    to_plate: Float
    landmarks: Float
    jump: Float
    cut: Float
    others: tuple[Track, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def shapes(self, rows: slice | Int = slice(None)) -> Float:
        """Shapes with the pose taken out, template units, [n, L, 3]."""
        return take_performance(self.landmarks[rows], self.subject).shape

    def some_shapes(self) -> Float:
        """Some of the shapes, spread over the clip."""
        return self.shapes(np.unique(np.linspace(0, len(self) - 1, min(len(self), _SHAPES)).astype(np.int64)))

    def views(self) -> tuple[Float, Float]:
        """Yaw and pitch in degrees [T, 2], and descriptors of pose and expression [T, D]."""
        performance = take_performance(self.landmarks, self.subject)
        return performance.yaw_pitch, describe(performance.shape, performance.yaw_pitch, self.subject)


def find_candidates(
    footage: Footage,
    parameters: FacesetParameters,
    detect: DetectParameters,
    progress: Progress,
    name: str,
    span: tuple[int, int],
    wanted: Sequence[int] = (),
) -> Candidates:
    """Find, follow and align the main face, or the tracks `wanted`, of a clip's positions `span`, inclusive; raises NoFaceError where there is none, and FootageError."""
    info = footage.info
    asked = {"detect": detect, "align": AlignParameters(size=parameters.size, coverage=parameters.coverage)}
    first, last = span
    made = run(
        {"plate": footage}, asked, upto=ALIGN, tracks=wanted, first=first, last=last, progress=progress, stage=name
    )
    tracks = {track.id: track for track in made["faces"].tracks}
    aligned = sorted(made["crops"], key=lambda a: int(a.track.frames[0]))
    landmarks, jumps, cuts = [], [], []
    for a in aligned:
        found = tracks[a.track.id].landmarks
        steady = a.landmarks
        landmarks.append(steady)
        jumps.append(np.linalg.norm((a.to_crop(found) - steady)[..., :2], axis=-1).mean(1) / a.size)
        xy = found[..., :2]
        cuts.append(((xy < 0) | (xy > (info.width, info.height))).any(-1).mean(1))
    return Candidates(
        aligned[0].subject,
        footage,
        span,
        np.concatenate([a.track.frames for a in aligned]),
        np.concatenate([np.full(len(a.track), a.track.id, np.int64) for a in aligned]),
        np.concatenate([a.track.scores for a in aligned]).astype(np.float32),
        np.concatenate([a.to_plate for a in aligned]),
        np.concatenate(landmarks),
        np.concatenate(jumps).astype(np.float32),
        np.concatenate(cuts).astype(np.float32),
        () if wanted else tuple(t for t in main_tracks(made["found"]) if t.id not in tracks),
    )
