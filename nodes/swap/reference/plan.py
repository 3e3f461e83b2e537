"""Everything the reference method decides before the first pixel: shapes, choices, and the references themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nodes.align import Alignment
from nodes.align.pose import Performance, take_performance
from nodes.definitions import SwapParameters
from nodes.detect import main_tracks
from nodes.errors import NoFaceError
from nodes.footage import Footage
from nodes.geometry.smoothing import blur, smooth, window_length
from nodes.subjects import load_subject
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
from nodes.swap.reference.warp import MeshWarp
from nodes.types import Bool, Faces, Float, Int

_SOURCE_WINDOW = 0.2  # seconds over which the source's landmarks are smoothed: their noise would shake the texture
_POSE_WINDOW = 0.36
_TONE_WINDOW = 0.28
POSE_UNIT = np.array([9.1, 13.0], np.float32)  # degrees of yaw and pitch that weigh as much as one spread of expression
_MOST_SOURCE_FRAMES = 8000
_RELAX = 0.25  # how far the mouth gives way to the shape that the chosen references really have
_RELAX_DRAWN = 0.15  # the same, where a network draws it
_RELAX_SIGMA = 2.0  # frames
_LID_GAIN = 1.3  # the mesh follows lids less far than they go
_SPEED_UNIT = 0.06  # template units a frame: faster source frames are likely to be blurred
_RIM = 0.45  # template units from the outline over which the source's shape takes over from the target's
_WAIST = (-0.35, 0.10)  # template heights between which the upper face fades into the lower
_MOST_PITCH_BIAS = 15.0  # degrees


@dataclass(frozen=True, slots=True)
class Source:
    """The frames of the source that may serve, and the footage that they are fetched from, where it is needed.

    frames: [N] in its footage; landmarks: [N, 468, 3]; penalty: [N], what choosing a frame costs; tones: [N, 468].
    """

    footage: Footage | None
    frames: Int
    landmarks: Float
    performance: Performance
    neutral: Float
    penalty: Float
    tones: Float | None


@dataclass(frozen=True, slots=True)
class ReferenceTrack:
    """One track of the plate, ready to render. vertices: [T, 468, 3], the new face in plate pixels."""

    vertices: Float
    upper: Choice
    lower: Choice
    references: dict[int, Reference]

    def render(self, t: int, vertices: Float, size: int) -> tuple[Float, Bool]:
        """Render frame `t` of the track: display-referred RGB [size, size, 3], 0..1, and where it is defined.

        vertices: those of the frame, [468, 3], in crop pixels.
        """
        warp = MeshWarp(vertices, size)
        upper = warp.spread(upper_weight()[:, None])
        weights: dict[int, Float | float] = {}
        for choice, share in ((self.upper, upper), (self.lower, 1 - upper)):
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


def upper_weight() -> Float:
    """Share of the upper face at each vertex, [468]."""
    high, low = _WAIST
    return _smoothstep((low - load_subject().template[:, 1]) / (low - high))


def _inner_weight() -> Float:
    """1 well inside the face, 0 on its outline, where the new face must meet the plate: [468]."""
    subject = load_subject()
    flat = subject.template[:, :2]
    outline = flat[subject.contours["oval"]]
    return _smoothstep(np.linalg.norm(flat[:, None] - outline[None], axis=-1).min(1) / _RIM)


def take_source(footage: Footage, faces: Faces) -> Source:
    """Collect the usable frames of the source's main face; NoFaceError when there are none."""
    rate = float(faces.rate)
    tracks = main_tracks(faces)
    if not tracks:
        raise NoFaceError(
            "no face was found in the source",
            file=footage.info.path,
            remedy="Choose footage that shows the performer's face",
        )
    landmarks = np.concatenate([smooth(t.landmarks, window_length(_SOURCE_WINDOW, rate)) for t in tracks])
    frames = np.concatenate([t.frames for t in tracks])
    seen = np.concatenate([t.scores for t in tracks]) > 0
    performance = take_performance(landmarks)
    middle = performance.position[:, :2] / performance.scale[:, None]
    speed = np.linalg.norm(np.gradient(middle, axis=0), axis=1) if len(middle) > 1 else np.zeros(1)
    tones = [smooth(t.tones, window_length(_SOURCE_WINDOW, rate)) for t in tracks if t.tones is not None]
    step = max(1, -(-len(frames) // _MOST_SOURCE_FRAMES))
    keep = np.flatnonzero(seen)[::step]
    return Source(
        footage,
        frames[keep],
        landmarks[keep],
        Performance(*(getattr(performance, n)[keep] for n in ("scale", "rotation", "position", "shape"))),
        neutral_shape(performance.shape[keep]),
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
    chosen = [retarget(a.track.landmarks, a.track.tones, source, parameters, rate, drawn=drawn) for a in alignments]
    needed = np.unique(np.concatenate([c.index.ravel() for _, *both in chosen for c in both]))
    size = max(a.size for a in alignments)
    pictures = fetch_references(source.footage, source.frames[needed], source.landmarks[needed], size, progress)
    references = dict(zip(needed.tolist(), pictures, strict=True))
    return [ReferenceTrack(vertices, upper, lower, references) for vertices, upper, lower in chosen]


def retarget(
    landmarks: Float,
    tones: Float | None,
    source: Source,
    parameters: SwapParameters,
    rate: float,
    *,
    drawn: bool = False,
) -> tuple[Float, Choice, Choice]:
    """Give the source a performance: the new face's vertices [T, 468, 3], and references for its upper and lower half.

    landmarks: [T, 468, 3], of the plate's face in any pixels, which are those of the result. tones: [T, 468], or None. drawn: a
    network draws the face, so that the mouth gives way less to what the references show.
    """
    plate = take_performance(landmarks, window_length(_POSE_WINDOW, rate))
    neutral = close_mouth(neutral_shape(plate.shape), source.performance.shape, source.neutral)
    lids = match_lids(plate.shape, neutral, source.performance.shape, source.neutral)
    expression = as_if_lids_of(read_expression(plate.shape, neutral), lids)
    own = read_expression(source.performance.shape, source.neutral)
    pose, source_pose = plate.yaw_pitch, source.performance.yaw_pitch
    # People hold their heads, and cameras stand, at different heights; a nod is a change from each one's own.
    bias = np.clip(np.median(source_pose[:, 1]) - np.median(pose[:, 1]), -_MOST_PITCH_BIAS, _MOST_PITCH_BIAS)
    source_pose = source_pose - np.array([0, bias], np.float32)
    view, source_view = pose / POSE_UNIT, source_pose / POSE_UNIT
    upper = choose(expression.upper, own.upper, view, source_view, source.penalty, parameters.steadiness)
    if tones is not None and source.tones is not None:
        tones = smooth(tones, window_length(_TONE_WINDOW, rate))
        view = np.concatenate([view, read_tones(tones, expression)], axis=1)
        source_view = np.concatenate([source_view, read_tones(source.tones, own)], axis=1)
    lower = choose(expression.lower, own.lower, view, source_view, source.penalty, parameters.steadiness)
    inner, low = _inner_weight()[:, None], 1 - upper_weight()[:, None]
    change = parameters.expression * (plate.shape - neutral)
    shown = source.performance.shape[lower.index[:, 0]] - source.neutral
    relax = _RELAX_DRAWN if drawn else _RELAX
    change = change + relax * low * inner * blur(shown - (plate.shape - neutral), _RELAX_SIGMA)
    shape = neutral + _move_lids(change, lids) + parameters.shape * inner * (source.neutral - neutral)
    return plate.place(shape.astype(np.float32)), upper, lower


def _move_lids(change: Float, lids: LidMatch) -> Float:
    """Let the lids travel as far as the source's would: scale their motion around the middle of each eye.

    change: [T, 468, 3], from the neutral face.
    """
    contours = load_subject().contours
    change = change.copy()
    for eye, top, bottom in (("right_eye", 159, 145), ("left_eye", 386, 374)):
        points = contours[eye]
        height = change[:, points, 1]
        closes = change[:, bottom, 1] < change[:, top, 1]
        gain = np.where(closes, max(lids.closing, _LID_GAIN), _LID_GAIN)[:, None]
        change[:, points, 1] += (gain - 1) * (height - height.mean(1, keepdims=True))
    return change
