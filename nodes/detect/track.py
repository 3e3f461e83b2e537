"""Tracker: detects a subject every N frames, follows its landmarks in between, and searches again where it is lost."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations, islice, takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from nodes.definitions import DetectParameters
from nodes.detect.blazeface import Detections, overlap
from nodes.detect.cuts import CutDetector
from nodes.detect.finder import DetectedLandmarks, Finder, finder_of, thumbnail
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.subjects.subject import load_subject
from nodes.types import Faces, Float, Int, Track

_log = logging.getLogger(__name__)
_SAME_FACE = 0.3  # intersection over union above which two boxes are the same face
_ONE_FACE = 0.6  # and above which two tracks cannot both be right
_BRIDGE = 0.25  # seconds for which a face may be lost and still keep its track
_AT_REST, _MOST_LOOKS = 0.97, 6  # intersection over union of two looks at one face that counts as converged
_NEVER = -(10**9)
Progress = Callable[[int], None]


@dataclass(eq=False)
class TrackBuilder:
    """A track under construction, frame by frame."""

    frames: deque[int] = field(default_factory=deque)
    landmarks: deque[Float] = field(default_factory=deque)
    scores: deque[float] = field(default_factory=deque)
    right: deque[float] = field(default_factory=deque)

    def _ends(self) -> tuple[deque[Any], ...]:
        return self.frames, self.landmarks, self.scores, self.right

    def add(self, frame: int, detected: DetectedLandmarks, at: int, before: bool = False) -> None:
        """Append row `at` of the landmarks, or prepend it."""
        row = frame, detected.landmarks[at], float(detected.scores[at]), float(detected.right[at])
        for values, value in zip(self._ends(), row, strict=True):
            (values.appendleft if before else values.append)(value)

    def drop(self, first: bool = False) -> None:
        """Remove the last frame, or the first."""
        for values in self._ends():
            (values.popleft if first else values.pop)()

    def box(self) -> Float:
        """Return the box in the last frame."""
        return _box(self.landmarks[-1])

    def box_at(self, frame: int) -> Float | None:
        """Return the box in a frame, None where the track lacks it."""
        near = zip(reversed(self.frames), reversed(self.landmarks), strict=True)
        return next((_box(points) for f, points in takewhile(lambda n: n[0] >= frame, near) if f == frame), None)

    def jolt(self, frames: int) -> float:
        """Measure how much the face's motion over the last frames differs from that over as many before, in face sizes."""
        step = min(frames, (len(self.landmarks) - 1) // 2)
        if not step:
            return float("inf")
        now, then, before = (_box(self.landmarks[-1 - i * step]) for i in range(3))
        return float(np.abs(now - 2 * then + before).max() / (now[3] - now[1]))


@dataclass(frozen=True, slots=True)
class TrackerState:
    """The state of a tracker before it takes `next_frame`, except for pixels.

    recent: the last frames of the scene, whose pixels it needs; never empty. lengths, active: of each track, how many frames it has and
    whether it is still followed. The arrays hold all tracks end to end: frames int64 [N], scores and right float64 [N], landmarks
    float32 [N, L, 3].
    """

    recent: tuple[int, ...]
    last_detection: int
    cuts: tuple[int, ...]
    lengths: tuple[int, ...]
    active: tuple[bool, ...]
    frames: Int
    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    landmarks: Float

    @property
    def next_frame(self) -> int:
        """The frame to go on with."""
        return self.recent[-1] + 1


def _box(landmarks: Float) -> Float:
    """Return bounding boxes [..., 4] of landmarks [..., L, 3]."""
    points = landmarks[..., :2]
    return np.concatenate([points.min(-2), points.max(-2)], axis=-1)


class Tracker:
    """A tracker that takes the frames of a shot in order; `finish` returns its tracks.

    A newly detected face is followed backwards too, so that one that enters between two detections is not missed. Without
    any face the quick detectors search every frame, and the thorough ones every Nth. A single odd frame is skipped, as if
    every face had been lost there for a moment.
    """

    def __init__(self, parameters: DetectParameters, rate: float) -> None:
        self._parameters = parameters
        self._subject = load_subject(parameters.subject)
        self._finder = finder_of(self._subject)
        self._sure = self._finder.sure if parameters.track_score is None else parameters.track_score
        self._bridge = max(round(_BRIDGE * rate), 1)
        self._cuts = CutDetector(parameters.cut_threshold)
        self._recent: deque[Frame] = deque(maxlen=parameters.every)
        self._active: list[TrackBuilder] = []
        self._finished: list[TrackBuilder] = []
        self._last_detection = _NEVER
        self.cuts: list[int] = []
        self.found_by: Counter[int] = Counter()  # frames in which each of the searches found faces

    def take(self, frame: Frame) -> None:
        """Take the next frame."""
        for certain, begins_scene in self._cuts.take(frame, thumbnail(frame)):
            self._take(certain, begins_scene)

    def _take(self, frame: Frame, begins_scene: bool) -> None:
        if begins_scene:
            self.cuts.append(frame.index)
            self._finished += self._active
            self._active = []
            self._recent.clear()
            self._last_detection = _NEVER
        lost = self._follow(frame, self._active)
        lost |= self._separate(frame)
        due = frame.index - self._last_detection >= self._parameters.every
        if lost or due or not self._active:
            self._detect(frame, lost, due)
        self._recent.append(frame)
        ended = [t for t in self._active if frame.index - t.frames[-1] > self._bridge]
        self._finished += ended
        self._active = [t for t in self._active if t not in ended]

    def state(self) -> TrackerState:
        """Return the state to resume from, at the frame after the last one that is certain not to be a flash."""
        builders = [*self._finished, *self._active]

        def joined(name: str, kind: type) -> Any:
            return np.array([value for t in builders for value in getattr(t, name)], kind)

        return TrackerState(
            tuple(f.index for f in self._recent),
            self._last_detection,
            tuple(self.cuts),
            tuple(len(t.frames) for t in builders),
            (False,) * len(self._finished) + (True,) * len(self._active),
            joined("frames", np.int64),
            joined("scores", np.float64),
            joined("right", np.float64),
            joined("landmarks", np.float32),
        )

    def resume(self, state: TrackerState, recent: Iterable[Frame]) -> None:
        """Resume from `state`; recent: the frames from the first of `state.recent` to the one before `state.next_frame`."""
        for frame in recent:
            if frame.index in state.recent:  # all of one scene, so that each is certain at once
                self._recent.extend(certain for certain, _ in self._cuts.take(frame, thumbnail(frame)))
        self._last_detection, self.cuts = state.last_detection, list(state.cuts)
        end = 0
        for length, active in zip(state.lengths, state.active, strict=True):
            part, end = slice(end, end + length), end + length
            frames, scores, right = (values[part].tolist() for values in (state.frames, state.scores, state.right))
            builder = TrackBuilder(*map(deque, (frames, state.landmarks[part], scores, right)))
            (self._active if active else self._finished).append(builder)

    def finish(self) -> tuple[Track, ...]:
        """Return all tracks, the longest first, numbered from 0."""
        for frame, begins_scene in self._cuts.rest():
            self._take(frame, begins_scene)
        builders = sorted(self._finished + self._active, key=lambda t: -len(t.frames))
        return tuple(_to_track(i, t, self._subject.handed) for i, t in enumerate(builders))

    def _follow(self, frame: Frame, builders: list[TrackBuilder], backwards: bool = False) -> bool:
        """Extend tracks to `frame`; true when one of them was lost."""
        if not builders:
            return False
        last = np.stack([t.landmarks[0 if backwards else -1] for t in builders])
        detected = self._finder.look(frame.rgb8(), self._finder.next_squares(last))
        present = detected.scores >= self._sure
        for at in np.flatnonzero(present):
            builders[at].add(frame.index, detected, int(at), backwards)
        return not present.all()

    def _separate(self, frame: Frame) -> bool:
        """Where two tracks follow one face after it passed another, cut the track that jumped to it."""
        followed = [t for t in self._active if t.frames[-1] == frame.index]
        separated = False
        for pair in combinations(followed, 2):
            stays, goes = sorted(pair, key=lambda t: t.jolt(self._bridge))
            if goes.frames[-1] == stays.frames[-1] and overlap(goes.box(), stays.box()[None])[0] > _ONE_FACE:
                separated = True
                while (box := stays.box_at(goes.frames[-1])) is not None and len(goes.frames) > 1:
                    if overlap(goes.box(), box[None])[0] < _SAME_FACE:
                        break
                    goes.drop()
        return separated

    def _detect(self, frame: Frame, lost: bool, due: bool) -> None:
        """Look for faces, by one search after the other, until one finds any."""
        if due:
            self._last_detection = frame.index
        followed = any(t.frames[-1] == frame.index for t in self._active)
        searches = self._finder.searches(frame, self._parameters, turned=lost or due, small=due and not followed)
        for number, detections in enumerate(searches, 1):
            if self._take_up(frame, detections):
                self.found_by[number] += 1
                return

    def _take_up(self, frame: Frame, detections: Detections) -> bool:
        """Start a track on each untracked face, or continue one that was just lost; true if there are faces."""
        size = detections.boxes[:, 3] - detections.boxes[:, 1]
        detections = detections[size >= self._parameters.min_size * frame.height]
        tracked = self._on_tracks(frame, detections.boxes)
        any_faces, detections = bool(tracked.any()), detections[~tracked]
        room = self._parameters.max_faces - sum(t.frames[-1] == frame.index for t in self._active)
        detections = detections[np.argsort(-(detections.boxes[:, 3] - detections.boxes[:, 1]))[: max(room, 0)]]
        if not len(detections):
            return any_faces
        detected = _first_look(self._finder, frame, detections)
        boxes, new = _box(detected.landmarks), np.flatnonzero(detected.scores >= self._sure)
        any_faces |= len(new) > 0
        new = new[~self._on_tracks(frame, boxes[new])]
        new = new[~np.triu(overlap(boxes[new], boxes[new]) > _ONE_FACE, 1).any(0)]  # one face, detected twice
        lost = [t for t in self._active if t.frames[-1] != frame.index]
        for at, builder in _best_pairs(boxes[new], lost):
            builder.add(frame.index, detected, int(new[at]))
        for index in new:
            if not self._on_tracks(frame, boxes[index][None])[0]:
                self._start(frame, detected, int(index))
        return any_faces

    def _on_tracks(self, frame: Frame, boxes: Float) -> npt.NDArray[np.bool_]:
        """Tell which of the boxes [K, 4] are on a face that a track has in this frame."""
        here = [t.box() for t in self._active if t.frames[-1] == frame.index]
        return overlap(boxes, np.stack(here)).max(-1) >= _SAME_FACE if here else np.zeros(len(boxes), bool)

    def _start(self, frame: Frame, detected: DetectedLandmarks, at: int) -> None:
        builder = TrackBuilder()
        builder.add(frame.index, detected, at)
        others = self._finished + self._active
        for earlier in reversed(self._recent):
            if self._follow(earlier, [builder], backwards=True):
                break
            others_here = [box for t in others if (box := t.box_at(earlier.index)) is not None]
            if others_here and overlap(_box(builder.landmarks[0]), np.stack(others_here)).max() >= _SAME_FACE:
                builder.drop(first=True)
                break
        self._active.append(builder)


def _best_pairs(boxes: Float, builders: list[TrackBuilder]) -> list[tuple[int, TrackBuilder]]:
    """Pair boxes [K, 4] with tracks so that all pairs together overlap most; those that hardly overlap stay alone.

    Kuhn 1955, "The Hungarian method for the assignment problem".
    """
    if not builders:
        return []
    shared = overlap(boxes, np.stack([t.box() for t in builders]))
    shared[shared < _SAME_FACE] = 0
    pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
    return [(int(at), builders[number]) for at, number in pairs if shared[at, number]]


def _first_look(finder: Finder, frame: Frame, detections: Detections) -> DetectedLandmarks:
    """Find the landmarks of detections, whose boxes are looser than the landmarks' own: repeated until the boxes converge."""
    detected = finder.look(frame.rgb8(), finder.first_squares(detections))
    for _ in range(_MOST_LOOKS):
        before = detected
        detected = finder.look(frame.rgb8(), finder.next_squares(before.landmarks))
        if np.diag(overlap(_box(before.landmarks), _box(detected.landmarks))).min() > _AT_REST:
            break
    return detected


def _to_track(number: int, builder: TrackBuilder, handed: bool) -> Track:
    """Build a track; frames in which the face was briefly lost are interpolated, with score 0."""
    tracked = np.array(builder.frames)
    frames = np.arange(tracked[0], tracked[-1] + 1)
    right = np.searchsorted(tracked, frames)
    left = np.maximum(right - (tracked[right] != frames), 0)
    span = np.maximum(tracked[right] - tracked[left], 1)
    weight = ((frames - tracked[left]) / span).astype(np.float32)[:, None, None]
    points = np.stack(builder.landmarks)
    landmarks = points[left] * (1 - weight) + points[right] * weight
    scores = np.where(np.isin(frames, tracked), np.array(builder.scores, np.float32)[right], 0).astype(np.float32)
    mirrored = handed and float(np.mean(builder.right)) < 0.5
    return Track(number, frames, _box(landmarks), scores, landmarks, mirrored)


def main_tracks(faces: Faces) -> list[Track]:
    """Choose the tracks of a shot's main face, in order of time: of simultaneous ones, the larger and longer."""

    def presence(track: Track) -> float:
        return float((track.boxes[:, 3] - track.boxes[:, 1]).sum())

    kept: list[Track] = []
    for track in sorted(faces.tracks, key=presence, reverse=True):
        if all(track.frames[0] > k.frames[-1] or track.frames[-1] < k.frames[0] for k in kept):
            kept.append(track)
    return sorted(kept, key=lambda t: int(t.frames[0]))


def detect(
    plate: Footage,
    parameters: DetectParameters | None = None,
    first: int = 0,
    last: int | None = None,
    progress: Progress = lambda done: None,
    state: TrackerState | None = None,
    after: Callable[[Tracker], None] | None = None,
) -> Faces:
    """Find and follow the faces of `plate` from frame `first` to `last`, inclusive; `progress` receives the frames done.

    state: where to go on from; the result is the same. after: is called after each frame.
    Raises FootageError for footage that cannot be decoded, SchemaError for a missing subject. Without any face `Faces.tracks` is empty.
    """
    parameters = parameters or DetectParameters()
    info = plate.info
    tracker = Tracker(parameters, float(info.rate))
    start = state.recent[0] if state else first
    end = info.frames - 1 if last is None else last
    count = end - first + 1
    frames = plate.frames(start, end, prepare=Frame.rgb8)
    if state:
        tracker.resume(state, islice(frames, state.next_frame - start))
    for frame in frames:
        tracker.take(frame)
        progress(frame.index - first + 1)
        if after:
            after(tracker)
    tracks = tracker.finish()
    by = ", ".join(f"search {number} in {count}" for number, count in sorted(tracker.found_by.items()))
    _log.info("frames in which faces were found by detection, not followed: %s", by or "none")
    return Faces(info.width, info.height, info.rate, first, count, tuple(tracker.cuts), tracks, parameters.subject)
