"""The plan of a run, `faceplate.timeline-plan/1`: shots, cast, faces at a quick look, finished work, and estimated time.

Nothing here changes the run's folder.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from host_bridge.reporting import Watch
from host_bridge.timeline.cast_edit import CastEdit
from host_bridge.timeline.consent import Refusals
from host_bridge.timeline.document import (
    MARK,
    DocumentPart,
    EditRecord,
    PerformerFootage,
    ShotRecord,
    document_path,
    load,
    read_mark,
)
from host_bridge.timeline.read.edl import is_drop_frame
from host_bridge.timeline.read.model import nearest, start_of_edit
from host_bridge.timeline.run.context import MODELS, RunContext, file_name
from host_bridge.timeline.run.runner import cast_shots, in_order
from host_bridge.timeline.settings import RunSettings
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.shot import Casting, Media, Shot
from nodes.definitions import DetectParameters, Settings
from nodes.detect import detect
from nodes.detect.kept import is_analysed
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage, open_footage
from nodes.footage.numbering import has_place
from nodes.footage.rates import timecode_of
from nodes.parts import DOCUMENT
from nodes.text import page_template
from trainer.settings import DEFAULT_MINUTES, TrainSettings

State = Literal["done", "failed", "to do", "media missing", "disabled", "no cast"]
_LOOK_LIMIT = 120.0  # seconds, after which no further shots are looked at
_WIDTH = 320
_PLACES = (0.5, 0.15, 0.85)  # as fractions of the shot; the plan shows the first
# Frames per second of two cores without a GPU, as in README.md: `bench_detect_align.py` at 1920x1080, the stage `swap` of `bench_shot.py` at 1280x720.
_DETECT, _DETECT_SIZE = 114.0, 1920 * 1080
_SWAP, _SWAP_SIZE = 20.0, 1280 * 720
_USUAL_SIZE, _SMALLEST = 1920 * 1080, 640 * 480  # the networks cost the same at any size


class PlaceInEdit(DocumentPart):
    """The place of a shot in the edit, in frames from 0. frames: their number, with transitions. transitions: frames before and after."""

    first: int
    frames: int
    transitions: tuple[int, int]


class PlannedShot(DocumentPart):
    """A shot and its planned work. faces: most faces in one of the frames looked_at. trains: whether a model is trained for it. seconds: estimated.

    Not in the document: begin, end are timecodes, handles frames on either side, picture a JPEG.
    """

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
        """The picture as a data URL; empty without one."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.picture).decode()}" if self.picture else ""


