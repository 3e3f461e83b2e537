"""Occlusion networks: the embedded one, or one that the user brings with a document that describes it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import cv2
import numpy as np
import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, Field, field_validator

from nodes.errors import ModelError
from nodes.files import load_document
from nodes.mask.classes import CLASSES, SIZE
from nodes.mask.regions import draw_regions
from nodes.runtime import create_session, load_weights
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8

_log = logging.getLogger(__name__)
SCHEMA = "faceplate.occluder/1"
_BATCH = 8


class OccluderDocument(BaseModel):
    """The description `NAME.json` of an occlusion network `NAME.onnx`, that takes one picture of a face.

    size: width and height of its input, pixels. mean, std: on 0..255, in its own order of colours. classes: which of its channels show
    what, by our names; what no name has is `other`. A network with a single channel gives the share of the face. values: what it gives.
    output: by name, else its first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["faceplate.occluder/1"] = Field(alias="schema")
    size: tuple[Annotated[int, Field(ge=16, le=4096)], Annotated[int, Field(ge=16, le=4096)]]
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0, 0, 0)
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (
        255,
        255,
        255,
    )
    classes: dict[Literal["face", "hair", "hand", "glasses"], tuple[Annotated[int, Field(ge=0)], ...]]
    values: Literal["logits", "shares", "labels"] = "logits"
    output: str | None = None

    @field_validator("classes")
    @classmethod
    def _shows_faces(cls, classes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if not classes.get("face"):
            raise ValueError("no channel of the face is named")
        return classes


class Reading(NamedTuple):
    """The answer of an occlusion network for B crops.

    classes: shares of `CLASSES`, [B, C, h, w], 0..1, that add up to 1. features: [B, F, h, w], the values from which the network computes them;
    F is 0 where they were not asked for, and for a user's network.
    """

    classes: Float
    features: Float


@dataclass(frozen=True)
class Occluder:
    """An occlusion network that is loaded; document: None for the embedded one."""

    session: ort.InferenceSession
    document: OccluderDocument | None = None

    def read(
        self,
        pictures: Sequence[Image8 | Float],
        landmarks: Sequence[Float],
        subject: Subject,
        *,
        features: bool = False,
    ) -> Reading:
        """Classify the pixels of B crops.

        pictures: [S, S, 3], display-referred RGB, uint8 or 0..1. landmarks: of each, [L, >=2], in its pixels. features: return them too.
        """
        batches = []
        for i in range(0, len(pictures), _BATCH):
            batch = pictures[i : i + _BATCH]
            if self.document is None:
                batches.append(self._embedded(batch, landmarks[i : i + _BATCH], subject, features))
            else:
                batches.append(self._described(batch, self.document))
        return Reading(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    def _embedded(
        self, pictures: Sequence[Image8 | Float], landmarks: Sequence[Float], subject: Subject, features: bool
    ) -> Reading:
        points = np.stack([own[:, :2] * np.float32(SIZE / len(p)) for own, p in zip(landmarks, pictures, strict=True)])
        small = np.stack([_reduced(p, (SIZE, SIZE)) for p in pictures])
        crops = np.concatenate([small, draw_regions(points, SIZE, subject)[..., None]], -1)
        names = ["classes", "features"] if features else ["classes"]
        classes, *more = self.session.run(names, {self.session.get_inputs()[0].name: crops})
        return Reading(classes, *(more or [classes[:, :0]]))

    def _described(self, pictures: Sequence[Image8 | Float], told: OccluderDocument) -> Reading:
        small = np.stack([_reduced(p, told.size) for p in pictures]) * np.float32(255)
        small = small[..., ::-1] if told.colour == "bgr" else small
        mean, deviation = (np.asarray(values, np.float32) for values in (told.mean, told.std))
        small = (small - mean) / deviation
        fed = np.ascontiguousarray(small.transpose(0, 3, 1, 2) if told.layout == "nchw" else small, np.float32)
        name = told.output or self.session.get_outputs()[0].name
        (out,) = self.session.run([name], {self.session.get_inputs()[0].name: fed})
        classes = _shares(np.asarray(out), told)
        return Reading(classes, classes[:, :0])


def unit_range(picture: Image8 | Float) -> Float:
    """Return a picture of bytes, or of floats about 0..1, as floats 0..1."""
    if picture.dtype == np.uint8:
        return np.asarray(picture / np.float32(255), np.float32)
    return np.asarray(np.clip(picture, 0, 1), np.float32)


def _reduced(picture: Image8 | Float, size: tuple[int, int]) -> Float:
    small: Image8 | Float = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return unit_range(small)


def _shares(out: np.ndarray, told: OccluderDocument) -> Float:
    """Bring a network's output to our classes: [B, C, h, w]."""
    if told.values == "labels":
        labels = out.reshape(len(out), *out.shape[-2:] if out.shape[-1] != 1 else out.shape[-3:-1])
        channels = {index: labels == index for indices in told.classes.values() for index in indices}
    else:
        maps = out if told.layout == "nchw" else np.moveaxis(out, -1, 1)
        if maps.shape[1] == 1:
            maps = np.concatenate([maps, -maps if told.values == "logits" else 1 - maps], 1)
        if told.values == "logits":
            maps = np.exp(maps - maps.max(1, keepdims=True))
            maps = maps / maps.sum(1, keepdims=True)
        channels = dict(enumerate(np.moveaxis(maps, 1, 0)))
    first = next(iter(channels.values()))
    shares = np.zeros((len(out), len(CLASSES), *first.shape[-2:]), np.float32)
    for name, indices in told.classes.items():
        for index in indices:
            shares[:, CLASSES.index(name)] += channels[index]
    shares[:, -1] = np.clip(1 - shares[:, :-1].sum(1), 0, 1)
    return shares


def load_occluder(subject: Subject, path: Path | None = None) -> Occluder | None:
    """Load the occlusion network of a subject, None where it has none, or one that the user brings.

    path: ONNX file, with its description beside it, `faceplate.occluder/1`. Raises ModelError, SchemaError.
    """
    if path is None:
        return Occluder(load_weights(subject.occluder)) if subject.occluder else None
    files = path, path.with_suffix(".json")
    return _load_own(path, *(file.stat().st_mtime_ns if file.is_file() else None for file in files))


@cache
def _load_own(path: Path, *_changed: int | None) -> Occluder:
    remedy = "Describe it as docs/occlusion.md shows"
    document = load_document(path.with_suffix(".json"), OccluderDocument, SCHEMA, remedy)
    session = create_session(path)
    _check(session, document, path)
    return Occluder(session, document)


def _check(session: ort.InferenceSession, document: OccluderDocument, path: Path) -> None:
    """Refuse a network that does not do what its document says, before the first frame."""
    blank = Occluder(session, document)
    try:
        with np.errstate(all="ignore"):
            blank._described([np.zeros((64, 64, 3), np.uint8)], document)
    except Exception as e:  # whatever a network of the user's may raise
        _log.info("%s does not fit its description", path, exc_info=True)
        why = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
        remedy = f"Correct {path.with_suffix('.json').name}"
        raise ModelError(f"does not fit its description ({why})", file=path, remedy=remedy) from e
