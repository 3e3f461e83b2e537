"""Keypoint finder: any subject by a network that gives the coordinates of its landmarks, one subject in a frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect.blazeface import Detections
from nodes.detect.decode import arranged, channels_first, from_heatmaps, from_regression, from_simcc
from nodes.detect.finder import DetectedLandmarks
from nodes.detect.squares import perpendicular, probability, to_plate, turned_extent, turned_squares, unit
from nodes.errors import ModelError, SchemaError
from nodes.footage.frame import Frame
from nodes.geometry.sampling import crop
from nodes.runtime import create_session
from nodes.subjects.keypoint_network import KeypointNetwork, read_network
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8

_LEAST = 8.0  # plate pixels: side of the smallest square that is searched
_NOWHERE = 1e-5
_LEVEL = np.array([1, 0], np.float32)
_QUARTERS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)


class KeypointFinder:
    """The finder of a user's own network: it searches the whole frame, then a square around the landmarks.

    Raises SchemaError for an unusable description, or a subject without a template, ModelError for its network.
    """

    sure = 0.5

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._network = read_network(subject.finder, subject.file, len(subject.template))
        if not self._network.fitted:
            raise SchemaError(
                f"the subject '{subject.name}' has no template yet",
                file=subject.file,
                remedy=f"Run `faceplate subject fit {subject.name} FOOTAGE` first",
            )
        model = subject.file.parent / self._network.model
        self._runner = NetworkRunner(self._network, model, len(subject.template))
        self._side = max(self._network.size)

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """Search the whole frame, level; then, for a network of upright subjects, in quarter turns."""
        yield self._search(frame, _LEVEL[None], parameters.min_score)
        if turned and parameters.any_angle and self._network.upright:
            yield self._search(frame, _QUARTERS, parameters.min_score)

    def _search(self, frame: Frame, across: Float, min_score: float) -> Detections:
        # The frame fits into the part cut out of the square's middle, at any quarter turn.
        turned = across[:, 0] == 0
        extent = np.where(turned[:, None], (frame.height, frame.width), (frame.width, frame.height))
        side = (extent * (self._side / np.array(self._network.size))).max(1)
        centre = np.array([[frame.width / 2, frame.height / 2]], np.float32).repeat(len(across), 0)
        detected = self.look(frame.rgb8(), turned_squares(centre, across, side, self._side))
        best = [int(detected.scores.argmax())] if detected.scores.max() >= min_score else []
        points = detected.landmarks[best, :, :2]
        return Detections(np.concatenate([points.min(1), points.max(1)], 1), points, detected.scores[best])

    def first_squares(self, detections: Detections) -> Float:
        """Lay squares around the landmarks that were found in the whole frame."""
        return self.next_squares(detections.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Lay squares around the landmarks; turned with the subject, if its network needs it upright."""
        points = np.asarray(landmarks[..., :2], np.float32)
        across = self._across(points)
        centre, extent = turned_extent(points, across)
        # An oblong input shows less of the square along its shorter side.
        side = (extent * (self._side / np.array(self._network.size))).max(1)
        return turned_squares(centre, across, np.maximum(self._network.margin * side, _LEAST), self._side)

    def look(self, image: Image8, squares: Float) -> DetectedLandmarks:
        """Find landmarks and scores; there are no sides."""
        crops = crop(image, squares, self._side)
        width, height = self._network.size
        left, top = (self._side - width) // 2, (self._side - height) // 2
        points, scores = self._runner(crops[:, top : top + height, left : left + width])
        points[..., :2] += (left, top)
        return DetectedLandmarks(to_plate(points, squares), scores, np.ones_like(scores))

    def _across(self, points: Float) -> Float:
        """Return the direction of the subject's own x axis, unit vectors [B, 2], from landmarks [B, L, 2]."""
        upright = self._network.upright
        if isinstance(upright, tuple):
            return _direction(perpendicular(points[:, upright[1]] - points[:, upright[0]]))
        if not upright:
            return _LEVEL[None].repeat(len(points), 0)
        # The rotation of the least-squares similarity in two dimensions, finite even for coincident points.
        weight = self._subject.weights[:, None] / self._subject.weights.sum()
        template = self._subject.template[:, :2] - (self._subject.template[:, :2] * weight).sum(0)
        centred = (points - (points * weight).sum(1, keepdims=True)) * weight
        cos = (centred * template).sum((1, 2))
        sin = (centred[..., 1] * template[:, 0] - centred[..., 0] * template[:, 1]).sum(1)
        return _direction(np.stack([cos, sin], -1))


