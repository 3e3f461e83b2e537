"""Everything the reference method decides before the first pixel: shapes, choices, and the references themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nodes.align import Alignment
from nodes.align.pose import Performance, joined, take_performance
from nodes.definitions import SwapParameters
from nodes.detect import main_tracks
from nodes.errors import NoFaceError
from nodes.footage import Footage
from nodes.geometry.smoothing import blur, smooth, window_length
from nodes.subjects import Subject, load_subject
from nodes.swap.reference.choice import Choice, choose
from nodes.swap.reference.expression import (
    LidMatch,
    as_if_lids_of,
    close_mouth,
    match_lids,
    neutral_shape,
    read_expression,
    read_tones,
)
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp
from nodes.types import Bool, Faces, Float, Int

_SOURCE_WINDOW = 0.2  # seconds over which the source's landmarks are smoothed: their noise would shake the texture
_POSE_WINDOW = 0.36
_TONE_WINDOW = 0.28
POSE_UNIT = np.array([9.1, 13.0], np.float32)  # degrees of yaw and pitch that weigh as much as one spread of expression
_MOST_SOURCE_FRAMES = 8000
_RELAX = 0.25  # how far the mouth gives way to the shape that the chosen references really have
_RELAX_DRAWN = 0.22  # the same, where a network draws it
_RELAX_SIGMA = 2.0  # frames
_LID_GAIN = 1.5  # the mesh follows lids less far than they go
_SPEED_UNIT = 0.06  # template units a frame: faster source frames are likely to be blurred
_RIM = 0.45  # template units from the outline over which the source's shape takes over from the target's
_MOST_PITCH_BIAS = 15.0  # degrees


@dataclass(frozen=True, slots=True)
class Source:
    """The frames of the source that may serve, and the footage that they are fetched from, where it is needed.

    frames: [N] in its footage; landmarks: [N, L, 3]; penalty: [N], what choosing a frame costs; tones: [N, L].
    """

    subject: Subject
    footage: Footage | None
    frames: Int
    landmarks: Float
    performance: Performance
    neutral: Float
    penalty: Float
    tones: Float | None


@dataclass(frozen=True, slots=True)
class ReferenceTrack:
    """One track of the plate, ready to render. vertices: [T, V, 3], of the new face's surface in plate pixels."""

    subject: Subject
    vertices: Float
    upper: Choice
    lower: Choice
    references: dict[int, Reference]

    def render(self, t: int, vertices: Float, size: int) -> tuple[Float, Bool]:
        """Render frame `t` of the track: display-referred RGB [size, size, 3], 0..1, and where it is defined.

        vertices: those of the frame, [V, 3], in crop pixels.
        """
        surface = surface_of(self.subject)
        warp = MeshWarp(vertices, surface.triangles, size)
        weights: dict[int, Float | float] = {}
        shares: list[tuple[Choice, Float | float]] = [(self.lower, 1.0)]
        if self.subject.waist:
            upper = warp.spread(surface.extend_values(upper_weight(self.subject))[:, None])
            shares = [(self.upper, upper), (self.lower, 1 - upper)]
        for choice, share in shares:
            for index, weight in zip(choice.index[t], choice.weight[t], strict=True):
                if weight > 0:
                    weights[int(index)] = weights.get(int(index), 0.0) + share * weight
        total = np.zeros((size, size, 3), np.float32)
        whole = np.zeros((size, size, 1), np.float32)
        for image, weight in zip(warp.fetch([self.references[i] for i in weights]), weights.values(), strict=True):
            total += image * weight
            whole += weight
        return np.clip(total / np.maximum(whole * 255, 1e-6), 0, 1), warp.visible


def _smoothstep(x: Float) -> Float:
    x = np.clip(x, 0, 1)
    return (x * x * (3 - 2 * x)).astype(np.float32)


def upper_weight(subject: Subject) -> Float:
    """Share of the upper part at each landmark, [L]; none of a subject that has no waist."""
    if subject.waist is None:
        return np.zeros(len(subject.template), np.float32)
    high, low = subject.waist
    return _smoothstep((low - subject.template[:, 1]) / (low - high))


