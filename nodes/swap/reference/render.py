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
_SHOWN = 0.6  # share of the references that must show the surface itself
_SOFT = 0.012  # of the crop: σ of the edge of what references show
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

    def render(self, t: int, vertices: Float, size: int, plate: Reference | None = None) -> tuple[Float, Float]:
        """Render frame `t` of the track: display-referred RGB [size, size, 3], 0..1, and how far it is defined, 0..1: 0 where all references are hidden.

        vertices: those of the frame, [V, 3], in crop pixels. plate: the plate's own face, for the inside of its mouth.
        """
        surface = surface_of(self.subject)
        warp = MeshWarp(vertices, surface.triangles, size)
        shares = surface.shares
        image, shown = self._mixed(t, warp, shares)
        if self.wrinkles is not None:
            image *= self._wrinkled(t, warp)
        if plate is not None:
            for opening, share in zip(filled_openings(self.subject), self.insides, strict=True):
                if share[t] > 0:
                    part = [p.name for p in self.subject.parts].index(str(opening.fill))
                    fill_opening(image, plate, opening, vertices, warp, shares[:, part], float(share[t]))
        covered = warp.visible
        defined = covered.astype(np.float32) if shown is None else covered * _inward((shown > _SHOWN) | ~covered)
        return np.clip(image, 0, 1, out=image), defined

    def _mixed(self, t: int, warp: MeshWarp, shares: Float) -> tuple[Float, Float | None]:
        """Mix the parts, each from its own references, by their shares [V, P]; also how much of them shows the surface, None for all."""
        if len(self.choices) == 1:
            image, shown = self._part(t, 0, warp, warp.whole)
            return image, None if shown is None else shown[..., 0]
        boxes_of_parts = [warp.box_of(share) for share in shares.T]
        # An eye may be turned away, or be outside the crop.
        parts = [p for p, (rows, _) in enumerate(boxes_of_parts) if rows.stop]
        boxes = [boxes_of_parts[p] for p in parts]
        pieces = [self._part(t, p, warp, box) for p, box in zip(parts, boxes, strict=True)]
        images = [image for image, _ in pieces]
        spread = [warp.spread(shares[:, [p]], boxes_of_parts[p]) for p in parts]
        if all(shown is None for _, shown in pieces):
            return _joined(images, spread, boxes, warp.size), None
        # A part is taken from where its references show the surface; the whole is hidden where no part does.
        own = [share if shown is None else share * shown for share, (_, shown) in zip(spread, pieces, strict=True)]
        total, left = (np.zeros((warp.size, warp.size), np.float32) for _ in range(2))
        for share, shown_share, box in zip(spread, own, boxes, strict=True):
            total[box] += share[..., 0]
            left[box] += shown_share[..., 0]
        return _joined(images, own, boxes, warp.size), np.asarray(left / np.maximum(total, 1e-3), np.float32)

    def _part(self, t: int, part: int, warp: MeshWarp, box: Box) -> tuple[Float, Float | None]:
        """Mix one part in its box from its references: RGB, about 0..1, and how much of them shows the surface, [h, w, 1], None for all.

        All of them give colour and shade; the strongest gives the fine detail, so that slight disagreement does not blur.
        """
        choice = self.choices[part]
        used = choice.weight[t] > 0
        references = [self.references[int(i)] for i in choice.index[t][used]]
        pictures = warp.fetch(references, box)
        weights = choice.weight[t][used]
        if any(r.own is not None for r in references):
            return _uncovered(pictures, weights, warp, references, box)
        if len(pictures) == 1:
            return np.asarray(pictures[0] * (weights[0] / np.float32(255)), np.float32), None
        strong = weights**_FINE
        strong /= 255 * strong.sum()
        fine, apart = (
            reduce(np.add, (p * np.float32(w) for p, w in zip(pictures, each, strict=True)))
            for each in (strong, weights / np.float32(255) - strong)
        )
        return fine + _blurred(apart, warp.size), None

    def _wrinkled(self, t: int, warp: MeshWarp) -> Float:
        """Compute the change of shade where the plate's expression differs from the references': [size, size, 1]."""
        assert self.wrinkles is not None
        reference_coefficients = np.stack([c.weight[t] @ self.source_coefficients[c.index[t]] for c in self.choices])
        change = self.wrinkles.change(self.coefficients[t] - reference_coefficients, part_shares(self.subject))
        ratio = warp.fetch([Reference(np.exp(self.wrinkled * change), unwrapped(self.subject)[:, :2])])[0]
        return ratio[..., None]


def _uncovered(
    pictures: list[np.ndarray], weights: Float, warp: MeshWarp, references: list[Reference], box: Box
) -> tuple[Float, Float]:
    """Mix pictures by their weights [K] where they show the surface: RGB, about 0..1, and how much of them does, [h, w, 1]."""
    full = [
        Reference(np.full(r.image.shape[:2], 255, np.uint8) if r.own is None else r.own, r.vertices) for r in references
    ]
    clear = [o[..., None] * np.float32(w / 255) for o, w in zip(warp.fetch(full, box), weights, strict=True)]
    shown: Float = reduce(np.add, clear)
    # What no reference shows is not used: its colour matters only to filters beside it.
    least = np.float32(1e-3)
    mixed = reduce(np.add, (p * (c + least * np.float32(w)) for p, c, w in zip(pictures, clear, weights, strict=True)))
    return np.asarray(mixed / (255 * (shown + least)), np.float32), shown


def performed(plate: Reference, vertices: Float, subject: Subject, size: int) -> Float:
    """Warp the plate's own face, code values or 0..1, onto the new one's vertices [V, 3] in a crop: RGB premultiplied by alpha, [size, size, 4], 0..1."""
    warp = MeshWarp(vertices, surface_of(subject).triangles, size)
    if plate.image.dtype != np.uint8:
        plate = Reference(np.round(plate.image * 255).astype(np.uint8), plate.vertices)
    return premultiplied(np.asarray(warp.fetch([plate])[0] / 255, np.float32), warp.visible)


def _inward(visible: Bool) -> Float:
    """Soften the edge of a mask [S, S] inward: 0..1, 0 on and outside of it."""
    sigma = _SOFT * len(visible)
    return np.asarray(np.clip(2 * cv2.GaussianBlur(visible.astype(np.float32), (0, 0), sigma) - 1, 0, 1), np.float32)


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