def _direction(across: Float) -> Float:
    """Normalise `across` [B, 2] to unit vectors; level where its length is zero."""
    return unit(np.where(np.abs(across).max(1, keepdims=True) > _NOWHERE, across, _LEVEL).astype(np.float32))


_log = logging.getLogger(__name__)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_MOST = 16  # pictures at once
_SHAPES = {
    "regression": "[N, L, 2 or 3] or [N, 2 L or 3 L]",
    "heatmap": "[N, L, H, W] or [N, H, W, L]",
    "simcc": "[N, L, W times split_ratio] and [N, L, H times split_ratio]",
}


class NetworkRunner:
    """A network of `landmarks` landmarks, ready to run; raises ModelError for a file that does not fit `network`."""

    def __init__(self, network: KeypointNetwork, file: Path, landmarks: int) -> None:
        self._network, self._file, self._landmarks = network, file, landmarks
        self._session = create_session(file, threads=1)
        self._input = self._checked_input()
        self._outputs = self._checked_outputs()

    def __call__(self, pictures: np.ndarray) -> tuple[Float, Float]:
        """Find landmarks [N, L, 3] in continuous input pixels and scores [N], 0..1, in uint8 RGB pictures [N, h, w, 3].

        A picture with a coordinate that is not finite has score 0. Raises ModelError for invalid outputs.
        """
        fixed = self._input.shape[0] if isinstance(self._input.shape[0], int) else None
        step = fixed or _MOST
        results = [self._run(pictures[at : at + step], fixed) for at in range(0, len(pictures), step)]
        points, scores = (np.concatenate(parts) for parts in zip(*results, strict=True))
        points[..., :2] += np.array(self._network.offset, np.float32)
        lost = ~np.isfinite(points).all((1, 2)) | ~np.isfinite(scores)
        width, height = self._network.size
        points[lost] = (width / 2, height / 2, 0)
        return points, np.where(lost, 0, np.clip(scores, 0, 1)).astype(np.float32)

    def _run(self, pictures: np.ndarray, fixed: int | None) -> tuple[Float, Float]:
        spec, count = self._network, len(pictures)
        if fixed:
            pictures = np.pad(pictures, [(0, fixed - count), (0, 0), (0, 0), (0, 0)], "edge")
        ordered = pictures[..., ::-1] if spec.colour == "bgr" else pictures
        mean, std = (np.array(numbers, np.float32) for numbers in (spec.mean, spec.std))
        values = (ordered.astype(np.float32) - mean) / std
        if spec.layout == "nchw":
            values = np.moveaxis(values, 3, 1)
        feed = {self._input.name: np.ascontiguousarray(values, _TYPES[self._input.type])}
        try:
            outputs = self._session.run(self._outputs, feed)
        except Exception as e:  # ONNX Runtime's exceptions share no base class of their own
            _log.exception("the network failed while running")
            reason = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
            raise self._refusal(
                f"failed while running ({reason})", "Check 'size' and 'layout' of its description"
            ) from e
        arrays = [np.asarray(values, np.float32)[:count] for values in outputs]
        points, peaks = self._decoded(arrays[: spec.wanted])
        given = arrays[spec.wanted] if spec.scores else peaks
        if given is None:
            return points, np.ones(len(points), np.float32)
        if len(given) != len(points):
            raise self._refusal(f"'{spec.scores}' has the shape {given.shape}", "Name another output for 'scores'")
        each = probability(given) if spec.scores_as == "logit" else np.clip(given, 0, 1)
        return points, each.reshape(len(points), -1).mean(1)

    def _decoded(self, outputs: Sequence[Float]) -> tuple[Float, Float | None]:
        spec, logits = self._network, self._network.scores_as == "logit"
        if spec.decode == "regression":
            if (fits := arranged(outputs[0], self._landmarks, spec.columns)) is not None:
                return from_regression(*fits, spec.units, spec.size)
        elif spec.decode == "heatmap":
            if (maps := channels_first(outputs[0], self._landmarks, spec.layout)) is not None:
                points, peaks = from_heatmaps(maps, spec.size, logits=logits)
                return _flat(points), peaks
        else:
            sides = zip(outputs, spec.size, strict=True)
            if all(g.shape[1:] == (self._landmarks, round(side * spec.split_ratio)) for g, side in sides):
                points, peaks = from_simcc(outputs[0], outputs[1], spec.split_ratio, logits=logits)
                return _flat(points), peaks
        raise self._shape_refusal([g.shape for g in outputs])

    def _checked_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs)
            raise self._refusal(f"takes {len(inputs)} inputs ({names})", "Export it with the picture as its only one")
        picture, (width, height) = inputs[0], self._network.size
        if picture.type not in _TYPES:
            raise self._refusal(f"'{picture.name}' takes {picture.type}", "Export it to take float tensors")
        expected = (None, 3, height, width) if self._network.layout == "nchw" else (None, height, width, 3)
        agrees = len(picture.shape) == 4 and all(
            want is None or not isinstance(is_, int) or is_ == want
            for is_, want in zip(picture.shape, expected, strict=True)
        )
        if not agrees:
            raise self._refusal(
                f"'{picture.name}' takes {picture.shape}, and 'size' and 'layout' say {['N', *expected[1:]]}",
                "Correct 'size' (width, height) and 'layout' of its description",
            )
        return picture

    def _checked_outputs(self) -> list[str]:
        spec, outputs = self._network, {o.name: o for o in self._session.get_outputs()}
        first = [name for name in outputs if name != spec.scores][: spec.wanted]
        names = [*(spec.outputs or first), *([spec.scores] if spec.scores else [])]
        missing = [name for name in names if name not in outputs]
        if missing or len(names) < spec.wanted:
            lack = f"has no output '{missing[0]}'" if missing else f"has too few outputs for {spec.decode}"
            raise self._refusal(lack, f"Name some of these for 'outputs' and 'scores': {', '.join(outputs)}")
        for name in names[: spec.wanted]:
            if outputs[name].type not in _TYPES:
                raise self._refusal(f"'{name}' is {outputs[name].type}", "Name an output of float numbers")
        shapes = [outputs[name].shape for name in names[: spec.wanted]]
        if all(isinstance(side, int) for shape in shapes for side in shape[1:]):
            self._decoded([np.zeros((1, *shape[1:]), np.float32) for shape in shapes])
        return names

    def _shape_refusal(self, shapes: Sequence[tuple[int, ...]]) -> ModelError:
        listed = " and ".join(str(list(shape)) for shape in shapes)
        return self._refusal(
            f"gives {listed}, and {self._network.decode} of {self._landmarks} landmarks is {_SHAPES[self._network.decode]}",
            "Correct 'decode', 'outputs', 'columns' or 'split_ratio' of its description, or the list of landmarks",
        )

    def _refusal(self, what: str, remedy: str) -> ModelError:
        return ModelError(what, file=self._file, remedy=remedy)


def _flat(points: Float) -> Float:
    return np.concatenate([points, np.zeros_like(points[..., :1])], -1)
