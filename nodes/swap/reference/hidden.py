"""Hidden parts of the source's face: frames that hide a part are avoided, and pixels of hair or hands are never used."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from nodes.geometry.sampling import crop, invert, transform_points
from nodes.geometry.similarity import fit_similarity
from nodes.mask import Mattes, draw_regions
from nodes.mask.visibility import refined, share_of_glasses
from nodes.subjects.subject import Subject
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.source import Source
from nodes.swap.reference.surface import surface_of
from nodes.types import Float, Image8

_SIZE = 320  # pixels of the aligned crop that is looked at
_CLEAR = 0.005  # part of the face up to which nothing is in front of it
_WORN = 0.01  # part of the face from which glasses are worn


class FrontFinder:
    """Finder of what is in front of a face in frames of the source or the plate. glasses: part of the source's face that they cover, frame by frame."""

    def __init__(self, mattes: Mattes, subject: Subject) -> None:
        self._mattes, self._subject = mattes, subject
        self.glasses: list[float] = []

    @property
    def wears_glasses(self) -> bool:
        """True if the source wears glasses in most of the frames."""
        return bool(self.glasses) and float(np.median(self.glasses)) > _WORN

    def of_source(self, image: Image8, vertices: Float) -> Image8 | None:
        """Return the share of the face in each pixel of a frame, [H, W], 0..255, None where nothing is in front of it.

        image: [H, W, 3], RGB. vertices: [>=L, >=2], its landmarks first.
        """
        return self._look(image, vertices, self.glasses)

    def of_plate(self, image: Image8, vertices: Float) -> Image8 | None:
        """Return the same for a frame of the plate."""
        return self._look(image, vertices, [])

    def _look(self, image: Image8, vertices: Float, worn: list[float]) -> Image8 | None:
        subject = self._subject
        landmarks = vertices[: len(subject.template), :2]
        scale, rotation, position = fit_similarity(subject.template[None, :, :2], landmarks[None], subject.weights)
        linear = rotation * (scale * 2 * subject.half_side / _SIZE)[:, None, None]
        shift = position - linear @ np.full(2, _SIZE / 2, np.float32)
        to_image = np.concatenate([linear, shift[..., None]], 2).astype(np.float32)
        to_crop = invert(to_image[0])
        picture = np.asarray(crop(image, to_image, _SIZE)[0] / np.float32(255), np.float32)
        points = transform_points(to_crop, landmarks)
        reading = self._mattes.read([picture], [points], subject)
        if reading is None:
            return None
        own = refined(self._mattes.source_shares(reading.classes)[0], picture, strict=True)
        face = draw_regions(points[None], _SIZE, subject)[0]
        small = cv2.resize(face, reading.classes.shape[-2:], interpolation=cv2.INTER_AREA)
        worn.append(float((share_of_glasses(reading.classes)[0] * small).sum() / max(small.sum(), 1)))
        if ((1 - own) * face).sum() < _CLEAR * face.sum():
            return None
        # OpenCV puts the centre of the first pixel at 0.
        back = cv2.invertAffineTransform(to_crop + [[0, 0, offset] for offset in 0.5 * to_crop[:, :2].sum(1) - 0.5])
        size = (image.shape[1], image.shape[0])
        bytes_ = np.round(own * 255).astype(np.uint8)
        return np.asarray(cv2.warpAffine(bytes_, back, size, borderMode=cv2.BORDER_CONSTANT, borderValue=255), np.uint8)


def hidden_parts(references: Mapping[int, Reference], source: Source) -> Float:
    """Estimate how much of each part of the subject is hidden in each source frame, [N, P], 0..1, from those that were fetched, by row."""
    shares, rows = surface_of(source.subject).shares, np.array(sorted(references))
    measured = np.stack([1 - _own_at_vertices(references[row]) for row in rows.tolist()]) @ shares / shares.sum(0)
    order = np.argsort(source.frames[rows])
    known = source.frames[rows][order]
    hidden = np.stack([np.interp(source.frames, known, column[order]) for column in np.asarray(measured).T], 1)
    hidden[rows] = measured
    return hidden.astype(np.float32)


def _own_at_vertices(reference: Reference) -> Float:
    if reference.own is None:
        return np.ones(len(reference.vertices), np.float32)
    high = np.array(reference.own.shape[::-1]) - 1
    x, y = np.clip(np.floor(reference.vertices), 0, high).astype(int).T
    return np.asarray(reference.own[y, x] / 255, np.float32)
