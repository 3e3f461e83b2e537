"""Finds any subject by a network that gives the coordinates of its landmarks, one of them in a frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect.blazeface import Detections
from nodes.detect.finders.finder import Seen
from nodes.detect.finders.network import NetworkRunner
from nodes.detect.squares import perpendicular, to_plate, turned_extent, turned_squares, unit
from nodes.errors import SchemaError
from nodes.footage.frame import Frame
from nodes.geometry.sampling import crop
from nodes.subjects import Subject
from nodes.subjects.keypoint_network import read_network
from nodes.types import Float, Image8

_LEAST = 8.0  # plate pixels: side of the smallest square that is looked at
_NOWHERE = 1e-5
_LEVEL = np.array([1, 0], np.float32)
_QUARTERS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)


class KeypointFinder:
    """The subject of a network of one's own: looked for in the whole frame, then in a square around its landmarks.

    Raises SchemaError for a description that cannot be used, or a subject without a template, ModelError for its network.
    """

    sure = 0.5

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._told = read_network(subject.finder, subject.file, len(subject.template))
        if not self._told.fitted:
            raise SchemaError(
                f"the subject '{subject.name}' has no template yet",
                file=subject.file,
                remedy=f"Run `faceplate subject fit {subject.name} FOOTAGE` first",
            )
        model = subject.file.parent / self._told.model
        self._runner = NetworkRunner(self._told, model, len(subject.template))
        self._side = max(self._told.size)

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """The whole frame, level; then, by a network that wants its subject upright, in quarter turns."""
        yield self._search(frame, _LEVEL[None], parameters.min_score)
        if turned and parameters.any_angle and self._told.upright:
            yield self._search(frame, _QUARTERS, parameters.min_score)

    def _search(self, frame: Frame, across: Float, min_score: float) -> Detections:
        # The frame fits into what is cut out of the middle of the square, whichever way it is turned.
        turned = across[:, 0] == 0
        extent = np.where(turned[:, None], (frame.height, frame.width), (frame.width, frame.height))
        side = (extent * (self._side / np.array(self._told.size))).max(1)
        centre = np.array([[frame.width / 2, frame.height / 2]], np.float32).repeat(len(across), 0)
        seen = self.look(frame.rgb8(), turned_squares(centre, across, side, self._side))
        best = [int(seen.scores.argmax())] if seen.scores.max() >= min_score else []
        points = seen.landmarks[best, :, :2]
        return Detections(np.concatenate([points.min(1), points.max(1)], 1), points, seen.scores[best])

    def first_squares(self, found: Detections) -> Float:
        """Around the landmarks that were found in the whole frame."""
        return self.next_squares(found.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Around the landmarks; turned as the subject is, where its network wants it so."""
        points = np.asarray(landmarks[..., :2], np.float32)
        across = self._across(points)
        centre, extent = turned_extent(points, across)
        # An input that is not square sees less of the square along its shorter side.
        side = (extent * (self._side / np.array(self._told.size))).max(1)
        return turned_squares(centre, across, np.maximum(self._told.margin * side, _LEAST), self._side)

    def look(self, image: Image8, squares: Float) -> Seen:
        """Landmarks and scores; there are no sides."""
        crops = crop(image, squares, self._side)
        width, height = self._told.size
        left, top = (self._side - width) // 2, (self._side - height) // 2
        points, scores = self._runner(crops[:, top : top + height, left : left + width])
        points[..., :2] += (left, top)
        return Seen(to_plate(points, squares), scores, np.ones_like(scores))

    def _across(self, points: Float) -> Float:
        """Where the subject's own x runs, unit vectors [B, 2], from landmarks [B, L, 2]."""
        upright = self._told.upright
        if isinstance(upright, tuple):
            return _direction(perpendicular(points[:, upright[1]] - points[:, upright[0]]))
        if not upright:
            return _LEVEL[None].repeat(len(points), 0)
        # The rotation of the least-squares similarity in two dimensions, which points in one place cannot break.
        weight = self._subject.weights[:, None] / self._subject.weights.sum()
        template = self._subject.template[:, :2] - (self._subject.template[:, :2] * weight).sum(0)
        seen = (points - (points * weight).sum(1, keepdims=True)) * weight
        cos = (seen * template).sum((1, 2))
        sin = (seen[..., 1] * template[:, 0] - seen[..., 0] * template[:, 1]).sum(1)
        return _direction(np.stack([cos, sin], -1))


def _direction(across: Float) -> Float:
    """Unit vectors along `across` [B, 2]; level where it points nowhere."""
    return unit(np.where(np.abs(across).max(1, keepdims=True) > _NOWHERE, across, _LEVEL).astype(np.float32))
