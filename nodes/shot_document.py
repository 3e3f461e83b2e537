"""The document `faceplate.shot/1`: a rendered shot's inputs, settings and results."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nodes.consent.provenance import Provenance
from nodes.definitions import Method, Settings
from nodes.files import load_document, whole_file
from nodes.footage.info import FootageInfo
from nodes.parts import DOCUMENT
from nodes.types import Track

SCHEMA = "faceplate.shot/1"
_PACKAGES = ("faceplate", "numpy", "opencv-python-headless", "onnxruntime", "av", "OpenImageIO", "opencolorio")


class _ShotPart(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)


class FrameSpan(_ShotPart):
    """Frames by a clip's own numbers, both included."""

    first: int
    last: int


class TrackSpan(_ShotPart):
    """A track and its frames, by the clip's own numbers."""

    id: int
    first: int
    last: int
    frames: int

    @classmethod
    def of(cls, track: Track, number: int, **more: Any) -> Self:
        """Describe a track. number: the footage's own of position 0."""
        first, last = (number + int(track.frames[i]) for i in (0, -1))
        return cls(id=track.id, first=first, last=last, frames=len(track), **more)

    def __str__(self) -> str:
        return f"track {self.id} (frames {self.first}-{self.last})"


class FootageInput(_ShotPart):
    """Footage that a shot was made from. digest: of its content. not_used: other people in a source."""

    path: Path
    digest: str
    width: int
    height: int
    rate: Fraction
    frames: int
    first: int
    bit_depth: int
    colour: str
    layer: str | None = None
    notes: tuple[str, ...] = ()
    not_used: tuple[TrackSpan, ...] = ()

    @classmethod
    def of(cls, info: FootageInfo, digest: str, **more: Any) -> Self:
        """Describe footage."""
        names = ("width", "height", "rate", "frames", "first", "bit_depth", "colour", "notes")
        known = {name: getattr(info, name) for name in names}
        return cls(path=info.path.absolute(), digest=digest, layer=info.layer or None, **known, **more)


class ModelInput(_ShotPart):
    """A model that a shot was made with. sha256: of its file, which earlier Faceplates did not record."""

    path: Path
    digest: str
    sha256: str | None = None


def _known_parameters(settings: Any) -> Any:
    """Leave out parameters of an earlier Faceplate."""
    if not isinstance(settings, dict):
        return settings
    nodes = {name: field.default for name, field in Settings.model_fields.items()}
    return {
        name: {key: value for key, value in dict(given).items() if key in type(nodes[name]).model_fields}
        for name, given in settings.items()
        if name in nodes
    }


class PictureOrigin(_ShotPart):
    """The origin of pictures, as signing them needs it.

    inputs: plate, source, roto and model; those of further people as source_2, model_2 and so on.
    """

    inputs: dict[str, FootageInput | ModelInput]
    settings: Annotated[Settings, BeforeValidator(_known_parameters)]
    provenance: Provenance | None = None

    @model_validator(mode="after")
    def _has_a_plate(self) -> Self:
        if not isinstance(self.inputs.get("plate"), FootageInput):
            raise ValueError("names no plate")
        return self

    @property
    def plate(self) -> FootageInput:
        """The footage in which faces were replaced."""
        plate = self.inputs["plate"]
        assert isinstance(plate, FootageInput)
        return plate

    @property
    def people(self) -> list[tuple[FootageInput | None, ModelInput | None]]:
        """The source and the model of each person who was replaced, None for an unused one."""
        numbers = {match[1] or "" for name in self.inputs if (match := re.fullmatch(r"(?:source|model)(_\d+)?", name))}
        return [(self._source(number), self._model(number)) for number in sorted(numbers)]

    def _source(self, number: str) -> FootageInput | None:
        source = self.inputs.get(f"source{number}")
        return source if isinstance(source, FootageInput) else None

    def _model(self, number: str) -> ModelInput | None:
        model = self.inputs.get(f"model{number}")
        used = number or self.settings.swap.method is Method.MODEL
        return model if used and isinstance(model, ModelInput) else None


class ShotResults(_ShotPart):
    """The results, counted in frames. not_replaced: the main faces left as they are. seconds: duration of the render."""

    frames: int
    frames_with_face: int
    frames_resumed: int = 0
    not_replaced: tuple[TrackSpan, ...] = ()
    seconds: float = 0.0


class Signer(_ShotPart):
    """The signer. sha256: of the certificate. local: it was made on that machine."""

    name: str
    sha256: str
    local: bool


class SignedResult(_ShotPart):
    """A result, a file or a sequence's folder, and its manifest; both relative to the shot's folder."""

    file: str
    manifest: str


class SignedShot(_ShotPart):
    """The signatures of a shot's results. time_stamped: whether a server time-stamped all of them, None without one."""

    signed: Literal[True] = True
    by: Signer
    time_stamped: bool | None
    results: tuple[SignedResult, ...]


class SwitchedOff(_ShotPart):
    """Results without Content Credentials: since when and why the project has them off; an earlier Faceplate named a record instead."""

    signed: Literal[False] = False
    since: str = ""
    reason: str = ""


class ShotDocument(PictureOrigin):
    """A rendered shot. range: the plate's own numbers of its frames. tracks: those that were replaced. versions: of packages."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    range: FrameSpan
    rate: Fraction
    width: int
    height: int
    tracks: tuple[TrackSpan, ...]
    versions: dict[str, str] = Field(default_factory=lambda: _versions())
    results: ShotResults
    credentials: SignedShot | SwitchedOff | None = None

    def remarks(self, *, tracks_given: bool) -> Iterator[str]:
        """Yield sentences: a model of unknown origin, notes on the plate, and people who are not replaced or not used.

        tracks_given: the user chose who is replaced.
        """
        if self.provenance and self.provenance.unknown:
            yield "The model does not say whom it was trained on; the result is marked so."
        for note in self.plate.notes:
            yield f"{note[0].upper()}{note[1:]}."
        if tracks_given:
            return
        if others := self.results.not_replaced:
            ids = sorted(track.id for track in (*self.tracks, *others))
            yield (
                f"The plate shows several people. Replaced: {_listed(self.tracks)}; as they were: {_listed(others)}. "
                f"To replace all of them, add {' '.join(f'--track {id}' for id in ids)}"
            )
        source = self.inputs.get("source")
        if isinstance(source, FootageInput) and source.not_used:
            yield f"The source shows several people. Not used: {_listed(source.not_used)}"

    def save(self, folder: Path) -> None:
        """Write `shot.json`; raises OutputError."""
        with whole_file(folder / DOCUMENT) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", "utf-8")


def load_shot(folder: Path) -> ShotDocument:
    """Read `shot.json` of a shot's folder; raises SchemaError when it is missing, damaged, or newer."""
    path = folder / DOCUMENT if folder.is_dir() else folder
    return load_document(path, ShotDocument, SCHEMA, "Give a folder that `faceplate swap` has written")


def _listed(tracks: Sequence[TrackSpan]) -> str:
    return ", ".join(map(str, tracks))


def _versions() -> dict[str, str]:
    packages = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "unknown"
    return packages
