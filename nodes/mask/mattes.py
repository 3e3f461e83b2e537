"""The mattes of a shot: regions x what is visible of them x the artist's own matte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nodes.align import Alignment
from nodes.definitions import Glasses, MaskParameters
from nodes.footage.footage import Footage
from nodes.mask.occluder import load_occluder, unit_range
from nodes.mask.regions import check_regions, draw_matte
from nodes.mask.visibility import refined, share_of_subject
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Faces, Float, Image8, Patch


@dataclass(frozen=True, slots=True)
class Mattes:
    """The mattes of a shot: drawn from landmarks in crops of any size, less what is in front, and limited by an artist's own matte in plate pixels."""

    crops: tuple[Alignment, ...]
    parameters: MaskParameters
    roto: Footage | None = None
    source_wears_glasses: bool = False

    def draw(self, landmarks: Float, subject: Subject, size: int) -> Float:
        """Draw the matte [size, size], 0..1, of one crop, as if nothing were in front; landmarks: [L, >=2] in crop pixels."""
        matte: Float = draw_matte(landmarks[None], size, subject, self.parameters)[0]
        return matte

    def classes(self, pictures: Sequence[Float], landmarks: Sequence[Float], subject: Subject) -> Float | None:
        """Read what each pixel of B crops shows, [B, C, h, w], as an occluder gives it; None where nobody asks for it.

        pictures: [S, S, 3], display-referred RGB, 0..1. landmarks: [L, >=2] of each, in its pixels.
        """
        occluder = load_occluder(subject, self.parameters.occluder) if self.parameters.occlusion and pictures else None
        return None if occluder is None else occluder.classes(pictures, landmarks, subject)

    def plate_share(self, classes: Float) -> Float:
        """Return how much of each pixel of the plate is to be replaced: [B, h, w], 0..1, of classes [B, C, h, w]."""
        kept, strength = self.parameters.glasses, np.float32(self.parameters.occlusion)
        replaced = kept is Glasses.SOURCE or (kept is Glasses.AUTO and self.source_wears_glasses)
        return np.asarray(1 - strength * (1 - share_of_subject(classes, glasses=replaced)), np.float32)

    def source_share(self, classes: Float) -> Float:
        """Return how much of each pixel of the source may be used: [B, h, w], 0..1, of classes [B, C, h, w]."""
        return share_of_subject(classes, glasses=self.parameters.glasses is not Glasses.PLATE)

    def limit(self, patch: Patch) -> Patch:
        """Multiply a patch in plate pixels by the artist's matte: by its code values, since coverage has no transfer curve."""
        if self.roto is None or patch.roi.empty:
            return patch
        frame = self.roto.frame(patch.frame)
        values = frame.linear(patch.roi) if frame.info.colour == "scene_linear" else frame.rgb(patch.roi)
        return replace(patch, rgba=patch.rgba * np.clip(values[..., :1], 0, 1))


def visible_shares(pictures: Sequence[Image8 | Float], landmarks: Sequence[Float], subject: Subject) -> Float | None:
    """Find how much of each pixel of B crops is the subject itself, glasses included: [B, S, S], 0..1; None for a subject without an occluder.

    pictures: [S, S, 3], display-referred RGB, uint8 or 0..1. landmarks: [L, >=2] of each, in its pixels.
    """
    occluder = load_occluder(subject) if len(pictures) else None
    if occluder is None:
        return None
    shares = share_of_subject(occluder.classes(pictures, landmarks, subject), glasses=True)
    return np.stack([refined(share, unit_range(p)) for share, p in zip(shares, pictures, strict=True)])


def mask(
    faces: Faces,
    crops: tuple[Alignment, ...],
    parameters: MaskParameters | None = None,
    roto: Footage | None = None,
) -> Mattes:
    """Prepare the mattes of the crops. Raises FaceplateError for an unknown region."""
    parameters = parameters or MaskParameters()
    check_regions(load_subject(faces.subject), parameters.regions)
    return Mattes(crops, parameters, roto)
