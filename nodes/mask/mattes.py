"""The mattes of a shot: regions x what is visible of them x the artist's own matte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nodes.align import Alignment
from nodes.cache import digest_file
from nodes.definitions import Glasses, MaskParameters, MattePart
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.numbering import numbered_files
from nodes.mask.classes import CLASSES
from nodes.mask.hands import draw_hands
from nodes.mask.occluder import Reading, load_occluder, unit_range
from nodes.mask.painted import Correction, learn, read_painted, shifted
from nodes.mask.regions import check_regions, draw_matte, draw_regions
from nodes.mask.visibility import refined, share_of_subject
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Faces, Float, Image8, Patch

# A hand is looked for where the network suspects one in so large a part of the face; within it, a face has to be that much surer, in log-odds.
_SUSPECTED, _SOME, _HAND = 0.25, 0.01, 5.0


@dataclass(frozen=True, slots=True)
class Mattes:
    """The mattes of a shot: drawn from landmarks in crops of any size, less what is in front, and limited by an artist's own matte in plate pixels."""

    crops: tuple[Alignment, ...]
    parameters: MaskParameters
    roto: Footage | None = None
    source_wears_glasses: bool = False
    correction: Correction | None = None
    part: MattePart = MattePart.MATTE

    def draw(self, landmarks: Float, subject: Subject, size: int) -> Float:
        """Draw the matte [size, size], 0..1, of one crop, as if nothing were in front; landmarks: [L, >=2] in crop pixels."""
        if self.part not in (MattePart.MATTE, MattePart.REGIONS):
            return np.pad(np.ones((size - 2, size - 2), np.float32), 1)
        matte: Float = draw_matte(landmarks[None], size, subject, self.parameters)[0]
        return matte

    def read(self, pictures: Sequence[Float], landmarks: Sequence[Float], subject: Subject) -> Reading | None:
        """Read what each pixel of B crops shows; None where nobody asks for it.

        pictures: [S, S, 3], display-referred RGB, 0..1. landmarks: [L, >=2] of each, in its pixels.
        """
        occluder = load_occluder(subject, self.parameters.occluder) if self.parameters.occlusion and pictures else None
        return None if occluder is None else occluder.read(pictures, landmarks, subject)

    def plate_shares(
        self,
        pictures: Sequence[Float],
        landmarks: Sequence[Float],
        subject: Subject,
        views: Sequence[tuple[Frame, Float]] = (),
    ) -> Float | None:
        """Find how much of each pixel of B crops of the plate is to be replaced: [B, h, w], 0..1, unrefined; None for all; arguments as of `read`.

        views: the frame of each crop, and its transform, crop pixels → plate pixels, by which hands are found.
        """
        reading = None if self.part is MattePart.REGIONS else self.read(pictures, landmarks, subject)
        if reading is None:
            return None
        if self.part.value in CLASSES:
            return reading.classes[:, CLASSES.index(self.part.value)]
        kept = self.parameters.glasses
        replaced = kept is Glasses.SOURCE or (kept is Glasses.AUTO and self.source_wears_glasses)
        shares = share_of_subject(reading.classes, glasses=replaced).copy()
        for k, (frame, to_plate) in enumerate(views):
            hand, size = reading.classes[k, CLASSES.index("hand")], len(reading.classes[k, 0])
            scale = np.float32(size / len(pictures[k]))
            region = draw_regions(landmarks[k][None, :, :2] * scale, size, subject)[0] > 0
            if ((hand > _SUSPECTED) & region).sum() > _SOME * region.sum():
                to_grid = to_plate @ np.diag([1 / scale, 1 / scale, 1]).astype(np.float32)
                shares[k] = shifted(shares[k], -_HAND * draw_hands(frame, to_grid, size))
        if self.correction is not None:
            shares = self.correction.apply(shares, reading, pictures)
        return shares

    def source_shares(self, classes: Float) -> Float:
        """Return how much of each pixel of the source may be used: [B, h, w], 0..1, of classes [B, C, h, w]."""
        return share_of_subject(classes, glasses=self.parameters.glasses is not Glasses.PLATE)

    def corrected(self, plate: Footage | None) -> Mattes:
        """Return mattes that follow those that an artist has painted of some frames of the plate. Raises FootageError."""
        painted, subject = self.parameters.painted, self.crops[0].subject if self.crops else None
        if painted is None or plate is None or subject is None or not self.parameters.occlusion:
            return self

        def read(pictures: Sequence[Float], landmarks: Sequence[Float]) -> tuple[Float, Reading]:
            reading = self.read(pictures, landmarks, subject)
            if reading is None:
                raise FaceplateError(
                    f"painted mattes need an occlusion network, and the subject {subject.name} has none",
                    remedy="Name one with --occluder, or give mattes of all frames with --roto",
                )
            return share_of_subject(reading.classes), reading

        return replace(self, correction=learn(read_painted(painted, plate), plate, self.crops, read))

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
    shares = share_of_subject(occluder.read(pictures, landmarks, subject).classes, glasses=True)
    return np.stack([refined(share, unit_range(p), strict=True) for share, p in zip(shares, pictures, strict=True)])


def digest_files(parameters: MaskParameters) -> list[str]:
    """Digest the files that parameters name: their content decides, not their path."""
    painted, occluder = parameters.painted, parameters.occluder
    files = [occluder, occluder.with_suffix(".json")] if occluder else []
    if painted and painted.is_dir():
        files += [file for _, file in sorted(numbered_files(painted).items())]
    return [digest_file(file) for file in files if file.is_file()]


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
