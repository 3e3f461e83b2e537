"""The jobs `faceset` and `train`: gather facesets, and train models on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from host_bridge.jobs.footage import Rate, frame_rate, opened, positions
from host_bridge.jobs.job import Request, Result, absolute
from host_bridge.reporting import Watch
from nodes.consent.provenance import Provenance
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import MissingDependencyError
from nodes.text import command_line, counted
from trainer.faceset.parameters import FacesetParameters
from trainer.settings import TrainSettings
from trainer.watcher import Watcher

if TYPE_CHECKING:
    from trainer.faceset import Faceset
    from trainer.train import Trained

# The exporter's too: a missing one should be noticed before the training, not after it.
_NEEDED = ("torch", "safetensors", "filelock", "onnx", "onnxscript")
_INSTALL = "Install what training needs: pip install 'faceplate[train]'"


class FacesetRequest(Request):
    """Clips in which this performer's face is the main one; several make one faceset. A clip may be repeated.

    named: the performer in the consent records, by name or id; by default `performer` if recorded, else the one of the footage.
    """

    clips: tuple[Path, ...] = Field(
        min_length=1,
        description="Footage in which this performer's face is the main one; several clips make one faceset.",
    )
    performer: str = Field(
        description="The performer, by name or id, whose consent `faceplate performer add` has recorded."
    )
    out: Path = Field(
        description="Folder of the faceset; an earlier faceset there is replaced when the new one is finished."
    )
    rate: Rate = None
    ranges: tuple[str | None, ...] = Field(
        default=(),
        description="Frames A-B to look at, both included, by the clip's own numbers, by default all; given once for each clip, in their order.",
        json_schema_extra={"option": "range"},
    )
    tracks: tuple[int, ...] = Field(
        default=(), description="Ids of the performer's tracks in the only clip, where others are seen too."
    )
    named: str | None = None
    faceset: FacesetParameters = FacesetParameters()
    consent: ConsentParameters = DEFAULT_CONSENT
    detect: DetectParameters = DetectParameters()

    @field_validator("performer")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("is empty")
        return name.strip()

    @model_validator(mode="after")
    def _ranges_for_all(self) -> Self:
        if self.ranges and len(self.ranges) != len(self.clips):
            counts = f"{counted(len(self.ranges), 'time')} for {counted(len(self.clips), 'clip')}"
            raise ValueError(f"--range is given {counts}: give one for each clip, or none")
        if self.tracks and len(self.clips) > 1:
            raise ValueError("tracks are those of one clip: give only one")
        return self

    @property
    def title(self) -> str:
        """The performer."""
        return self.performer


class PoseSpan(Result):
    """Range of an angle, in degrees."""

    least: float
    most: float


class FacesetClip(Result):
    """One clip of a faceset: its frame range, faces found and kept, and the number left out for each reason."""

    model_config = ConfigDict(extra="allow")

    path: Path
    range: dict[str, int]
    faces: int
    kept: int
    left_out: dict[str, int]


class FacesetResult(Result):
    """A faceset: its document without the arrays' descriptions, its folder and digest, and the range of its poses."""

    schema_: str = Field(alias="schema")
    performer: str
    subject: str
    template: str
    coverage: float
    size: int
    count: int
    parameters: FacesetParameters
    clips: list[FacesetClip]
    provenance: Provenance | None
    yaw: PoseSpan
    pitch: PoseSpan
    folder: Path
    digest: str


def gather_faceset(request: FacesetRequest, watch: Watch) -> FacesetResult:
    """Gather the crops of one performer from clips, ready to train on."""
    from trainer.faceset.build import build_faceset
    from trainer.faceset.faceset import read_document

    out = absolute(request.out).resolve()
    with opened(*request.clips, rate=frame_rate(request.rate), layer=request.detect.layer) as footage:
        clips = [f for f in footage if f is not None]
        ranges = request.ranges or (None,) * len(clips)
        spans = [positions(text, clip.info) for text, clip in zip(ranges, clips, strict=True)]
        result = build_faceset(
            clips,
            out,
            request.performer,
            request.faceset,
            watch.progress,
            request.detect,
            spans,
            tracks=request.tracks,
            consent=request.consent,
            named=request.named,
        )
    watch.preview(out / "sheet.png")
    document = read_document(out)
    ends = zip(result.yaw_pitch.min(0).tolist(), result.yaw_pitch.max(0).tolist(), strict=True)
    yaw, pitch = (PoseSpan(least=round(low, 1), most=round(high, 1)) for low, high in ends)
    more = {"yaw": yaw, "pitch": pitch, "folder": out, "digest": result.digest}
    return FacesetResult.model_validate(document | more)


