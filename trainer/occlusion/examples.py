"""Examples of the occlusion network: aligned crops with the class of each pixel, in one container for all that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from nodes.align import Alignment, align
from nodes.definitions import AlignParameters
from nodes.errors import SchemaError
from nodes.files import whole_file
from nodes.mask.classes import CLASSES
from nodes.types import Faces, Float, Image8

FACE, HAIR, HAND, GLASSES, OTHER = range(len(CLASSES))
SIDE = 288  # pixels
COVERAGE = 1.4  # so that training can move, turn and scale a crop of coverage 1 within it


@dataclass(frozen=True)
class Examples:
    """N crops of side S. pictures: sRGB, [N, S, S, 3]. classes: share of each class in each pixel, [N, 5, S, S], which sum to 255.

    weights: 255 where the class of a pixel is known, 0 where it is not, [N, S, S]. landmarks: in crop pixels, [N, 478, 3].
    """

    pictures: Image8
    classes: Image8
    weights: Image8
    landmarks: Float

    def __len__(self) -> int:
        return len(self.pictures)

    def save(self, path: Path) -> None:
        """Write them as a compressed `.npz`; raises OutputError."""
        with whole_file(path, sync=False) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **{part.name: getattr(self, part.name) for part in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read examples that `save` wrote; raises SchemaError."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{part.name: arrays[part.name] for part in fields(cls)})
        except (OSError, ValueError, KeyError) as e:
            raise SchemaError(f"cannot be read as examples ({e})", file=path, remedy="Make them again") from e

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Join examples in their order."""
        return cls(
            **{part.name: np.concatenate([getattr(each, part.name) for each in several]) for part in fields(cls)}
        )


def crops_of(faces: Faces) -> tuple[Alignment, ...]:
    """Align each track of faces as the product does, without smoothing, for crops of an example's size."""
    return align(faces, AlignParameters(size=SIDE, coverage=COVERAGE, smoothing=0)).crops


def eight_bit_classes(classes: Float) -> Image8:
    """Round shares of classes [..., 5, S, S] to 8 bits that sum to 255, from any that are positive; what is left is `other`."""
    shares = classes / np.maximum(classes.sum(-3, keepdims=True), 1)
    rounded = np.asarray(shares * 255 + 0.1, np.uint8)  # so that four classes never sum to more than 255
    rounded[..., OTHER, :, :] = 255 - rounded[..., :OTHER, :, :].sum(-3, dtype=np.int64)
    return rounded
