"""An artist's own mattes of a few frames: a correction that is learned from them and holds for the whole shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.detect.squares import probability
from nodes.errors import FootageError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.numbering import numbered_files
from nodes.footage.patch_files import read_matte
from nodes.geometry.sampling import crop
from nodes.mask.occluder import Reading
from nodes.mask.regions import draw_regions
from nodes.types import Float

_SIDE = 320  # pixels of the crops that are compared with the artist's
_PRIOR = 0.003  # weight of the network's own answer against a pixel of the artist's
_AROUND = 0.1  # weight of pixels around the face
_ROUNDS = 150
_SURE = 1e-3  # least share that a network may give


Read = Callable[[Float, Float, tuple[Frame, Float]], tuple[Float, Reading]]


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction of a network's shares: log-odds, linear in D numbers of each pixel. mean, deviation: of these numbers, [D]. weights: [D + 1]."""

    mean: Float
    deviation: Float
    weights: Float

    def apply(self, shares: Float, reading: Reading, pictures: Sequence[Float]) -> Float:
        """Correct the shares of the subject [B, h, w] in crops [S, S, 3], RGB 0..1."""
        known = (_described(reading, pictures) - self.mean) / self.deviation
        return shifted(shares, known @ self.weights[:-1] + self.weights[-1])


def read_painted(folder: Path, plate: Footage) -> Mapping[int, Float]:
    """Read mattes by the plate's positions: [H, W], 0..1, from files numbered as the plate's frames; raises FootageError."""
    info = plate.info
    remedy = "Give a folder of mattes of the plate's size, numbered as its frames"
    files = numbered_files(folder) if folder.is_dir() else {}
    if not files:
        raise FootageError("has no painted mattes", file=folder, remedy=remedy)
    painted = {}
    for number, file in files.items():
        matte = read_matte(file)
        if matte.shape != (info.height, info.width):
            what = f"is {matte.shape[1]}x{matte.shape[0]}, the plate {info.width}x{info.height}"
            raise FootageError(what, file=file, remedy=remedy)
        if not 0 <= number - info.first < info.frames:
            what = f"is of frame {number}; the plate has {info.first} to {info.first + info.frames - 1}"
            raise FootageError(what, file=file, remedy=remedy)
        painted[number - info.first] = np.clip(matte, 0, 1)
    return painted


def learn(
    painted: Mapping[int, Float],
    plate: Footage,
    crops: Sequence[Alignment],
    read: Read,
) -> Correction | None:
    """Learn a correction from mattes [H, W] of the plate's frames; None where they show none of the faces.

    read: gives shares of the subject and the reading of a picture, landmarks and a frame with its transform. Logistic regression from the network's own
    answer on, with a ridge (Hastie, Tibshirani and Friedman 2009, 4.4).
    """
    rows = list(_pixels(painted, plate, crops, read))
    if not rows:
        return None
    known, start, wanted, counts = (np.concatenate(each) for each in zip(*rows, strict=True))
    mean, deviation = known.mean(0), known.std(0) + np.float32(1e-3)
    design = np.concatenate([(known - mean) / deviation, np.ones((len(known), 1), np.float32)], 1).astype(np.float64)
    weights, ridge = np.zeros(design.shape[1]), _PRIOR * counts.sum() * np.eye(design.shape[1])
    # The curvature is at most a quarter (Böhning 1992): each round comes nearer, from any start.
    bound = np.linalg.inv((design * counts[:, None]).T @ design / 4 + ridge)
    for _ in range(_ROUNDS):
        share = probability(np.asarray(start + design @ weights, np.float32))
        weights -= bound @ (design.T @ (counts * (share - wanted)) + ridge @ weights)
    return Correction(mean, deviation, weights.astype(np.float32))


def _pixels(
    painted: Mapping[int, Float],
    plate: Footage,
    crops: Sequence[Alignment],
    read: Read,
) -> Iterator[tuple[Float, Float, Float, Float]]:
    """Yield for each face in a painted frame: the numbers of its pixels [P, D], the network's log-odds, the painted shares, and weights, all [P]."""
    for position, matte in painted.items():
        for alignment in (a.at(_SIDE) for a in crops):
            row = position - int(alignment.track.frames[0])
            if not 0 <= row < len(alignment.track):
                continue
            to_plate, points = alignment.to_plate[row : row + 1], alignment.landmarks[row]
            frame = plate.frame(position)
            picture = np.asarray(crop(frame.rgb8(), to_plate, _SIDE)[0] / np.float32(255), np.float32)
            shares, reading = read(picture, points, (frame, to_plate[0]))
            size = shares.shape[-2:][::-1]
            target = cv2.resize(crop(matte, to_plate, _SIDE)[0], size, interpolation=cv2.INTER_AREA)
            face = cv2.resize(
                draw_regions(points[None], _SIDE, alignment.subject)[0], size, interpolation=cv2.INTER_AREA
            )
            known = _described(reading, [picture])[0]
            weights = np.maximum(face, np.float32(_AROUND))
            yield known.reshape(-1, known.shape[-1]), _odds(shares[0]).ravel(), target.ravel(), weights.ravel()


def _described(reading: Reading, pictures: Sequence[Float]) -> Float:
    """Stack for each pixel the network's features and classes, its colour, and the products of its colour: [B, h, w, D]."""
    size = reading.classes.shape[-2:][::-1]
    colours = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures])
    products = [colours[..., [i]] * colours[..., [j]] for i in range(3) for j in range(i, 3)]
    seen = [np.moveaxis(maps, 1, -1) for maps in (reading.features, reading.classes)]
    return np.concatenate([*seen, colours, *products], -1).astype(np.float32)


def shifted(shares: Float, odds: Float) -> Float:
    """Add log-odds to shares 0..1, pixel by pixel."""
    return probability(_odds(shares) + odds)


def _odds(shares: Float) -> Float:
    clipped = np.clip(shares, _SURE, 1 - _SURE)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)
