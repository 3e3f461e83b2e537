"""The document `faceplate.cut/1`: the strips of a sequencer, as the extension in Blender writes and reads them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file

SCHEMA = "faceplate.cut/1"
_Rate = Annotated[Fraction, Field(gt=0, le=1000)]


class _CutPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)


class StripFootage(_CutPart):
    """The file behind a strip.

    path: a file, or a pattern as name.%04d.png. rate: frames per second, of sound the sequence's. frames: how many there are; None
    if that is not known. first: the number of the first file of a sequence.
    """

    path: Path
    rate: _Rate
    frames: int | None = Field(None, ge=1)
    first: int = 0


class Strip(_CutPart):
    """One strip. kind: as Blender names it (MOVIE, IMAGE, SOUND, META, CROSS, ...).

    left, right: the frames of the scene that are seen, right not included. source: the frame of the footage, counted from 0,
    that is shown at left; step: how many it goes on in a frame of the scene, negative backwards, 0 for a still. host: all else
    that the host knows of the strip, for itself. strips: what a meta strip holds, in frames of the scene too.
    """

    kind: str
    name: str
    channel: int = Field(ge=1)
    left: int
    right: int
    footage: StripFootage | None = None
    source: float = 0
    step: float = 1
    muted: bool = False
    host: dict[str, Any] = {}
    strips: tuple[Strip, ...] = ()

    @model_validator(mode="after")
    def _is_seen(self) -> Strip:
        if self.right <= self.left:
            raise ValueError(f"{self.name}: ends at {self.right}, before it begins at {self.left}")
        return self

    @property
    def audible(self) -> bool:
        """Whether it lies on an audio track."""
        return self.kind == "SOUND"


class Marker(_CutPart):
    """A named frame of the scene."""

    name: str
    frame: int


class Cut(_CutPart):
    """The strips of a scene. first, last: the frames that the scene renders, both included."""

    schema_: Literal["faceplate.cut/1"] = Field(default="faceplate.cut/1", alias="schema")
    name: str
    rate: _Rate
    first: int
    last: int
    strips: tuple[Strip, ...] = ()
    markers: tuple[Marker, ...] = ()
    host: dict[str, Any] = {}

    @field_validator("rate", mode="after")
    @classmethod
    def _exact(cls, rate: Fraction) -> Fraction:
        return rate.limit_denominator(1001)


def load(path: Path) -> Cut:
    """Read a cut; raises SchemaError when it is missing, damaged, of another kind or newer."""
    remedy = "Export it again"
    try:
        document = json.loads(path.read_bytes())
        check_schema(document["schema"], SCHEMA, path)
        return Cut.model_validate(document)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SchemaError(f"is no cut: {where}: {first['msg']}", file=path, remedy=remedy) from e
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise SchemaError("is missing or damaged", file=path, remedy=remedy) from e


def save(path: Path, cut: Cut) -> None:
    """Write a cut; raises OutputError."""
    with whole_file(path) as temporary:
        temporary.write_text(cut.model_dump_json(indent=1) + "\n", "utf-8")
