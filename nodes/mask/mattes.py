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

View = tuple[Frame, Float]

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
        if not self._whole and self.part is not MattePart.REGIONS:
            return np.pad(np.ones((size - 2, size - 2), np.float32), 1)
        matte: Float = draw_matte(landmarks[None], size, subject, self.parameters)[0]
        return matte

    @property
    def strength(self) -> float:
        """Return how much of what is in front stays in front, 0..1; a view of one part shows all of it."""
        return 0.0 if self.part is MattePart.REGIONS else self.parameters.occlusion if self._whole else 1.0

    @property
    def _whole(self) -> bool:
        return self.part is MattePart.MATTE

    def read(
        self, pictures: Sequence[Float], landmarks: Sequence[Float], subject: Subject, *, features: bool = False
    ) -> Reading | None:
        """Classify the pixels of B crops; None at strength 0, and for a subject without an occlusion network.

        pictures: [S, S, 3], display-referred RGB, 0..1. landmarks: [L, >=2] of each, in its pixels. Raises FaceplateError where a view, or a
        painted matte, needs a network that the subject does not have.
        """
        if not self.strength or not pictures:
            return None
        occluder = load_occluder(subject, self.parameters.occluder)
        if occluder is None and (self.parameters.painted or not self._whole):
            raise FaceplateError(
                f"the subject {subject.name} has no occlusion network, which painted mattes and views of one part need",
                remedy="Name one with --occluder",
            )
        return None if occluder is None else occluder.read(pictures, landmarks, subject, features=features)

    def plate_shares(
        self, pictures: Sequence[Float], landmarks: Sequence[Float], subject: Subject, views: Sequence[View] = ()
    ) -> Float | None:
        """Find how much of each pixel of B crops of the plate is to be replaced: [B, h, w], 0..1, unrefined; None for all; arguments as of `read`.

        views: the frame of each crop, and its transform, crop pixels → plate pixels, by which hands are found.
        """
        reading = self.read(pictures, landmarks, subject, features=self.correction is not None)
        if reading is None:
            return None
        if self.part.value in CLASSES:
            return reading.classes[:, CLASSES.index(self.part.value)]
        shares = self._own_shares(reading, pictures, landmarks, subject, views)
        return shares if self.correction is None else self.correction.apply(shares, reading, pictures)

    def _own_shares(
        self,
        reading: Reading,
        pictures: Sequence[Float],
        landmarks: Sequence[Float],
        subject: Subject,
        views: Sequence[View],
    ) -> Float:
        """Return the shares of the plate's face, less the hands that are found: [B, h, w]."""
        kept = self.parameters.glasses
        replaced = kept is Glasses.SOURCE or (kept is Glasses.AUTO and self.source_wears_glasses)
        shares = share_of_subject(reading.classes, glasses=replaced).copy()
        for k, (frame, to_plate) in enumerate(views):
            suspected = reading.classes[k, CLASSES.index("hand")] > _SUSPECTED
            if not suspected.any():
                continue
            size = len(suspected)
            scale = np.float32(size / len(pictures[k]))
            region = draw_regions(landmarks[k][None, :, :2] * scale, size, subject)[0] > 0
            if (suspected & region).sum() > _SOME * region.sum():
                to_grid = to_plate @ np.diag([1 / scale, 1 / scale, 1]).astype(np.float32)
                shares[k] = shifted(shares[k], -_HAND * draw_hands(frame, to_grid, size))
        return shares

    def source_shares(self, classes: Float) -> Float:
        """Return how much of each pixel of the source may be used: [B, h, w], 0..1, of classes [B, C, h, w]."""
        return share_of_subject(classes, glasses=self.parameters.glasses is not Glasses.PLATE)

    def corrected(self, plate: Footage | None) -> Mattes:
        """Return mattes with the correction that is learned from an artist's painted ones. Raises FootageError, FaceplateError."""
        painted = self.parameters.painted
        if painted is None or plate is None or not self.crops or not self.strength:
            return self
        subject = self.crops[0].subject

        def read(picture: Float, points: Float, view: View) -> tuple[Float, Reading]:
            reading = self.read([picture], [points], subject, features=True)
            assert reading is not None  # at this strength, it is refused otherwise
            return self._own_shares(reading, [picture], [points], subject, [view]), reading

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
