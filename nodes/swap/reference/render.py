"""Rendering of one track: its references are warped onto the new face and mixed, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from nodes.subjects.subject import Subject
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.inside import fill_opening, filled_openings
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import Box, MeshWarp
from nodes.swap.reference.wrinkles import Wrinkles, part_shares, unwrapped
from nodes.types import Bool, Float

_FINE = 3  # power of a reference's share for its fine detail: in a mix of two, the stronger keeps its pores
_BAND = 0.012  # of the crop: σ of the blur that separates fine detail from the mixed rest


@dataclass(frozen=True, slots=True)
class ReferenceTrack:
    """One track of the plate, ready to render.

    vertices: [T, V, 3], of the new face's surface in plate pixels. choices: of source frames, one for each part of the subject.
    coefficients: [T, C] of the plate, source_coefficients: [N, C] of the source's frames. wrinkled: gain of the wrinkles.
    insides: [T] of each opening that may show the plate's inside, the plate's share.
    """

    subject: Subject
    vertices: Float
    choices: tuple[Choice, ...]
    references: dict[int, Reference]
    coefficients: Float
    source_coefficients: Float
    wrinkles: Wrinkles | None = None
    wrinkled: float = 0.0
    insides: tuple[Float, ...] = ()

    def render(self, t: int, vertices: Float, size: int, plate: Reference | None = None) -> tuple[Float, Bool]:
        """Render frame `t` of the track: display-referred RGB [size, size, 3], 0..1, and where it is defined.

        vertices: those of the frame, [V, 3], in crop pixels. plate: the plate's own face, for the inside of its mouth.
        """
        surface = surface_of(self.subject)
        warp = MeshWarp(vertices, surface.triangles, size)
        shares = surface.shares
        image = self._mixed(t, warp, shares)
        if self.wrinkles is not None:
            image *= self._wrinkled(t, warp)
        if plate is not None:
            for opening, share in zip(filled_openings(self.subject), self.insides, strict=True):
                if share[t] > 0:
                    part = [p.name for p in self.subject.parts].index(str(opening.fill))
                    fill_opening(image, plate, opening, vertices, warp, shares[:, part], float(share[t]))
        return np.clip(image, 0, 1, out=image), warp.visible

    def _mixed(self, t: int, warp: MeshWarp, shares: Float) -> Float:
        """Mix the parts, each from its own references, by their shares [V, P]."""
        if len(self.choices) == 1:
            return self._part(t, 0, warp, warp.whole)
        boxes_of_parts = [warp.box_of(share) for share in shares.T]
        # An eye may be turned away, or be outside the crop.
        parts = [p for p, (rows, _) in enumerate(boxes_of_parts) if rows.stop]
        boxes = [boxes_of_parts[p] for p in parts]
        images = [self._part(t, p, warp, box) for p, box in zip(parts, boxes, strict=True)]
        return _joined(images, [warp.spread(shares[:, [p]], boxes_of_parts[p]) for p in parts], boxes, warp.size)

    def _part(self, t: int, part: int, warp: MeshWarp, box: Box) -> Float:
        """Mix one part in its box from its references: RGB, about 0..1.

        All of them give colour and shade; the strongest gives the fine detail, so that slight disagreement does not blur.
        """
        choice = self.choices[part]
        used = choice.weight[t] > 0
        pictures = warp.fetch([self.references[int(i)] for i in choice.index[t][used]], box)
        weights = choice.weight[t][used] / np.float32(255)
        if len(pictures) == 1:
            return np.asarray(pictures[0] * weights[0], np.float32)
        strong = choice.weight[t][used] ** _FINE
        strong /= 255 * strong.sum()
        fine, apart = (
            reduce(np.add, (p * np.float32(w) for p, w in zip(pictures, each, strict=True)))
            for each in (strong, weights - strong)
        )
        return fine + _blurred(apart, warp.size)

    def _wrinkled(self, t: int, warp: MeshWarp) -> Float:
        """Compute the change of shade where the plate's expression differs from the references': [size, size, 1]."""
        assert self.wrinkles is not None
        reference_coefficients = np.stack([c.weight[t] @ self.source_coefficients[c.index[t]] for c in self.choices])
        change = self.wrinkles.change(self.coefficients[t] - reference_coefficients, part_shares(self.subject))
        ratio = warp.fetch([Reference(np.exp(self.wrinkled * change), unwrapped(self.subject)[:, :2])])[0]
        return ratio[..., None]


def performed(plate: Reference, vertices: Float, subject: Subject, size: int) -> Float:
    """Warp the plate's own face, code values or 0..1, onto the new one's vertices [V, 3] in a crop: RGB premultiplied by alpha, [size, size, 4], 0..1."""
    warp = MeshWarp(vertices, surface_of(subject).triangles, size)
    if plate.image.dtype != np.uint8:
        plate = Reference(np.round(plate.image * 255).astype(np.uint8), plate.vertices)
    return premultiplied(np.asarray(warp.fetch([plate])[0] / 255, np.float32), warp.visible)


def premultiplied(image: Float, visible: Bool) -> Float:
    """Premultiply RGB [S, S, 3] by its visibility as alpha: [S, S, 4]."""
    rgba = cv2.merge([*cv2.split(image), visible.astype(np.float32)])
    return np.asarray(cv2.copyTo(rgba, visible.astype(np.uint8)), np.float32)


def _joined(images: list[Float], shares: list[Float], boxes: list[Box], size: int) -> Float:
    """Mix parts [h, w, 3] in boxes of a crop by shares [h, w, 1]; the strongest gives the fine detail."""
    fine, apart = (np.zeros((size, size, 3), np.float32) for _ in range(2))
    whole, sharp = (np.full((size, size, 1), 1e-9, np.float32) for _ in range(2))
    strengths = [share**_FINE for share in shares]
    for share, strength, box in zip(shares, strengths, boxes, strict=True):
        whole[box] += share
        sharp[box] += strength
    for image, share, strength, box in zip(images, shares, strengths, boxes, strict=True):
        strong = strength / sharp[box]
        fine[box] += image * strong
        apart[box] += image * (share / whole[box] - strong)
    return fine + _blurred(apart, size)


def _blurred(apart: Float, size: int) -> Float:
    """Blur the difference of two mixtures, [h, w, 3], on a coarser grid."""
    height, width = apart.shape[:2]
    small = cv2.resize(apart, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BAND * size / 4)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
