"""Decides what a menu script in Resolve does: the script says what is open, and gets the jobs to run, or in words why not.

Scripts in Lua and in Python gather the same facts, run the jobs, and place results; all decisions are here, once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, field_validator

from host_bridge.client import sentence
from host_bridge.jobs.consent import PerformersRequest, look_up_performers
from host_bridge.jobs.job import Request, Result, as_document
from host_bridge.reporting import Watch
from host_bridge.session import consent_request, consent_summary, training_jobs
from host_bridge.timeline.shots.cast import face_notes
from nodes.errors import ConsentError, FaceplateError

MOST_ASKED = 60  # clips of a timeline about which consent is asked beforehand
_BY_EXPORT = "Use Export timeline to Faceplate, which"


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _empty_list(cls, value: Any) -> Any:
        """Lua writes an empty list as it writes an empty object."""
        return () if value == {} else value


class ResolveMarker(_Facts):
    """A marker, its frame counted from the beginning of what it is on."""

    frame: float
    duration: float = 1
    name: str = ""
    note: str = ""


class ResolveClip(_Facts):
    """A clip of a timeline. path: its footage, a pattern if `sequence`; empty without any.

    begin, duration: in the timeline. first, last: frames of the footage that are shown, as Resolve counts; start: what it counts the footage's
    first as; frames: how many there are; rate: frames a second.
    """

    name: str
    path: Path | None = None
    sequence: bool = False
    begin: int = 0
    duration: int = 1
    first: int = 0
    last: int = 0
    start: int = 0
    frames: int | None = None
    rate: float | None = None
    markers: tuple[ResolveMarker, ...] = ()


class ResolveRequest(Request, _Facts):
    """What is open in Resolve, and what is wanted with it.

    clips: those that are chosen, of an export all. sources: the Media Pool's selection. edit: where the timeline will be written, without ending.
    """

    action: Literal["replace", "take", "train", "export"]
    project: str
    timeline: str
    rate: float
    start: int = 0
    results: Path
    edit: Path
    handles: int
    minutes: float
    method: str
    clips: tuple[ResolveClip, ...] = ()
    sources: tuple[Path, ...] = ()
    markers: tuple[ResolveMarker, ...] = ()

    @property
    def title(self) -> str:
        """What it is about."""
        return f"{self.action} in {self.timeline}"


class ShownFrames(Result):
    """The frames of its footage that a clip shows. clip: which of the request's clips it is, counted from 1.

    By Faceplate's numbers first is the first frame shown, low to high are those with handles. count: how many are shown. rate: frames a second.
    """

    clip: int
    name: str
    first: int
    low: int
    high: int
    count: int
    rate: float


class ResolveJob(Result):
    """A job for the script to submit."""

    name: str
    kind: str
    request: dict[str, JsonValue]


class ResolvePlan(Result):
    """What the script does. said: what it tells the user. jobs: those of a training each need the one before. skipped: why clips cannot be done."""

    allowed: bool = True
    said: str = ""
    skipped: Sequence[str] = ()
    clips: Sequence[ShownFrames] = ()
    jobs: Sequence[ResolveJob] = ()


class _Refused(Exception):
    """Why nothing is done, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{sentence(what)} {sentence(remedy)}")
        self.brief = f"{what}. {remedy}"


