"""The plan itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from host_bridge.reporting import Watch
from host_bridge.timeline import document
from host_bridge.timeline.consent import Refusals
from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.plan.estimate import Rates, has_model, rates_of
from host_bridge.timeline.plan.look import Look, look_at
from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.run.order import in_order, wanted
from host_bridge.timeline.run.work import Work
from host_bridge.timeline.settings import RunSettings
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.shot import Shot
from nodes.definitions import Settings
from nodes.errors import FaceplateError
from nodes.parts import DOCUMENT
from trainer.settings import TrainSettings

SCHEMA = "faceplate.timeline-plan/1"
State = Literal["done", "failed", "to do", "media missing", "disabled", "no cast"]
_LOOKING = 120.0  # seconds, after which shots are no longer looked at


@dataclass(frozen=True, slots=True)
class PlannedShot:
    """A shot and what a run would do with it. seconds: estimated; trains: whether a model is trained for it. problems: in words."""

    shot: Shot
    state: State
    look: Look
    trains: bool
    seconds: float
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of an edit in the folder `out` would do. saved: seconds that shots save which need no training of their own."""

    edit: Edit
    out: Path
    shots: tuple[PlannedShot, ...]
    performers: Mapping[str, Sequence[Path]]
    known_by: str
    saved: float

    @property
    def seconds(self) -> float:
        """How long it will take, as far as that can be said."""
        return sum(shot.seconds for shot in self.shots)

    @property
    def missing(self) -> list[str]:
        """The media that were not found, each once."""
        return list(
            dict.fromkeys(p.shot.media.url for p in self.shots if p.shot.media.path is None and p.shot.media.url)
        )

    def as_json(self) -> dict[str, Any]:
        """The same as a document, `faceplate.timeline-plan/1`."""
        return {
            "schema": SCHEMA,
            "edit": {"path": str(self.edit.path), "digest": self.edit.digest},
            "rate": str(sequence_rate(self.edit.timeline)),
            "notes": list(self.edit.notes),
            "out": str(self.out),
            "performers": {n: {"footage": [str(p) for p in f]} for n, f in self.performers.items()},
            "shots": [_as_json(shot) for shot in self.shots],
            "missing": self.missing,
            "seconds": round(self.seconds),
            "saved_seconds": round(self.saved),
            "estimated_by": self.known_by,
        }


