"""One track, ready to render: its references are warped onto the new face and mixed, part by part."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nodes.subjects import Subject
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.inside import fill_opening, filled_openings
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp
from nodes.swap.reference.wrinkles import Wrinkles, part_shares, unwrapped
from nodes.types import Bool, Float

_FINE = 3  # power of a reference's share that its fine detail has: of two that mix, the stronger keeps its pores
_BAND = 0.012  # of the crop: σ of the blur that parts fine detail from what is mixed


@dataclass(frozen=True, slots=True)
class ReferenceTrack:
    """One track of the plate, ready to render.

    vertices: [T, V, 3], of the new face's surface in plate pixels. choices: of source frames, one for each part of the subject.
    coefficients: [T, C] of the plate, source_coefficients: [N, C] of the source's frames. wrinkled: how much of the wrinkles is shown.
    insides: [T] of each opening that may show the plate's inside, how much it does.
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
        warp = MeshWarp(vertices, surface_of(self.subject).triangles, size)
        shares = self._shares(t, warp)
        image = mix(warp.fetch([self.references[i] for i in shares]), list(shares.values()))
        if self.wrinkles is not None:
            image = np.clip(image * self._wrinkled(t, warp), 0, 1)
        if plate is not None:
            image = self._filled(t, image, plate, vertices, warp)
        return image, warp.visible

    def _filled(self, t: int, image: Float, plate: Reference, vertices: Float, warp: MeshWarp) -> Float:
        for opening, share in zip(filled_openings(self.subject), self.insides, strict=True):
            if share[t] > 0:
                theirs = warp.fetch([plate])[0] / np.float32(255)
                skin = next(p.share for p in self.subject.parts if p.name == opening.fill)[:, None]
                skin = warp.spread(surface_of(self.subject).extend_values(skin))[..., 0]
                image = fill_opening(image, theirs, opening, vertices, skin, float(share[t]))
        return image

    def _wrinkled(self, t: int, warp: MeshWarp) -> Float:
        """By how much the shade changes where the plate's expression is another than that of the references: [size, size, 1]."""
        assert self.wrinkles is not None
        shown = np.stack([c.weight[t] @ self.source_coefficients[c.index[t]] for c in self.choices])
        change = self.wrinkles.change(self.coefficients[t] - shown, part_shares(self.subject))
        ratio = warp.fetch([Reference(self.wrinkled * change, unwrapped(self.subject)[:, :2])])[0]
        return np.asarray(np.exp(ratio)[..., None])

    def _shares(self, t: int, warp: MeshWarp) -> dict[int, Float]:
        """How much of each reference there is in each pixel of a frame: [size, size, 1]."""
        weights: dict[int, Float] = {}
        for part, choice in enumerate(self.choices):
            for index, weight in zip(choice.index[t], choice.weight[t], strict=True):
                if weight > 0:
                    weights.setdefault(int(index), np.zeros(len(self.choices), np.float32))[part] += weight
        if len(weights) == 1:
            return {index: np.ones((warp.size, warp.size, 1), np.float32) for index in weights}
        parts = surface_of(self.subject).extend_values(np.stack([p.share for p in self.subject.parts], 1))
        spread = warp.spread(parts @ np.stack(list(weights.values()), 1))
        return {index: spread[..., k : k + 1] for k, index in enumerate(weights)}


def mix(images: list[Float], shares: list[Float]) -> Float:
    """Mix images [S, S, 3], 0..255, by shares [S, S, 1]: RGB 0..1.

    All of them give colour and shade; the fine detail is that of the strongest, so that two that do not quite agree are no blur.
    """
    if len(images) == 1:
        return np.clip(images[0] / 255, 0, 1)
    coarse, fine = (np.zeros_like(images[0]) for _ in range(2))
    whole, sharp = (np.zeros_like(shares[0]) for _ in range(2))
    for image, share in zip(images, shares, strict=True):
        strength = share**_FINE
        coarse += image * share
        fine += image * strength
        whole += share
        sharp += strength
    fine /= np.maximum(sharp, 1e-9)
    coarse /= np.maximum(whole, 1e-6)
    sigma = _BAND * len(fine)
    return np.clip((fine + cv2.GaussianBlur(coarse - fine, (0, 0), sigma)) / 255, 0, 1)