class TrainRequest(Request):
    """Facesets of a source and a target to train a model on; three or more make a base, without an ONNX file."""

    facesets: tuple[Path, ...] = Field(
        min_length=2,
        description="Folders that `faceplate faceset` has made: of the performer whose face is put in, then of the one whose face is replaced. Those of further performers make a base over all of them, for which no ONNX is written.",
    )
    out: Path = Field(description="Folder of the training: model.onnx, preview.png, losses, checkpoints.")
    resume: bool = Field(default=False, description="Resume the training in that folder.")
    train: TrainSettings = TrainSettings()
    consent: ConsentParameters = DEFAULT_CONSENT

    @property
    def title(self) -> str:
        """The source, the target and the model."""
        first, *more = [path.name for path in self.facesets]
        who = f"{first} on {more[0]}" if len(more) == 1 else f"a base over {', '.join([first, *more])}"
        return f"{who}, {self.train.model}"


class TrainResult(Result):
    """A training. reason: why it ended; rank: of this process among several; train, swap: the command that uses the base or the model."""

    schema_: Literal["faceplate.trained/1"] = Field(default="faceplate.trained/1", alias="schema")
    model: Path | None
    checkpoint: Path | None
    folder: Path
    steps: int
    seconds: float
    reason: str
    loss: float | None
    losses: Mapping[str, float | None]
    rank: int
    train: str | None = None
    swap: str | None = None


def train_model(request: TrainRequest, watch: Watch) -> TrainResult:
    """Train a model for a shot on two facesets, or a base model on more than two.

    A stopped training still ends in good order, and its `reason` says so.
    """
    require_trainer()
    try:
        from trainer.faceset import open_faceset
        from trainer.models import find_model
        from trainer.train import train
    except (ImportError, OSError) as e:  # a library of CUDA's that is missing, say
        raise MissingDependencyError(f"torch cannot be loaded ({e})", remedy=_INSTALL) from e

    facesets = [open_faceset(absolute(folder)) for folder in request.facesets]
    find_model(request.train.model)
    out = absolute(request.out).resolve()
    # Of several processes of torchrun, only the first one reports.
    watcher = watch if os.environ.get("RANK", "0") == "0" else Watcher()
    trained = train(facesets, out, request.train, watcher, resume=request.resume, consent=request.consent)
    base = len(facesets) > 2
    return TrainResult(
        model=trained.model,
        checkpoint=trained.checkpoint,
        folder=out,
        steps=trained.step,
        seconds=round(trained.seconds, 1),
        reason=trained.reason,
        loss=trained.loss,
        losses=trained.losses,
        rank=trained.rank,
        train=_fit_command(trained, out) if base else None,
        swap=None if base else _swap_command(trained, facesets[0]),
    )


def require_trainer() -> None:
    """Raise MissingDependencyError unless all that training needs is installed; loads none of it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(f"{missing[0]} is not installed", remedy=_INSTALL)


def resumed(request: TrainRequest) -> TrainRequest:
    """Return the request, set to resume if its training has begun."""
    begun = any(absolute(request.out).glob("checkpoints/step-*.json"))
    return request.model_copy(update={"resume": True}) if begun else request


def _fit_command(trained: Trained, out: Path) -> str:
    """Return the command that trains a pair from a base in `out`; the user fills in facesets and RESULT."""
    built = ["--model", trained.network.name, "--size", str(trained.network.options.size)]
    return command_line("faceplate", "train", "SOURCE_SET", "TARGET_SET", *built, "--from", str(out), "--out", "RESULT")


def _swap_command(trained: Trained, source: Faceset) -> str:
    """Return the command that uses the model; the user fills in SHOT and RESULT."""
    words = ["faceplate", "swap", "--plate", "SHOT"]
    if trained.network.inputs != ("crop",):  # the model also reads the source's own frames
        words += ["--source", source.clips[0]]
    return command_line(*words, "--model", str(trained.model), "--out", "RESULT")