def _inner_weight(subject: Subject) -> Float:
    """1 well inside the subject, 0 on its outline, where the new shape must meet the plate: [L]."""
    flat = subject.template[:, :2]
    if not len(subject.outline):
        return np.ones(len(flat), np.float32)
    outline = flat[subject.outline]
    return _smoothstep(np.linalg.norm(flat[:, None] - outline[None], axis=-1).min(1) / _RIM)


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
    smoothed = [smooth(t.landmarks, window_length(_SOURCE_WINDOW, rate)) for t in tracks]
    frames = np.concatenate([t.frames for t in tracks])
    seen = np.concatenate([t.scores for t in tracks]) > 0
    performance = joined(
        [take_performance(s, subject, mirrored=t.mirrored) for s, t in zip(smoothed, tracks, strict=True)]
    )
    middle = performance.position[:, :2] / performance.scale[:, None]
    speed = np.linalg.norm(np.gradient(middle, axis=0), axis=1) if len(middle) > 1 else np.zeros(1)
    tones = [smooth(t.tones, window_length(_SOURCE_WINDOW, rate)) for t in tracks if t.tones is not None]
    step = max(1, -(-len(frames) // _MOST_SOURCE_FRAMES))
    keep = np.flatnonzero(seen)[::step]
    return Source(
        subject,
        footage,
        frames[keep],
        np.concatenate(smoothed)[keep],
        performance[keep],
        neutral_shape(performance.shape[keep], subject),
        ((speed[keep] / _SPEED_UNIT) ** 2).astype(np.float32),
        np.concatenate(tones)[keep] if len(tones) == len(tracks) else None,
    )


def plan_reference(
    alignments: Sequence[Alignment],
    source: Source,
    parameters: SwapParameters,
    rate: float,
    progress: Callable[[int], None] = lambda done: None,
    *,
    drawn: bool = False,
) -> list[ReferenceTrack]:
    """Decide shapes and references of every track, and fetch the references' pixels in one pass over the source.

    drawn: as in :func:`retarget`.
    """
    if source.footage is None:
        raise ValueError("references are fetched from footage")
    surface = surface_of(source.subject)
    chosen = [
        retarget(a.track.landmarks, a.track.tones, source, parameters, rate, drawn=drawn, mirrored=a.track.mirrored)
        for a in alignments
    ]
    needed = np.unique(np.concatenate([c.index.ravel() for _, *both in chosen for c in both]))
    size = max(a.size for a in alignments)
    pictures = fetch_references(
        source.footage, source.frames[needed], surface.extend(source.landmarks[needed]), size, progress
    )
    references = dict(zip(needed.tolist(), pictures, strict=True))
    return [
        ReferenceTrack(source.subject, surface.extend(vertices), upper, lower, references)
        for vertices, upper, lower in chosen
    ]


def retarget(
    landmarks: Float,
    tones: Float | None,
    source: Source,
    parameters: SwapParameters,
    rate: float,
    *,
    drawn: bool = False,
    mirrored: bool = False,
) -> tuple[Float, Choice, Choice]:
    """Give the source a performance: the new face's landmarks [T, L, 3], and references for its upper and lower part.

    landmarks: [T, L, 3], of the plate's face in any pixels, which are those of the result. tones: [T, L], or None. drawn: a
    network draws the face, so that the mouth gives way less to what the references show. mirrored: see `Track`.
    """
    subject = source.subject
    plate = take_performance(landmarks, subject, window_length(_POSE_WINDOW, rate), mirrored=mirrored)
    neutral = close_mouth(neutral_shape(plate.shape, subject), source.performance.shape, source.neutral, subject)
    lids = match_lids(plate.shape, neutral, source.performance.shape, source.neutral, subject)
    expression = as_if_lids_of(read_expression(plate.shape, neutral, subject), lids, subject)
    own = read_expression(source.performance.shape, source.neutral, subject)
    pose, source_pose = plate.yaw_pitch, source.performance.yaw_pitch
    # People hold their heads, and cameras stand, at different heights; a nod is a change from each one's own.
    bias = np.clip(np.median(source_pose[:, 1]) - np.median(pose[:, 1]), -_MOST_PITCH_BIAS, _MOST_PITCH_BIAS)
    source_pose = source_pose - np.array([0, bias], np.float32)
    view, source_view = pose / POSE_UNIT, source_pose / POSE_UNIT
    upper = choose(expression.upper, own.upper, view, source_view, source.penalty, parameters.steadiness)
    if tones is not None and source.tones is not None:
        tones = smooth(tones, window_length(_TONE_WINDOW, rate))
        view = np.concatenate([view, read_tones(tones, expression, subject)], axis=1)
        source_view = np.concatenate([source_view, read_tones(source.tones, own, subject)], axis=1)
    lower = choose(expression.lower, own.lower, view, source_view, source.penalty, parameters.steadiness)
    inner, low = _inner_weight(subject)[:, None], 1 - upper_weight(subject)[:, None]
    change = parameters.expression * (plate.shape - neutral)
    shown = source.performance.shape[lower.index[:, 0]] - source.neutral
    relax = _RELAX_DRAWN if drawn else _RELAX
    change = change + relax * low * inner * blur(shown - (plate.shape - neutral), _RELAX_SIGMA)
    shape = neutral + _move_lids(change, lids, subject) + parameters.shape * inner * (source.neutral - neutral)
    return plate.place(shape.astype(np.float32)), upper, lower


def _move_lids(change: Float, lids: LidMatch, subject: Subject) -> Float:
    """Let the lids travel as far as the source's would: scale their motion around the middle of each eye.

    change: [T, L, 3], from the neutral face.
    """
    change = change.copy()
    for eye in subject.lids:
        points = eye.contour
        height = change[:, points, 1]
        closes = change[:, eye.bottom, 1] < change[:, eye.top, 1]
        gain = np.where(closes, max(lids.closing, _LID_GAIN), _LID_GAIN)[:, None]
        change[:, points, 1] += (gain - 1) * (height - height.mean(1, keepdims=True))
    return change