@dataclass(frozen=True)
class NamedCast:
    """Who is replaced by whom, by names or ids; None where nobody says it."""

    target: str | None = None
    source: str | None = None
    tracks: tuple[int, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """As parameters of Swap."""
        names = {"target_performer": self.target, "source_performer": self.source}
        return {name: who for name, who in names.items() if who}


def casts_in(text: str) -> list[NamedCast]:
    """What a text of a marker says, as docs/timeline.md has it; either half of a word counts here."""
    notes = face_notes(text)
    tracks = (re.findall(r"\d+", note.get("track") or note.get("tracks") or "") for note in notes)
    return [
        NamedCast(note.get("target") or None, note.get("source") or None, tuple(map(int, numbers)))
        for note, numbers in zip(notes, tracks, strict=True)
    ]


def decide(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    """Decide what a menu script in Resolve does, by what is open there and by the records of consent."""
    actions = {"train": _train, "export": _export, "replace": _replace, "take": _replace}
    try:
        return actions[request.action](request, watch)
    except _Refused as e:
        return ResolvePlan(allowed=False, said=str(e))


# ---- the three scripts


def _replace(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    chosen, skipped = [], []
    for number, clip in enumerate(request.clips, 1):
        try:
            chosen.append((clip, _frames(request, number, clip), _one_cast_of(request, clip)))
        except _Refused as e:
            skipped.append(e.brief)
    if not chosen:
        raise _Refused(". ".join(skipped), "Choose other clips")
    source = _sources(request, {clip.path for clip, _, _ in chosen})[0]
    jobs, asked = [], []
    near = request.results / file_name(request.project) / file_name(request.timeline)
    for clip, frames, cast in chosen:
        swap = cast.parameters()
        model = _training(request, source, clip.path) / "model" / "model.onnx"
        if model.is_file():
            swap["model"] = str(model)
        take, span = request.action == "take", f"{frames.low}-{frames.high}"
        # A folder of its own for a take: what lies above a clip already must not go when one is rendered.
        out = near / f"{file_name(clip.name)}-{span}{'-take' if take else ''}"
        job: dict[str, JsonValue] = {"plate": str(clip.path), "source": str(source), "range": span, "out": str(out)}
        job |= {"overlay": not take, "frames": take}
        job |= {"rate": f"{frames.rate:g}"} if clip.sequence else {}
        job |= {"tracks": list(cast.tracks)} if cast.tracks else {}
        job |= {"settings": {"swap": swap}} if swap else {}
        jobs.append(ResolveJob(name=f"clip-{frames.clip}", kind="swap", request=job))
        asked.append((clip.name, consent_request(str(clip.path), str(source), near, swap)))
    said = _allowed(asked, watch)
    return ResolvePlan(said=said, skipped=skipped, clips=[frames for _, frames, _ in chosen], jobs=jobs)


def _train(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    targets = list(dict.fromkeys(clip.path for clip in request.clips if clip.path))
    if not targets:
        remedy = "Choose clips of the performer whose face is replaced"
        raise _Refused("no chosen clip has footage of its own", remedy)
    sources = _sources(request, set(targets))
    swap = _common_cast(request).parameters()
    out = _training(request, sources[0], targets[0])
    asked = []
    for k in range(max(len(sources), len(targets))):
        source, target = sources[min(k, len(sources) - 1)], targets[min(k, len(targets) - 1)]
        wanted = consent_request(str(target), str(source), out, swap, train=True)
        asked.append((f"{_called(source)} on {_called(target)}", wanted))
    said = _allowed(asked, watch)
    clips = {"source": [(str(path), None) for path in sources], "target": [(str(path), None) for path in targets]}
    jobs = training_jobs(out, clips, swap, request.minutes, rate=f"{request.rate:g}")
    names = ("source", "target", "train")
    named = [ResolveJob(name=n, kind=kind, request=job) for n, (kind, job) in zip(names, jobs, strict=True)]
    return ResolvePlan(said=said, jobs=named)


def _export(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    base = str(request.edit)
    job: dict[str, Any] = {"edit": f"{base}.otio", "out": f"{base}.faceplate"}
    job |= {"export": {"profile": "resolve", "out": f"{base}.faceplate.otio"}}
    job |= {"run": {"method": request.method}, "train": {"minutes": request.minutes}}
    notes = [*_said_by(request.markers), *(cast for clip in request.clips for cast in _said_by(clip.markers))]
    named = sorted({cast.source for cast in notes if cast.target and cast.source})
    source, name = next(iter(request.sources), None), None  # without one, markers in the timeline say it
    if source:
        name = _source_name(named, source, request.edit, watch)
        job["performers"] = {name or _called(source): [str(path) for path in request.sources]}
        if not named:
            job["source"] = name or _called(source)
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for clip in request.clips:
        whole = [cast for cast in _casts_of(request, clip) if cast.target and cast.source]
        for cast in (whole if named else [NamedCast()]) if clip.path else ():
            swap = NamedCast(cast.target, cast.source or name).parameters()
            wanted = consent_request(str(clip.path), str(source) if source else None, job["out"], swap)
            asked.setdefault(json.dumps(wanted, sort_keys=True), (clip.name, wanted))
    ask = (source or named) and len(asked) <= MOST_ASKED  # of more the engine asks as it comes to them
    said = _allowed(list(asked.values()), watch) if ask else ""
    return ResolvePlan(said=said, jobs=[ResolveJob(name="timeline", kind="timeline", request=job)])


# ---- footage


def _frames(request: ResolveRequest, number: int, clip: ResolveClip) -> ShownFrames:
    """The frames that a clip shows, by the numbers of the files, or counted from 0. Raises _Refused."""
    if clip.path is None:
        remedy = "Titles, generators and compound clips go by Export timeline to Faceplate"
        raise _Refused(f"{clip.name}: has no footage of its own", remedy)
    rate = clip.rate or request.rate
    count = max(int(clip.duration * rate / request.rate + 0.5), 1)
    first, last = clip.first - clip.start, clip.last - clip.start
    if last < first or abs(last - first - count) > 1:
        raise _Refused(f"{clip.name}: its speed was changed", f"{_BY_EXPORT} follows speed changes")
    low, high = max(first - request.handles, 0), first + count - 1 + request.handles
    high = min(high, clip.frames - 1) if clip.frames else high
    numbered = clip.start if clip.sequence else 0
    spans = {"first": numbered + first, "low": numbered + low, "high": numbered + high}
    return ShownFrames(clip=number, name=clip.name, **spans, count=count, rate=rate)


def _sources(request: ResolveRequest, plates: set[Path | None]) -> list[Path]:
    """The source performer's footage: what is selected in the Media Pool, without the plates. Raises _Refused."""
    sources = [path for path in request.sources if path not in plates]
    if not sources:
        what = "Select the footage of the performer whose face is put in, in the Media Pool"
        raise _Refused("no source is chosen", what)
    return sources


def _training(request: ResolveRequest, source: Path, plate: Path | None) -> Path:
    """The folder of the training for this pair of clips."""
    pair = f"{file_name(source.stem)}-on-{file_name(plate.stem if plate else '')}"
    return request.results / file_name(request.project) / "training" / pair


def _called(path: Path) -> str:
    return path.name.partition(".")[0]


def file_name(text: str) -> str:
    """A name that is fit for a file on every system."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", text).strip("-")[:60] or "untitled"


# ---- who is who


def _said_by(markers: Sequence[ResolveMarker], span: tuple[int, int] | None = None) -> list[NamedCast]:
    """What markers say, those that touch the frames of `span`, first and last; all of them without it."""
    near = (m for m in markers if span is None or (m.frame <= span[1] and m.frame + max(m.duration, 1) > span[0]))
    return [cast for marker in near for text in (marker.name, marker.note) for cast in casts_in(text)]


def _casts_of(request: ResolveRequest, clip: ResolveClip) -> list[NamedCast]:
    """All that is said of a clip: by its own markers, else by those of the timeline that touch it."""
    start = clip.begin - request.start
    return _said_by(clip.markers) or _said_by(request.markers, (start, start + clip.duration - 1))


def _one_cast_of(request: ResolveRequest, clip: ResolveClip) -> NamedCast:
    """Who is replaced by whom in a clip, where only one may be. Raises _Refused."""
    casts = _casts_of(request, clip)
    if len(casts) > 1:
        raise _Refused(f"{clip.name}: markers name more than one replacement", f"{_BY_EXPORT} does several")
    return casts[0] if casts else NamedCast()


def _common_cast(request: ResolveRequest) -> NamedCast:
    """One cast for all chosen clips: a model is of one pair. Raises _Refused."""
    casts = [_one_cast_of(request, clip) for clip in request.clips]
    pair: dict[str, str | None] = {}
    for role in ("target", "source"):
        names = sorted({name for cast in casts if (name := getattr(cast, role))})
        if len(names) > 1:
            what = f"the chosen clips are of two performers, {names[0]} and {names[1]}"
            raise _Refused(what, "Choose the clips of one pair")
        pair[role] = next(iter(names), None)
    return NamedCast(pair["target"], pair["source"])


def _source_name(named: Sequence[str], source: Path, near: Path, watch: Watch) -> str | None:
    """Whose the chosen footage is: the only source whom markers name; else the performer whom it is called after. Raises _Refused."""
    if len(named) > 1:
        what = f"markers name several sources, and the Media Pool's selection is of one: {', '.join(named)}"
        remedy = "Select nothing, and give their footage in a cast file; docs/timeline.md tells how"
        raise _Refused(what, remedy)
    if named:
        return named[0]
    known = next(_answers([("", {"near": str(near), "source": str(source)})], watch), ("", {}))[1]
    names = (str(performer["name"]) for performer in known.get("performers", ()))
    return next((name for name in names if name.lower() == _called(source).lower()), None)


def _answers(asked: Sequence[tuple[str, dict[str, Any]]], watch: Watch) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the records of consent say of each clip; nothing of footage that cannot be read, which is told where it is used."""
    for name, request in asked:
        try:
            yield name, as_document(look_up_performers(PerformersRequest.model_validate(request), watch))
        except ConsentError as e:
            yield name, {"allowed": False, "said": str(e)}
        except FaceplateError:
            continue


def _allowed(asked: Sequence[tuple[str, dict[str, Any]]], watch: Watch) -> str:
    """Say who would be used by which consents; each by the name of a clip, with a request of `performers`. Raises _Refused with what is missing."""
    allowed, said = consent_summary(_answers(asked, watch))
    if not allowed:
        raise _Refused(said, "Nothing was changed")
    return said