def make_plan(
    edit: Edit,
    shots: Sequence[Shot],
    performers: Mapping[str, Sequence[Path]],
    out: Path,
    *,
    look: bool = True,
    pictures: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Plan:
    """Plan a run. look: for faces, in a few frames of each shot, those with a cast first, for two minutes at most. pictures: one of each shot.

    progress: told shots looked at, and how many there are. Raises SchemaError for a state in `out` that cannot be read.
    """
    before = document.load(out).shots if document.document_path(out).exists() else ()
    looks = _looks(shots, look, pictures, progress)
    told = {name: tuple(footage) for name, footage in performers.items()}
    consent = Refusals(Work(out, told, RunSettings(), TrainSettings(), Settings(), Watch()))
    states = {shot.id: _state(shot, before, out, consent) for shot in shots}
    rates = rates_of(out)
    learned, planned, saved = set(), {}, 0.0
    for shot in in_order(wanted(shots)):
        if states[shot.id] not in ("to do", "failed"):  # a run tries again what failed
            continue
        sources = [c.source for c in shot.cast]
        fresh = [s for s in dict.fromkeys(sources) if s not in learned and not has_model(out, s)]
        learned.update(fresh)
        saved += rates.training * (len(sources) - len(fresh))
        planned[shot.id] = (bool(fresh), _seconds(shot, looks[shot.id], rates) + rates.training * len(fresh))
    found = tuple(
        PlannedShot(
            shot,
            states[shot.id],
            looks[shot.id],
            *planned.get(shot.id, (False, 0.0)),
            problems=_problems(shot, looks[shot.id], states[shot.id], performers, consent),
        )
        for shot in shots
    )
    return Plan(edit, out, found, performers, rates.known_by, saved)


def _looks(shots: Sequence[Shot], look: bool, pictures: bool, progress: Callable[[int, int], None]) -> dict[str, Look]:
    found: dict[str, Look] = {}
    seen: dict[object, Look] = {}
    began = time.monotonic()
    for number, shot in enumerate(sorted(shots, key=lambda s: not (s.cast and s.enabled))):
        place = (shot.media.path, shot.span, shot.frames[len(shot.frames) // 2])
        if not (look or pictures) or time.monotonic() - began > _LOOKING:
            found[shot.id] = Look(problem="media missing" if shot.media.path is None else "")
        else:
            found[shot.id] = seen[place] if place in seen else seen.setdefault(place, look_at(shot, faces=look))
            progress(number + 1, len(shots))
    return found


def _state(shot: Shot, before: Sequence[ShotRecord], out: Path, consent: Refusals) -> State:
    if shot.media.path is None:
        return "media missing"
    if not shot.cast:
        return "no cast"
    if not shot.enabled:
        return "disabled"
    cast = [(c.target, c.source, c.tracks) for c in shot.cast]
    for old in before:
        same = (
            old.media.path == shot.media.path.absolute() and [(c.target, c.source, c.tracks) for c in old.cast] == cast
        )
        if same and old.span[0] <= min(shot.frames) and max(shot.frames) <= old.span[1]:
            if old.state == "done" and old.folder is not None and (out / old.folder / DOCUMENT).is_file():
                return "done" if consent.counts(shot, out / old.folder) else "to do"
            if old.state == "failed" and old.id == shot.id:
                return "failed"
    return "to do"


def _seconds(shot: Shot, look: Look, rates: Rates) -> float:
    frames = shot.span[1] - shot.span[0] + 1
    analysis = 0.0 if look.analysed else rates.analysis(frames, look.size)
    return analysis + rates.swap(frames, look.size) * len(shot.cast)


def _problems(
    shot: Shot, look: Look, state: State, performers: Mapping[str, Sequence[Path]], consent: Refusals
) -> tuple[str, ...]:
    told = [look.problem] if look.problem and look.problem != "media missing" else []
    if state in ("to do", "failed"):
        nobody = [c.source for c in shot.cast if not performers.get(c.source)]
        told += [f"no footage of {name}: name it with --source {name}=FOOTAGE or in the cast file" for name in nobody]
        absent = [p for c in shot.cast for p in performers.get(c.source, ()) if not _is_there(p)]
        told += [f"footage is missing: {path}" for path in dict.fromkeys(absent)]
        refusal = consent.refusal(shot) if not nobody and not absent else None
        told += [refusal] if refusal else []
        if look.faces == 0:
            told.append(f"no face in the {len(look.frames)} frames that were looked at")
        if len(shot.cast) > 1 and not all(c.tracks for c in shot.cast):
            told.append("several people are replaced, and it is not said which track is whose")
    return (*told, *shot.notes)


def _is_there(path: Path) -> bool:
    try:
        return path.exists() or "%" in path.name or "#" in path.name
    except (OSError, ValueError, FaceplateError):
        return False


def _as_json(planned: PlannedShot) -> dict[str, Any]:
    shot, look = planned.shot, planned.look
    media = shot.media
    return {
        "id": shot.id,
        "name": shot.name,
        "where": list(shot.where),
        "state": planned.state,
        "enabled": shot.enabled,
        "media": {
            "url": media.url,
            "path": None if media.path is None else str(media.path),
            "key": media.key,
            "rate": str(media.rate),
            "start": media.start,
            "frames": media.frames,
        },
        "rate": str(shot.rate),
        "record": {"first": shot.record[0], "frames": shot.record[1], "transitions": list(shot.transitions)},
        "span": list(shot.span),
        "cast": [{"target": c.target, "source": c.source, "tracks": list(c.tracks), "said": c.said} for c in shot.cast],
        "faces": look.faces,
        "looked_at": list(look.frames),
        "analysed": look.analysed,
        "trains": planned.trains,
        "seconds": round(planned.seconds, 1),
        "problems": list(planned.problems),
    }