class RunPlan(DocumentPart):
    """The plan of a run of an edit in the folder `out`. missing: media that were not found. saved_seconds: of trainings that shots share."""

    schema_: str = Field(default="faceplate.timeline-plan/1", alias="schema")
    edit: EditRecord
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
        """The number of shots with a cast."""
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

    progress: called with the shots looked at, and their total. Raises SchemaError for a state in `out` that cannot be read.
    """
    edit, shots, performers = cast_edit.edit, cast_edit.shots, cast_edit.performers
    before = load(out).shots if document_path(out).exists() else ()
    looks = _looks(shots, look, pictures, progress)
    consent = Refusals(RunContext(out, performers, RunSettings(), TrainSettings(), Settings(), Watch()))
    states = {shot.id: _state(shot, before, out, consent) for shot in shots}
    training, basis = _training_seconds(out)
    trained, planned, saved = set(), {}, 0.0
    for shot in in_order(cast_shots(shots)):
        if states[shot.id] not in ("to do", "failed"):  # a run retries failed shots
            continue
        sources = [c.source for c in shot.cast]
        fresh = [s for s in dict.fromkeys(sources) if s not in trained and not _has_model(out, s)]
        trained.update(fresh)
        saved += training * (len(sources) - len(fresh))
        planned[shot.id] = (bool(fresh), _swap_seconds(shot, looks[shot.id]) + training * len(fresh))
    rate, origin, drop = sequence_rate(edit.timeline), start_of_edit(edit.timeline), is_drop_frame(edit.timeline)

    def plan_shot(shot: Shot) -> PlannedShot:
        look = looks[shot.id]
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
            faces=look.faces,
            looked_at=look.frames,
            analysed=look.analysed,
            trains=trains,
            seconds=round(estimate, 1),
            problems=_problems(shot, look, states[shot.id], performers, consent),
            begin=begin,
            end=end,
            handles=shot.handles,
            picture=look.picture,
        )

    return RunPlan(
        edit=EditRecord(path=edit.path, digest=edit.digest, rate=rate),
        rate=rate,
        notes=edit.notes,
        out=out,
        performers={name: PerformerFootage(footage=footage) for name, footage in performers.items()},
        shots=tuple(map(plan_shot, shots)),
        missing=tuple(dict.fromkeys(s.media.url for s in shots if s.media.path is None and s.media.url)),
        seconds=round(sum(estimate for _, estimate in planned.values())),
        saved_seconds=round(saved),
        estimated_by=basis,
        name=edit.timeline.name or edit.path.stem,
    )


def page(plan: RunPlan) -> str:
    """Render the plan as one self-contained HTML page."""
    return page_template("host_bridge.timeline", "plan.html.jinja").render(
        plan=plan,
        rate=f"{float(plan.shots[0].rate):.3f}".rstrip("0").rstrip(".") if plan.shots else "",
        to_do=sum(shot.state == "to do" for shot in plan.shots),
        done=sum(shot.state == "done" for shot in plan.shots),
        duration=duration,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def duration(time: float) -> str:
    """Format seconds as `50 s`, `12 min` or `1 h 5 min`."""
    if time < 90:
        return f"{time:.0f} s"
    minutes = round(time / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _looks(
    shots: Sequence[Shot], look: bool, pictures: bool, progress: Callable[[int, int], None]
) -> dict[str, _QuickLook]:
    looks: dict[str, _QuickLook] = {}
    by_place: dict[object, _QuickLook] = {}
    began = time.monotonic()
    for number, shot in enumerate(sorted(shots, key=lambda s: not (s.cast and s.enabled)), 1):
        place = (shot.media.path, shot.span, shot.frames[len(shot.frames) // 2])
        if not (look or pictures) or time.monotonic() - began > _LOOK_LIMIT:
            looks[shot.id] = _QuickLook(problem="media missing" if shot.media.path is None else "")
            continue
        if place not in by_place:
            by_place[place] = _look_at(shot, look)
        looks[shot.id] = by_place[place]
        progress(number, len(shots))
    return looks


def _state(shot: Shot, before: Sequence[ShotRecord], out: Path, consent: Refusals) -> State:
    if shot.media.path is None:
        return "media missing"
    if not shot.cast:
        return "no cast"
    if not shot.enabled:
        return "disabled"
    path, cast = shot.media.path.absolute(), _replacements(shot.cast)
    for old in before:
        if old.media.path != path or _replacements(old.cast) != cast:
            continue
        if old.span[0] <= min(shot.frames) and max(shot.frames) <= old.span[1]:
            if old.state == "done" and old.folder is not None and (out / old.folder / DOCUMENT).is_file():
                return "done" if consent.counts(shot, out / old.folder) else "to do"
            if old.state == "failed" and old.id == shot.id:
                return "failed"
    return "to do"


def _replacements(cast: Sequence[Casting]) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(c.target, c.source, c.tracks) for c in cast]


def _problems(
    shot: Shot, look: _QuickLook, state: State, performers: Mapping[str, Sequence[Path]], consent: Refusals
) -> tuple[str, ...]:
    problems = [look.problem] if look.problem and look.problem != "media missing" else []
    if state in ("to do", "failed"):
        nobody = [c.source for c in shot.cast if not performers.get(c.source)]
        for name in nobody:
            problems.append(f"no footage of {name}: name it with --source {name}=FOOTAGE or in the cast file")
        absent = [p for c in shot.cast for p in performers.get(c.source, ()) if not (p.exists() or has_place(p.name))]
        problems += [f"footage is missing: {path}" for path in dict.fromkeys(absent)]
        refusal = consent.refusal(shot) if not nobody and not absent else None
        problems += [refusal] if refusal else []
        if look.faces == 0:
            problems.append(f"no face in the {len(look.frames)} frames that were looked at")
        if not consent.told_apart(shot):
            problems.append("several people are replaced, and it is not said which track is whose")
    return (*problems, *shot.notes)


# --- a quick look ---


@dataclass(frozen=True, slots=True)
class _QuickLook:
    """Faces in a few frames of a shot. frames: positions looked at. faces: most in one of them. picture: JPEG of the first.

    size: width and height of the media. analysed: the whole shot was, before. problem: why the look failed.
    """

    frames: tuple[int, ...] = ()
    faces: int | None = None
    picture: bytes = b""
    size: tuple[int, int] | None = None
    analysed: bool = False
    problem: str = ""


def _look_at(shot: Shot, faces: bool) -> _QuickLook:
    """Look at a shot. faces: detect them; otherwise only render a picture of one frame."""
    if shot.media.path is None:
        return _QuickLook(problem="media missing")
    try:
        with open_footage(shot.media.path, rate=shot.media.rate) as footage:
            info, (first, end) = footage.info, shot.span
            last = info.frames - 1
            places = [min(shot.frames[int(share * (len(shot.frames) - 1))], last) for share in _PLACES]
            places = list(dict.fromkeys(places if faces else places[:1]))
            boxes = [_face_boxes(footage, place) for place in places] if faces else [[]]
            return _QuickLook(
                frames=tuple(places) if faces else (),
                faces=max(map(len, boxes)) if faces else None,
                picture=_picture(footage, places[0], boxes[0]),
                size=(info.width, info.height),
                analysed=end <= last and is_analysed(footage, first, end),
            )
    except FaceplateError as e:
        return _QuickLook(problem=str(e))


def _face_boxes(footage: Footage, place: int) -> list[np.ndarray]:
    """Return boxes x0, y0, x1, y1 of the faces in a frame."""
    tracks = detect(footage, DetectParameters(every=1), place, place).tracks
    return [track.boxes[0] for track in tracks if len(track.boxes)]


def _picture(footage: Footage, place: int, boxes: Sequence[np.ndarray]) -> bytes:
    info = footage.info
    aspect = float(info.pixel_aspect) * info.width / info.height
    width, height = _WIDTH, max(round(_WIDTH / aspect), 1)
    if height > _WIDTH:  # upright pictures
        width, height = max(round(_WIDTH * aspect), 1), _WIDTH
    small = cv2.resize(footage.frame(place).rgb8(), (width, height), interpolation=cv2.INTER_AREA)
    scale = np.array([width / info.width, height / info.height] * 2)
    for box in boxes:
        x0, y0, x1, y1 = (int(v) for v in np.asarray(box)[:4] * scale)
        cv2.rectangle(small, (x0, y0), (x1, y1), (240, 163, 94), 2, cv2.LINE_AA)
    encoded, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return data.tobytes() if encoded else b""


# --- how long it takes ---


def _training_seconds(out: Path) -> tuple[float, str]:
    """Estimate a training from earlier ones in the run's folder, else from the default length; return the basis too."""
    marks = [read_mark(path) for path in (out / MODELS).glob(f"*/*/{MARK}")]
    durations = sorted(mark.result.seconds for mark in marks if mark is not None)
    speeds = "detection and swap by the figures of two cores without a GPU"
    if durations:
        return durations[len(durations) // 2], f"trainings as those in {out.name} took; {speeds}"
    return 60 * DEFAULT_MINUTES, f"a training of {DEFAULT_MINUTES:g} minutes; {speeds}"


def _has_model(out: Path, source: str) -> bool:
    """Tell whether a training of the usual model, which learns from the source alone, is finished in a run's folder."""
    return any((out / MODELS / file_name(source)).glob(f"base-*/{MARK}"))


def _swap_seconds(shot: Shot, look: _QuickLook) -> float:
    """Estimate detection, alignment and swap of a shot, without a training."""
    frames = shot.span[1] - shot.span[0] + 1
    pixels = _USUAL_SIZE if look.size is None else max(look.size[0] * look.size[1], _SMALLEST)
    analysis = 0.0 if look.analysed else frames / _DETECT * pixels / _DETECT_SIZE
    return analysis + frames / _SWAP * pixels / _SWAP_SIZE * len(shot.cast)
