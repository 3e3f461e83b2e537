"""Alignment: a smoothed similarity transform from a track's landmarks to a steady crop, fitted to points that expression does not move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nodes.align import fan
from nodes.align.pose import take_performance
from nodes.definitions import AlignParameters, Landmarker
from nodes.footage.footage import Footage
from nodes.geometry.sampling import invert, transform_points
from nodes.geometry.similarity import fit_similarity
from nodes.geometry.smoothing import smooth, window_length
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Faces, Float, Track

_PERFORMANCE_WINDOW = 0.16  # seconds over which landmarks are smoothed: short enough for a blink
_AUTO_SIZES = (192, 512)
_OVERSAMPLING = 1.25  # crop pixels per plate pixel, so that resampling twice does not soften


@dataclass(frozen=True, slots=True)
class Alignment:
    """One track, aligned. T frames.

    subject: of the track. rate: frames per second of its footage. track: with its landmarks smoothed. raw, smoothed: [T, 4], the similarity from the template to the plate as scale
    (pixels a template unit), angle (radians) and position x, y (pixels), before and after smoothing; of a mirrored track,
    the template is mirrored first. size: side of the crop
    in pixels. coverage: see :class:`nodes.definitions.AlignParameters`.
    """

    subject: Subject
    rate: float
    track: Track
    raw: Float
    smoothed: Float
    size: int
    coverage: float

    @property
    def to_plate(self) -> Float:
        """Crop pixels → plate pixels, [T, 2, 3]."""
        scale, angle, x, y = self.smoothed.T
        step = scale * 2 * self.subject.half_side * self.coverage / self.size
        cos, sin = np.cos(angle) * step, np.sin(angle) * step
        linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1) * self._flip
        shift = np.stack([x, y], -1) - linear @ np.full(2, self.size / 2, np.float32)
        return np.concatenate([linear, shift[..., None]], axis=-1).astype(np.float32)

    @property
    def _flip(self) -> Float:
        return np.array([-1 if self.track.mirrored else 1, 1], np.float32)

    @property
    def landmarks(self) -> Float:
        """The track's landmarks in crop pixels, [T, L, 3]; z in the same scale."""
        return self.to_crop(self.track.landmarks)

    def to_crop(self, points: Float) -> Float:
        """Map plate points [T, N, 3] to crop pixels."""
        to_plate = self.to_plate
        scale = np.sqrt(np.abs(np.linalg.det(to_plate[:, :, :2])))
        xy = transform_points(invert(to_plate), points[..., :2])
        return np.concatenate([xy, points[..., 2:] / scale[:, None, None]], axis=-1).astype(np.float32)

    def at(self, size: int, coverage: float | None = None) -> Alignment:
        """Return the same alignment with crops of another size or coverage."""
        return replace(self, size=size, coverage=self.coverage if coverage is None else coverage)


class Aligned(NamedTuple):
    """Aligned faces, and the alignment of each of their tracks, which locates its crops."""

    faces: Faces
    crops: tuple[Alignment, ...]


def align(faces: Faces, parameters: AlignParameters | None = None, plate: Footage | None = None) -> Aligned:
    """Align every track of a shot, in their order.

    plate: the footage, needed by the landmarker `fan` alone. The fit is that of Umeyama 1991 on the template's x and y, each
    landmark weighted by how little it moves with expression (:mod:`nodes.subject_tool.estimate`). SchemaError for a missing subject.
    """
    parameters = parameters or AlignParameters()
    if parameters.landmarker is Landmarker.FAN:
        faces = fan.refine(faces, plate)
    subject = load_subject(faces.subject)
    return Aligned(faces, tuple(_align(subject, track, float(faces.rate), parameters) for track in faces.tracks))


def _align(subject: Subject, track: Track, rate: float, parameters: AlignParameters) -> Alignment:
    template = subject.template[None, :, :2] * np.array([-1 if track.mirrored else 1, 1], np.float32)
    scale, rotation, position = fit_similarity(template, track.landmarks[..., :2], subject.weights, track.frames)
    if subject.turns:
        pose = take_performance(track.landmarks, subject, mirrored=track.mirrored)
        # The weighted middle stays in place, while the rest grows or shrinks around it.
        middle = np.average(template[0], axis=0, weights=subject.weights)
        position = position + (scale - pose.scale)[:, None] * (rotation @ middle)
        scale = pose.scale
    angle = np.unwrap(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    raw = np.stack([scale, angle, *position.T], axis=1).astype(np.float32)
    smoothed = smooth(raw, window_length(parameters.smoothing, rate))
    size = parameters.size or fitting_size(subject, float(np.percentile(scale, 90)), parameters.coverage)
    steady = replace(track, landmarks=smooth(track.landmarks, window_length(_PERFORMANCE_WINDOW, rate)))
    return Alignment(subject, rate, steady, raw, smoothed, size, parameters.coverage)


def fitting_size(subject: Subject, scale: float, coverage: float) -> int:
    """Return the side of crops that keep the detail of the plate; scale: of the similarity, in pixels a template unit."""
    pixels = _OVERSAMPLING * scale * 2 * subject.half_side * coverage
    return int(np.clip(np.ceil(pixels / 8) * 8, *_AUTO_SIZES))
