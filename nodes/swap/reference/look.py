"""Second look: correct the requested coefficients by comparing the rendered face with the plate.

A mesh with the plate's coefficients may still look different: thick brows look lowered, and a beard hides how far a jaw drops. Sample frames are
rendered, the landmarker reads them, and the coefficients of all frames are corrected by the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nodes.align.pose import Performance, read_coefficients
from nodes.definitions import ColourMatch
from nodes.detect.finder import finder_of
from nodes.geometry.sampling import crop
from nodes.mask import draw_matte
from nodes.progress import Progress, quiet
from nodes.subjects.subject import Subject
from nodes.swap.colour import apply_colour, match_colours
from nodes.swap.reference.expression import POSE_UNIT, SPREAD, squared_distances
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.render import ReferenceTrack
from nodes.types import Float, Image8, Int

MARGIN = 0.35  # of the face's extent, around it: as the finder needs
ROUNDS = 2
_SIZE = 256  # pixels of the crops given to the finder
_PRIOR = 0.06  # prior spread of a coefficient, which pulls the slope towards 1
_GAIN, _MOST = (0.6, 1.5), 0.2  # range of the gain; largest change of a coefficient
_LEVEL = 0.4  # share of a constant difference that is corrected: the rest is the performer's appearance at rest
_REACH = 3.0  # length scale of the kriging kernel, in spreads of performance
_NOISE = 0.3  # variance of the landmarker's noise over that of the residual


def look_again(
    track: ReferenceTrack,
    plate: Performance,
    place: Callable[[Float], Float],
    rows: Int,
    pictures: list[Reference],
    expression: float = 1.0,
    progress: Progress = quiet,
) -> ReferenceTrack:
    """Correct the requested coefficients until the new face shows the plate's performance times `expression`.

    place: gives the vertices [T, V, 3] of the new face for coefficients [T, C]. rows: [N], the sample frames; pictures: of the
    plate there, with its surface's vertices. progress: receives how many faces were rendered, of all.
    """
    looks = [_Look(track, t, picture) for t, picture in zip(rows.tolist(), pictures, strict=True)]
    acted = replace(plate, coefficients=np.float32(expression) * plate.coefficients)
    rest = None
    for number in range(ROUNDS):
        observed = []
        for done, look in enumerate(looks, number * len(looks) + 1):
            if look.plate is not None and (shown := look.shown(track)) is not None:
                observed.append((look.row, look.plate, shown))
            progress("look", done, ROUNDS * len(looks))
        if len(observed) < 2:
            break
        sample_rows, own, new = (np.stack(each) for each in zip(*observed, strict=True))
        target = np.float32(expression) * own
        if rest is None:
            rest = (1 - _LEVEL) * (new - target).mean(0)
        requested = ask_again(acted, track.coefficients, sample_rows, target, new - rest)
        track = replace(track, coefficients=requested, vertices=place(requested))
    return track


def ask_again(plate: Performance, asked: Float, rows: Int, wanted: Float, shown: Float) -> Float:
    """Correct the requested coefficients [T, C] by those seen in sample frames.

    plate: the target performance, T frames. asked: [T, C], the current request. rows: [N], the sample frames; wanted, shown: [N, C],
    target and seen coefficients there.

    Each coefficient gets a linear fit of seen on target. Its residual is interpolated from the sample frames to frames of similar
    performance (kriging: Matheron 1963).
    """
    middle, level = wanted.mean(0), shown.mean(0)
    # With few frames, or little expression, the slope of the line is 1.
    prior = _PRIOR**2
    slope = (((wanted - middle) * (shown - level)).mean(0) + prior) / (((wanted - middle) ** 2).mean(0) + prior)
    strength = np.clip(1 / np.maximum(slope, 1e-3), *_GAIN)
    astray = shown - level - slope * (wanted - middle)
    places = np.concatenate([plate.coefficients / np.float32(SPREAD), plate.yaw_pitch / POSE_UNIT], 1)
    alike = np.exp(-squared_distances(places, places[rows]) / np.float32(2 * _REACH**2))
    astray = alike @ np.linalg.solve(alike[rows] + np.float32(_NOISE) * np.eye(len(rows), dtype=np.float32), astray)
    change = (strength - 1) * (plate.coefficients - middle) - (level - middle) - strength * astray
    change = np.clip(asked + change - plate.coefficients, -_MOST, _MOST)
    return np.asarray(plate.coefficients + change, np.float32)


class _Look:
    """One frame of the plate, read by the finder, with the new face and without.

    plate: coefficients [C] of the plate, None if the finder sees no face.
    """

    def __init__(self, track: ReferenceTrack, row: int, picture: Reference) -> None:
        self.row, self._finder = row, finder_of(track.subject)
        own, new = np.split(picture.vertices, 2)
        low, high = own.min(0), own.max(0)
        scale = float((high - low).max()) * (1 + 2 * MARGIN) / _SIZE
        corner = (low + high - scale * _SIZE) / 2
        square = np.array([[[scale, 0, corner[0]], [0, scale, corner[1]]]], np.float32)
        self._crop = crop(picture.image, square, _SIZE)[0]
        self._own, new = ((v - corner) / np.float32(scale) for v in (own, new))
        # The map from the plate's pixels to the crop's, from the new face's vertices in both.
        before = track.vertices[row, :, :2]
        self._scale = np.ptp(new, axis=0) / np.ptp(before, axis=0)
        self._corner = new.min(0) - self._scale * before.min(0)
        landmarks = self._own[None, : len(track.subject.template)]
        self._squares = self._finder.next_squares(landmarks)
        self._matte = draw_matte(landmarks, _SIZE, track.subject)
        if picture.own is not None:
            self._matte *= crop(picture.own, square, _SIZE) / np.float32(255)
        self.plate = self._see(self._crop, track.subject)

    def shown(self, track: ReferenceTrack) -> Float | None:
        """Read coefficients [C] of the new face, None if the finder sees no face."""
        vertices = track.vertices[self.row]
        flat = vertices[:, :2] * self._scale + self._corner
        deep = np.concatenate([flat, vertices[:, 2:]], 1).astype(np.float32)
        face, inside = track.render(self.row, deep, _SIZE, Reference(self._crop, self._own))
        matte = self._matte * inside
        base = np.asarray(self._crop / np.float32(255), np.float32)[None]
        matched = apply_colour(face[None], match_colours(face[None], base, matte, ColourMatch.REINHARD))
        composite = base + matte[..., None] * (matched - base)
        return self._see(np.round(composite[0] * 255).clip(0, 255).astype(np.uint8), track.subject)

    def _see(self, image: Image8, subject: Subject) -> Float | None:
        detected = self._finder.look(image, self._squares)
        if float(detected.scores[0]) < self._finder.sure:
            return None
        return np.asarray(read_coefficients(detected.landmarks, subject)[0], np.float32)
