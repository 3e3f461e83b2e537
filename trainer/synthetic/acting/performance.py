"""The performance of a synthetic person: 52 coefficients and a head pose for each frame, and the document that keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from nodes.files import load_document, whole_file
from nodes.subjects.subject import load_subject
from nodes.text import counted
from nodes.types import Float
from trainer.synthetic.people.body import Pose

Curve = npt.NDArray[np.floating[Any]]  # numbers over time, of any precision
SCHEMA = "faceplate.acting/1"
_DIGITS = 5
_MOST_TURN = 180.0  # degrees
_MOST_OFFSET = 10.0  # metres


def coefficient_names() -> tuple[str, ...]:
    """Return the names of the 52 coefficients in the order of the subject `face`."""
    coefficients = load_subject("face").coefficients
    assert coefficients
    return coefficients.names


class ActingOrigin(BaseModel):
    """The origin of a performance. text: as written. seed: of random acting. digest, first: of the measured clip, and its first frame used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["text", "measured", "random"]
    text: str | None = None
    seed: int | None = None
    clip: str | None = None
    digest: str | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Acting:
    """A performance of T frames.

    rate: frames per second. coefficients: float32 [T, 52], 0..1, in the subject's order. yaw, pitch, roll: [T] in degrees; the
    person turns to the own left, looks up, tilts to the own left: positive. offset: [T, 3] in metres, world axes (x to the
    person's left, y to the back, z up).
    """

    rate: Fraction
    coefficients: Float
    yaw: Float
    pitch: Float
    roll: Float
    offset: Float
    origin: ActingOrigin

    def __len__(self) -> int:
        return len(self.coefficients)

    def __getitem__(self, frames: slice) -> Acting:
        moving = ("coefficients", "yaw", "pitch", "roll", "offset")
        return replace(self, **{name: getattr(self, name)[frames] for name in moving})

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return float(len(self) / self.rate)

    @property
    def pose(self) -> Pose:
        """The head's turns and place."""
        return Pose(self.yaw, self.pitch, self.roll, self.offset)

    def curve(self, name: str) -> Float:
        """Return the curve [T] of a coefficient by its name."""
        return self.coefficients[:, coefficient_names().index(name)]

    def save(self, path: Path) -> None:
        """Write the document; raises OutputError."""
        with whole_file(path) as temporary:
            temporary.write_text(
                ActingDocument.of(self).model_dump_json(by_alias=True, exclude_none=True) + "\n", "utf-8"
            )


def _checked(values: list[float], info: ValidationInfo, low: float, high: float, name: str = "") -> list[float]:
    """Return values, one a frame, that are within a range; raises ValueError."""
    what = f"'{name or info.field_name}'"
    if (frames := info.data.get("frames", len(values))) != len(values):
        raise ValueError(f"{what} has {counted(len(values), 'value')} for {counted(frames, 'frame')}")
    if not low <= min(values) <= max(values) <= high:
        raise ValueError(f"{what} leaves {low:g} to {high:g}")
    return values


class ActingDocument(BaseModel):
    """The document `faceplate.acting/1`: curves by name, of equal length; the coefficients that never move are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    schema_: str = Field(default=SCHEMA, alias="schema")
    rate: Fraction = Field(gt=0)
    frames: int = Field(gt=0)
    origin: ActingOrigin
    yaw: list[float]
    pitch: list[float]
    roll: list[float]
    offset: list[tuple[float, float, float]]
    coefficients: dict[str, list[float]]

    @field_validator("yaw", "pitch", "roll")
    @classmethod
    def _turns(cls, values: list[float], info: ValidationInfo) -> list[float]:
        return _checked(values, info, -_MOST_TURN, _MOST_TURN)

    @field_validator("offset")
    @classmethod
    def _offsets(
        cls, values: list[tuple[float, float, float]], info: ValidationInfo
    ) -> list[tuple[float, float, float]]:
        _checked([sum(map(abs, place)) for place in values], info, 0.0, _MOST_OFFSET)
        return values

    @field_validator("coefficients")
    @classmethod
    def _coefficients(cls, curves: dict[str, list[float]], info: ValidationInfo) -> dict[str, list[float]]:
        if unknown := sorted(set(curves) - set(coefficient_names())):
            raise ValueError(f"there is no coefficient '{unknown[0]}'")
        for name, values in curves.items():
            _checked(values, info, 0.0, 1.0, name)
        return curves

    @classmethod
    def of(cls, acting: Acting) -> Self:
        """Describe a performance, rounded to 5 digits."""

        def rounded(values: Float) -> list[float]:
            return [round(float(value), _DIGITS) for value in values]

        names = coefficient_names()
        return cls(
            rate=acting.rate,
            frames=len(acting),
            origin=acting.origin,
            yaw=rounded(acting.yaw),
            pitch=rounded(acting.pitch),
            roll=rounded(acting.roll),
            offset=[(x, y, z) for x, y, z in map(rounded, acting.offset)],
            coefficients={
                name: rounded(curve) for name, curve in zip(names, acting.coefficients.T, strict=True) if curve.any()
            },
        )

    def acting(self) -> Acting:
        """Return the performance."""
        names = coefficient_names()
        coefficients = np.zeros((self.frames, len(names)), np.float32)
        for name, values in self.coefficients.items():
            coefficients[:, names.index(name)] = values
        yaw, pitch, roll, offset = (np.array(v, np.float32) for v in (self.yaw, self.pitch, self.roll, self.offset))
        return Acting(self.rate, coefficients, yaw, pitch, roll, offset, self.origin)


def load_acting(path: Path) -> Acting:
    """Read a performance; raises SchemaError for a document that is missing, damaged, or newer."""
    return load_document(path, ActingDocument, SCHEMA, "Give a document that `Acting.save` has written").acting()
