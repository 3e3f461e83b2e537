"""The plan of a run, `faceplate.timeline-plan/1`: shots, cast, faces at a quick look, what is done already, and how long the rest takes.

Nothing here changes the run's folder.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from host_bridge.reporting import Watch
from host_bridge.timeline.cast_edit import CastEdit
from host_bridge.timeline.consent import Refusals
from host_bridge.timeline.document import DocumentPart, PerformerFootage, ShotRecord, document_path, load
from host_bridge.timeline.look import QuickLook, look_at
from host_bridge.timeline.read.edl import is_drop_frame
from host_bridge.timeline.read.model import nearest, seconds
from host_bridge.timeline.run.context import MODELS, RunContext, file_name
from host_bridge.timeline.run.runner import in_order, wanted
from host_bridge.timeline.settings import RunSettings
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.shot import Casting, Media, Shot
from nodes.definitions import Settings
from nodes.footage.rates import timecode_of
from nodes.parts import DOCUMENT
from nodes.text import page_template
from trainer.settings import DEFAULT_MINUTES, TrainSettings

State = Literal["done", "failed", "to do", "media missing", "disabled", "no cast"]
_LOOKING = 120.0  # seconds, after which shots are no longer looked at
# Frames a second of two cores without a GPU, as README.md tells: `bench_detect_align.py` at 1920x1080, the stage `swap` of `bench_shot.py` at 1280x720.
_DETECT, _DETECT_SIZE = 114.0, 1920 * 1080
_SWAP, _SWAP_SIZE = 20.0, 1280 * 720
_USUAL_SIZE, _SMALLEST = 1920 * 1080, 640 * 480  # the networks cost the same at any size


class PlannedEdit(DocumentPart):
    """The edit. digest: of its bytes."""

    path: Path
    digest: str


class PlaceInEdit(DocumentPart):
    """Where a shot is in the edit, in frames from 0. frames: how many, with those in transitions before and behind."""

    first: int
    frames: int
    transitions: tuple[int, int]


class PlannedShot(DocumentPart):
    """A shot and what a run would do with it. faces: how many at most in one of the frames looked_at. trains: whether a model is trained for it. seconds: estimated.

    The rest is not in the document: begin, end are timecodes, handles frames on either side, picture a JPEG.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    where: tuple[int, ...]
    state: State
    enabled: bool
    media: Media
    rate: Fraction
    record: PlaceInEdit
    span: tuple[int, int]
    cast: tuple[Casting, ...]
    faces: int | None
    looked_at: tuple[int, ...]
    analysed: bool
    trains: bool
    seconds: float
    problems: tuple[str, ...]
    begin: str = Field(exclude=True)
    end: str = Field(exclude=True)
    handles: int = Field(exclude=True)
    picture: bytes = Field(exclude=True)

    @property
    def picture_url(self) -> str:
        """The picture as an address; empty without one."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.picture).decode()}" if self.picture else ""


class RunPlan(DocumentPart):
    """What a run of an edit in the folder `out` would do. missing: media that were not found. saved_seconds: of trainings that shots share."""

    schema_: str = Field(default="faceplate.timeline-plan/1", alias="schema")
    edit: PlannedEdit
    rate: Fraction
    notes: tuple[str, ...]
    out: Path
    performers: dict[str, PerformerFootage]
    shots: tuple[PlannedShot, ...]
    missing: tuple[str, ...]
    seconds: int
    saved_seconds: int
    estimated_by: str
    name: str = Field(exclude=True)

    @property
    def with_cast(self) -> int:
        """How many shots have a cast."""
        return sum(bool(shot.cast) for shot in self.shots)


def make_plan(
    cast_edit: CastEdit,
    out: Path,
    *,
    look: bool = True,
    pictures: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> RunPlan:
    """Plan a run. look: for faces, in a few frames of each shot, those with a cast first, for two minutes at most. pictures: one of each shot.

    progress: told shots looked at, and how many there are. Raises SchemaError for a state in `out` that cannot be read.
    """
    edit, shots, performers = cast_edit.edit, cast_edit.shots, cast_edit.performers
    before = load(out).shots if document_path(out).exists() else ()
    looks = _looks(shots, look, pictures, progress)
    consent = Refusals(RunContext(out, performers, RunSettings(), TrainSettings(), Settings(), Watch()))
    states = {shot.id: _state(shot, before, out, consent) for shot in shots}
    training, known_by = _training_seconds(out)
    learned, planned, saved = set(), {}, 0.0
    for shot in in_order(wanted(shots)):
        if states[shot.id] not in ("to do", "failed"):  # a run tries again what failed
            continue
        sources = [c.source for c in shot.cast]
        fresh = [s for s in dict.fromkeys(sources) if s not in learned and not _has_model(out, s)]
        learned.update(fresh)
        saved += training * (len(sources) - len(fresh))
        planned[shot.id] = (bool(fresh), _swap_seconds(shot, looks[shot.id]) + training * len(fresh))
    start = edit.timeline.global_start_time
    origin = Fraction(0) if start is None else seconds(start, "the start of the edit")
    drop = is_drop_frame(edit.timeline)

    def plan_shot(shot: Shot) -> PlannedShot:
        seen = looks[shot.id]
        trains, estimate = planned.get(shot.id, (False, 0.0))
        first = nearest(origin * shot.rate) + shot.record[0]
        begin, end = (timecode_of(n, shot.rate, drop=drop) for n in (first, first + shot.record[1]))
        return PlannedShot(
            id=shot.id,
            name=shot.name,
            where=shot.where,
            state=states[shot.id],
            enabled=shot.enabled,
            media=shot.media,
            rate=shot.rate,
            record=PlaceInEdit(first=shot.record[0], frames=shot.record[1], transitions=shot.transitions),
            span=shot.span,
            cast=shot.cast,
            faces=seen.faces,
            looked_at=seen.frames,
            analysed=seen.analysed,
            trains=trains,
            seconds=round(estimate, 1),
            problems=_problems(shot, seen, states[shot.id], performers, consent),
            begin=begin,
            end=end,
            handles=shot.handles,
            picture=seen.picture,
        )

    return RunPlan(
        edit=PlannedEdit(path=edit.path, digest=edit.digest),
        rate=sequence_rate(edit.timeline),
        notes=edit.notes,
        out=out,
        performers={name: PerformerFootage(footage=footage) for name, footage in performers.items()},
        shots=tuple(map(plan_shot, shots)),
        missing=tuple(dict.fromkeys(s.media.url for s in shots if s.media.path is None and s.media.url)),
        seconds=round(sum(estimate for _, estimate in planned.values())),
        saved_seconds=round(saved),
        estimated_by=known_by,
        name=edit.timeline.name or edit.path.stem,
    )


def page(plan: RunPlan) -> str:
    """Show the plan as one HTML page, whole in one file."""
    return page_template("host_bridge.timeline", "plan.html.jinja").render(
        plan=plan,
        rate=f"{float(plan.shots[0].rate):.3f}".rstrip("0").rstrip(".") if plan.shots else "",
        to_do=sum(shot.state == "to do" for shot in plan.shots),
        done=sum(shot.state == "done" for shot in plan.shots),
        duration=duration,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def duration(time: float) -> str:
    """Say seconds as people do: `50 s`, `12 min`, `1 h 5 min`."""
    if time < 90:
        return f"{time:.0f} s"
    minutes = round(time / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _looks(
    shots: Sequence[Shot], look: bool, pictures: bool, progress: Callable[[int, int], None]
) -> dict[str, QuickLook]:
    looks: dict[str, QuickLook] = {}
    seen: dict[object, QuickLook] = {}
    began = time.monotonic()
    for number, shot in enumerate(sorted(shots, key=lambda s: not (s.cast and s.enabled)), 1):
        place = (shot.media.path, shot.span, shot.frames[len(shot.frames) // 2])
        if not (look or pictures) or time.monotonic() - began > _LOOKING:
            looks[shot.id] = QuickLook(problem="media missing" if shot.media.path is None else "")
        else:
            looks[shot.id] = seen[place] if place in seen else seen.setdefault(place, look_at(shot, faces=look))
            progress(number, len(shots))
    return looks


def _state(shot: Shot, before: Sequence[ShotRecord], out: Path, consent: Refusals) -> State:
    if shot.media.path is None:
        return "media missing"
    if not shot.cast:
        return "no cast"
    if not shot.enabled:
        return "disabled"
    cast, path = [(c.target, c.source, c.tracks) for c in shot.cast], shot.media.path.absolute()
    for old in before:
        same = old.media.path == path and [(c.target, c.source, c.tracks) for c in old.cast] == cast
        if same and old.span[0] <= min(shot.frames) and max(shot.frames) <= old.span[1]:
            if old.state == "done" and old.folder is not None and (out / old.folder / DOCUMENT).is_file():
                return "done" if consent.counts(shot, out / old.folder) else "to do"
            if old.state == "failed" and old.id == shot.id:
                return "failed"
    return "to do"


def _problems(
    shot: Shot, look: QuickLook, state: State, performers: Mapping[str, Sequence[Path]], consent: Refusals
) -> tuple[str, ...]:
    problems = [look.problem] if look.problem and look.problem != "media missing" else []
    if state in ("to do", "failed"):
        nobody = [c.source for c in shot.cast if not performers.get(c.source)]
        problems += [
            f"no footage of {name}: name it with --source {name}=FOOTAGE or in the cast file" for name in nobody
        ]
        absent = [p for c in shot.cast for p in performers.get(c.source, ()) if not _is_there(p)]
        problems += [f"footage is missing: {path}" for path in dict.fromkeys(absent)]
        refusal = consent.refusal(shot) if not nobody and not absent else None
        problems += [refusal] if refusal else []
        if look.faces == 0:
            problems.append(f"no face in the {len(look.frames)} frames that were looked at")
        if len(shot.cast) > 1 and not all(c.tracks for c in shot.cast):
            problems.append("several people are replaced, and it is not said which track is whose")
    return (*problems, *shot.notes)


def _is_there(path: Path) -> bool:
    try:
        return path.exists() or "%" in path.name or "#" in path.name
    except (OSError, ValueError):
        return False


# --- how long it takes ---


def _training_seconds(out: Path) -> tuple[float, str]:
    """Estimate a training, and say by what: by those that this run's folder has seen, else by a training's usual end."""
    took = sorted(filter(None, (_took(mark) for mark in (out / MODELS).glob("*/*/finished.json"))))
    speeds = "detection and swap by the figures of two cores without a GPU"
    if took:
        return took[len(took) // 2], f"trainings as those in {out.name} took; {speeds}"
    return 60 * DEFAULT_MINUTES, f"a training of {DEFAULT_MINUTES:g} minutes; {speeds}"


def _took(mark: Path) -> float | None:
    try:
        return float(json.loads(mark.read_bytes())["result"]["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _has_model(out: Path, source: str) -> bool:
    """Tell whether a training of the usual model, which learns from the source alone, is finished in a run's folder."""
    return any((out / MODELS / file_name(source)).glob("base-*/finished.json"))


def _swap_seconds(shot: Shot, look: QuickLook) -> float:
    """Estimate detection, alignment and swap of a shot, without a training."""
    frames = shot.span[1] - shot.span[0] + 1
    pixels = _USUAL_SIZE if look.size is None else max(look.size[0] * look.size[1], _SMALLEST)
    analysis = 0.0 if look.analysed else frames / _DETECT * pixels / _DETECT_SIZE
    return analysis + frames / _SWAP * pixels / _SWAP_SIZE * len(shot.cast)
