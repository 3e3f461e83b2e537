"""The description of a keypoint network in a subject's document: its input, and the decoding of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nodes.errors import SchemaError

_Side = Annotated[int, Field(ge=8, le=4096)]
_Triple = tuple[float, float, float]


class KeypointNetwork(BaseModel):
    """A network that takes one picture and gives the coordinates of L landmarks, or maps of where they are.

    model: ONNX file beside the document. size: width and height of its input, pixels. mean, std: on 0..255, in its own order of
    colours. outputs: the names of what holds the landmarks, of `simcc` x first; none: its first. columns: of `regression`, what each
    number of a landmark is, out of x, y, z and s, a score. units: of `regression`: input pixels, 0..1 or -1..1 across the input.
    split_ratio: of `simcc`, bins a pixel. scores: output with a score of each landmark or of all, else scores are the peaks of maps, or
    1. scores_as: what scores and maps are. margin: side of the square that is looked at over the landmarks' extent. upright: whether
    it wants the subject upright, by the template, or two landmarks, the second above the first. offset: added to its coordinates,
    input pixels, where its authors count pixels otherwise; here the centre of the first pixel is 0.5 (of `simcc`, bin 0).
    fitted: whether the document has a template yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["keypoints"] = "keypoints"
    model: str = Field(min_length=1)
    size: tuple[_Side, _Side]
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: _Triple = (0, 0, 0)
    std: _Triple = (255, 255, 255)
    decode: Literal["regression", "heatmap", "simcc"]
    outputs: tuple[str, ...] = ()
    columns: str | None = None
    units: Literal["pixels", "unit", "signed"] = "pixels"
    split_ratio: float = Field(2, gt=0, le=64)
    scores: str | None = None
    scores_as: Literal["probability", "logit"] = "probability"
    margin: float = Field(1.5, ge=1, le=10)
    upright: bool | tuple[int, int] = False
    offset: tuple[float, float] = (0, 0)
    fitted: bool = True

    @property
    def wanted(self) -> int:
        """Number of outputs that the landmarks are read from."""
        return 2 if self.decode == "simcc" else 1

    @field_validator("std")
    @classmethod
    def _divides(cls, std: _Triple) -> _Triple:
        if min(std) <= 0:
            raise ValueError("must be above 0")
        return std

    @field_validator("columns")
    @classmethod
    def _has_place(cls, columns: str | None) -> str | None:
        if columns is not None and not (
            {"x", "y"} <= set(columns) <= set("xyzs") and len(set(columns)) == len(columns)
        ):
            raise ValueError("must name x and y, and may name z and s, each once")
        return columns

    @model_validator(mode="after")
    def _names_outputs(self) -> KeypointNetwork:
        if self.outputs and len(self.outputs) != self.wanted:
            raise ValueError(f"outputs: {self.decode} is read from {self.wanted}, and {len(self.outputs)} are named")
        return self


def read_network(description: Mapping[str, Any], file: Path, landmarks: int) -> KeypointNetwork:
    """Validate the network's entry in a document or configuration; raises SchemaError that names the fault.

    landmarks: number of the subject's.
    """
    try:
        network = KeypointNetwork.model_validate(dict(description))
        if isinstance(network.upright, tuple) and not all(0 <= i < landmarks for i in network.upright):
            raise SchemaError(
                f"'upright' names landmark {max(network.upright)}; there are 0 to {landmarks - 1}",
                file=file,
                remedy="Correct the description of the network",
            )
    except ValidationError as e:
        raise SchemaError(
            f"does not describe a keypoint network ({faults(e)})", file=file, remedy="See docs/subjects.md"
        ) from e
    return network


def faults(error: ValidationError) -> str:
    """Summarise pydantic's errors on one line."""
    errors = ((".".join(map(str, d["loc"])), d["msg"].removeprefix("Value error, ")) for d in error.errors())
    return "; ".join(f"{where}: {what}" if where else what for where, what in errors)
