"""Documents of a run: the state of its shots, a finished training, the results of a run and of an export."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host_bridge.timeline.settings import MediaChoice, Mode, ProfileName
from host_bridge.timeline.shots.shot import Casting, Media
from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file
from nodes.report.document import LookFirst

SCHEMA = "faceplate.timeline/1"
NAME = "timeline.json"
MARK = "finished.json"
State = Literal["waiting", "failed", "done"]
Rate = Annotated[Fraction, Field(gt=0)]


class DocumentPart(BaseModel):
    """A part of a document; unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null", populate_by_name=True, serialize_by_alias=True)


Part = TypeVar("Part", bound=DocumentPart)


class EditRecord(DocumentPart):
    """The edit of a run. path: absolute. digest: of its bytes. rate: frames per second; None in older documents."""

    path: Path
    digest: str
    rate: Rate | None = None


class PerformerFootage(DocumentPart):
    """A source performer. footage: clips, or folders of them."""

    footage: tuple[Path, ...] = ()


class ErrorRecord(DocumentPart):
    """The error of a failed shot, and a remedy."""

    message: str
    remedy: str | None = None


class ShotRecord(DocumentPart):
    """A shot and its state. where: the clip, by child indices down from the timeline's tracks.

    span: the first and the last frame of the result, positions in the media (0 is its first frame). model: trained for it. folder: the results
    of its swap, relative to the document's folder. key: of all inputs of the result.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    name: str
    where: tuple[int, ...] = Field(min_length=2)
    media: Media
    span: tuple[int, int]
    cast: tuple[Casting, ...] = ()
    state: State = "waiting"
    model: Path | None = None
    folder: Path | None = None
    key: str = ""
    error: ErrorRecord | None = None


class TimelineRun(DocumentPart):
    """The state of a run of an edit."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    edit: EditRecord
    performers: dict[str, PerformerFootage] = {}
    shots: tuple[ShotRecord, ...] = ()

    def with_shot(self, shot: ShotRecord) -> TimelineRun:
        """Return a copy with one shot replaced, found by its id."""
        return self.model_copy(update={"shots": tuple(shot if s.id == shot.id else s for s in self.shots)})


class TrainingResult(BaseModel):
    """Result of a training. seconds: over all resumes."""

    steps: int
    seconds: float = Field(ge=0)
    reason: str
    loss: float | None = None


class TrainingMark(DocumentPart):
    """Mark of a finished training. asked: the requested end. facesets: digests of the source's and the target's."""

    schema_: Literal["faceplate.timeline-training/1"] = Field(default="faceplate.timeline-training/1", alias="schema")
    asked: dict[str, Any]
    facesets: tuple[str, str]
    result: TrainingResult


class LeftShot(DocumentPart):
    """A shot left out of an export, and why."""

    id: str
    why: str


class ExportResult(DocumentPart):
    """Result of an export, `faceplate.timeline-export/1`. shots: ids of those in it. lost: what the format cannot hold. results: new media in it."""

    schema_: str = Field(default="faceplate.timeline-export/1", alias="schema")
    file: Path
    mode: Mode
    profile: ProfileName
    media: MediaChoice
    shots: list[str]
    left: list[LeftShot]
    notes: list[str]
    lost: list[str]
    results: list[Path]


class ShotResult(DocumentPart):
    """A shot of a run. now: done by this run; how: origin of its model. verdict, summary, look_first: of its report. notes: parts of the edit that could not be followed."""

    id: str
    name: str
    cast: tuple[Casting, ...]
    frames: int
    state: State
    now: bool
    how: str | None
    folder: Path | None
    verdict: str | None
    summary: str | None
    look_first: list[LookFirst]
    error: ErrorRecord | None
    notes: list[str]


class RunResult(DocumentPart):
    """Result of a run, `faceplate.timeline-run/1`: all shots in the edit's order. export: the exported edit, if any."""

    schema_: str = Field(default="faceplate.timeline-run/1", alias="schema")
    document: Path
    notes: list[str]
    shots: list[ShotResult]
    done: int
    failed: int
    export: ExportResult | None = None


def document_path(out: Path) -> Path:
    """Return the path of the document in a run's folder."""
    return out / NAME


def default_folder(edit: Path) -> Path:
    """Return the default folder of an edit's run: beside it, `EDIT.faceplate`."""
    return edit.with_name(edit.stem + ".faceplate")


def save(out: Path, run: TimelineRun) -> Path:
    """Write the document into a run's folder and return its path; raises OutputError."""
    return save_document(document_path(out), run)


def load(out: Path) -> TimelineRun:
    """Read the document of a run's folder; raises SchemaError when it is missing, damaged, or newer."""
    path = document_path(out) if out.is_dir() else out
    remedy = "Give the folder that `faceplate timeline run` has written, with --run"
    return load_document(path, TimelineRun, SCHEMA, remedy=remedy, missing="there is no run of a timeline here")


def save_document(path: Path, document: DocumentPart) -> Path:
    """Write a document and return its path; raises OutputError."""
    with whole_file(path) as temporary:
        temporary.write_text(document.model_dump_json(indent=2) + "\n", "utf-8")
    return path


def load_document(path: Path, kind: type[Part], schema: str, *, remedy: str, missing: str = "is missing") -> Part:
    """Read a document of a schema; raises SchemaError when it is missing, damaged, of another kind or newer."""
    try:
        text = path.read_bytes()
        check_schema(dict(json.loads(text)).get("schema"), schema, path)
        return kind.model_validate_json(text)
    except OSError as e:
        raise SchemaError(missing, file=path, remedy=remedy) from e
    except ValidationError as e:
        fault = e.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise SchemaError(f"is damaged: {place}: {fault['msg']}", file=path, remedy=remedy) from e
    except (ValueError, TypeError, RecursionError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=path, remedy=remedy) from e


def read_mark(path: Path) -> TrainingMark | None:
    """Read the mark of a finished training; None if it is missing or damaged."""
    try:
        return TrainingMark.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def shot_folders(place: Path) -> list[Path]:
    """List the folders of a run's finished shots; any other place is a shot's folder itself. Raises SchemaError for a run without any."""
    if not document_path(place).is_file():
        return [place]
    done = [place / shot.folder for shot in load(place).shots if shot.state == "done" and shot.folder is not None]
    if not done:
        raise SchemaError("no shot of it is done", file=place, remedy="Run `faceplate timeline run` first")
    return done
