"""The document `faceplate.timeline/1`: which shots of an edit are replaced, what is done, and where the results are."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file

SCHEMA = "faceplate.timeline/1"
NAME = "timeline.json"
State = Literal["waiting", "failed", "done"]


def _positive(rate: Fraction) -> Fraction:
    if rate <= 0:
        raise ValueError("a rate is more than 0")
    return rate


Rate = Annotated[Fraction, AfterValidator(_positive)]


class Record(BaseModel):
    """A part of the document; what is not known in it is an error."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class EditRecord(Record):
    """The edit that was read. path: absolute. digest: of its bytes. rate: frames per second, as it was read; None in older documents."""

    path: Path
    digest: str
    rate: Rate | None = None


class PerformerRecord(Record):
    """A person whose face is put in. footage: clips, or folders of them."""

    footage: tuple[Path, ...] = ()


class MediaRecord(Record):
    """The plate's media. url: as the edit has it. path: the file, or a sequence as name.%04d.exr; none where it is missing. rate: frames per second.
    start: number of its first frame (its timecode, in its own frames). frames: how many it has, where that is known."""

    url: str
    path: Path | None
    rate: Rate
    start: int
    frames: int | None = Field(default=None, ge=0)


class CastRecord(Record):
    """Who is replaced by whom. tracks: ids of the faces' tracks; none: one face at a time, the larger."""

    target: str
    source: str
    tracks: tuple[int, ...] = ()


class ErrorRecord(Record):
    """Why a shot failed, and what to do."""

    message: str
    remedy: str | None = None


class ShotRecord(Record):
    """A shot and how it stands. where: the clip, by child indices down from the timeline's tracks.

    span: the first and the last frame of the result, positions in the media (0 is its first frame). model: what was trained.
    folder: what `faceplate swap` wrote, taken from the document's own folder when relative. key: of all that the result depends on.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    name: str
    where: tuple[int, ...] = Field(min_length=2)
    media: MediaRecord
    span: tuple[int, int]
    cast: tuple[CastRecord, ...] = ()
    state: State = "waiting"
    model: Path | None = None
    folder: Path | None = None
    key: str = ""
    error: ErrorRecord | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        first, last = self.span
        if not 0 <= first <= last:
            raise ValueError(f"shot {self.id}: span {first}-{last} is none")
        if self.state == "done" and self.folder is None:
            raise ValueError(f"shot {self.id} is done and has no folder")
        return self


class TimelineRun(Record):
    """The state of a run of an edit."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    edit: EditRecord
    performers: dict[str, PerformerRecord] = {}
    shots: tuple[ShotRecord, ...] = ()

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, found in (("id", [s.id for s in self.shots]), ("place", [s.where for s in self.shots])):
            if len(set(found)) < len(found):
                raise ValueError(f"two shots have one {what}")
        return self

    def with_shot(self, shot: ShotRecord) -> TimelineRun:
        """The same with one shot, found by its id, as it stands now."""
        return self.model_copy(update={"shots": tuple(shot if s.id == shot.id else s for s in self.shots)})


def document_path(out: Path) -> Path:
    """The document in a run's folder."""
    return out / NAME


def default_folder(edit: Path) -> Path:
    """Where a run of an edit goes unless it is told: beside it, `EDIT.faceplate`."""
    return edit.with_name(edit.stem + ".faceplate")


def save(out: Path, run: TimelineRun) -> Path:
    """Write the document into a run's folder and return its path; raises OutputError."""
    path = document_path(out)
    with whole_file(path) as temporary:
        temporary.write_text(run.model_dump_json(indent=2) + "\n", "utf-8")
    return path


def load(out: Path) -> TimelineRun:
    """Read the document of a run's folder; raises SchemaError when it is missing, damaged, or newer."""
    path = document_path(out) if out.is_dir() else out
    remedy = "Give the folder that `faceplate timeline run` has written, with --run"
    try:
        text = path.read_bytes()
    except OSError as e:
        raise SchemaError("there is no run of a timeline here", file=path, remedy=remedy) from e
    try:
        check_schema(dict(json.loads(text)).get("schema"), SCHEMA, path)
        return TimelineRun.model_validate_json(text)
    except ValidationError as e:
        told = e.errors()[0]
        place = ".".join(str(part) for part in told["loc"])
        raise SchemaError(f"is damaged: {place}: {told['msg']}", file=path, remedy=remedy) from e
    except (ValueError, TypeError, RecursionError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=path, remedy=remedy) from e


def shot_folders(place: Path) -> list[Path]:
    """The shots' folders that a place holds: those of a run's shots that are done, else itself. Raises SchemaError for a run without any."""
    if not document_path(place).is_file():
        return [place]
    done = [place / shot.folder for shot in load(place).shots if shot.state == "done" and shot.folder is not None]
    if not done:
        raise SchemaError("no shot of it is done", file=place, remedy="Run `faceplate timeline run` first")
    return done
