"""The job `resolve`: decide which jobs a menu script in Resolve runs, or why none, from what is open there.

Scripts in Lua and in Python gather the same facts, run the jobs, and place results; all decisions are made here.
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

_MOST_CHECKED = 60  # clips of a timeline whose consent is checked beforehand
_BY_EXPORT = "Use Export timeline to Faceplate, which"


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _empty_list(cls, value: Any) -> Any:
        """Take an empty object for an empty list, as Lua writes both alike."""
        return () if value == {} else value


class ResolveMarker(_Facts):
    """A marker, its frame counted from the beginning of its clip or timeline."""

    frame: float
    duration: float = 1
    name: str = ""
    note: str = ""


class ResolveClip(_Facts):
    """A clip of a timeline. path: its footage, a pattern if `sequence`; empty without any.

    begin, duration: in the timeline. first, last: frames of the footage that are shown, as Resolve counts; start: the number
    of the footage's first frame in that count; frames: length of the footage; rate: frames per second.
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
    """The timeline that is open in Resolve, and an action on it.

    clips: the chosen ones; for an export, all. sources: the Media Pool's selection. edit: path of the exported timeline, without suffix.
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
        """The action and the timeline."""
        return f"{self.action} in {self.timeline}"


class ClipFrames(Result):
    """The frames of its footage that a clip shows. clip: which of the request's clips it is, counted from 1.

    In Faceplate's numbers, first is the first frame shown, low to high include handles. count: frames shown. rate: frames per second.
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
    """The actions of the script. said: message for the user. jobs: each job of a training needs the one before. skipped: reasons why clips are left out."""

    allowed: bool = True
    said: str = ""
    skipped: Sequence[str] = ()
    clips: Sequence[ClipFrames] = ()
    jobs: Sequence[ResolveJob] = ()


class _Refusal(Exception):
    """Refusal of an action, with its reason and a remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{sentence(what)} {sentence(remedy)}")
        self.brief = f"{what}. {remedy}"


@dataclass(frozen=True)
class NamedCast:
    """A replacement by performers' names or ids; None where not given."""

    target: str | None = None
    source: str | None = None
    tracks: tuple[int, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return the names as parameters of Swap."""
        names = {"target_performer": self.target, "source_performer": self.source}
        return {name: who for name, who in names.items() if who}


def casts_in(text: str) -> list[NamedCast]:
    """Read the casts in a marker's text, as docs/timeline.md describes; a target or a source alone counts too."""
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
    except _Refusal as e:
        return ResolvePlan(allowed=False, said=str(e))


# ---- the three scripts


def _replace(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    chosen, skipped = [], []
    for number, clip in enumerate(request.clips, 1):
        try:
            chosen.append((clip, _frames(request, number, clip), _one_cast_of(request, clip)))
        except _Refusal as e:
            skipped.append(e.brief)
    if not chosen:
        raise _Refusal(". ".join(skipped), "Choose other clips")
    source = _sources(request, {clip.path for clip, _, _ in chosen})[0]
    jobs, checks = [], []
    near = request.results / file_name(request.project) / file_name(request.timeline)
    for clip, frames, cast in chosen:
        swap = cast.parameters()
        model = _training_folder(request, source, clip.path) / "model" / "model.onnx"
        if model.is_file():
            swap["model"] = str(model)
        take, span = request.action == "take", f"{frames.low}-{frames.high}"
        # A take has a folder of its own: rendering it must not remove results that lie above a clip.
        out = near / f"{file_name(clip.name)}-{span}{'-take' if take else ''}"
        job: dict[str, JsonValue] = {"plate": str(clip.path), "source": str(source), "range": span, "out": str(out)}
        job |= {"overlay": not take, "frames": take}
        job |= {"rate": f"{frames.rate:g}"} if clip.sequence else {}
        job |= {"tracks": list(cast.tracks)} if cast.tracks else {}
        job |= {"settings": {"swap": swap}} if swap else {}
        jobs.append(ResolveJob(name=f"clip-{frames.clip}", kind="swap", request=job))
        checks.append((clip.name, consent_request(str(clip.path), str(source), near, swap)))
    message = _check_consent(checks, watch)
    return ResolvePlan(said=message, skipped=skipped, clips=[frames for _, frames, _ in chosen], jobs=jobs)


def _train(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    targets = list(dict.fromkeys(clip.path for clip in request.clips if clip.path))
    if not targets:
        remedy = "Choose clips of the performer whose face is replaced"
        raise _Refusal("no chosen clip has footage of its own", remedy)
    sources = _sources(request, set(targets))
    swap = _common_cast(request).parameters()
    out = _training_folder(request, sources[0], targets[0])
    checks = []
    for k in range(max(len(sources), len(targets))):
        source, target = sources[min(k, len(sources) - 1)], targets[min(k, len(targets) - 1)]
        check = consent_request(str(target), str(source), out, swap, train=True)
        checks.append((f"{_stem(source)} on {_stem(target)}", check))
    message = _check_consent(checks, watch)
    clips = {"source": [(str(path), None) for path in sources], "target": [(str(path), None) for path in targets]}
    jobs = training_jobs(out, clips, swap, request.minutes, rate=f"{request.rate:g}")
    names = ("source", "target", "train")
    named_jobs = [ResolveJob(name=n, kind=kind, request=job) for n, (kind, job) in zip(names, jobs, strict=True)]
    return ResolvePlan(said=message, jobs=named_jobs)


def _export(request: ResolveRequest, watch: Watch) -> ResolvePlan:
    base = str(request.edit)
    job: dict[str, Any] = {"edit": f"{base}.otio", "out": f"{base}.faceplate"}
    job |= {"export": {"profile": "resolve", "out": f"{base}.faceplate.otio"}}
    job |= {"run": {"method": request.method}, "train": {"minutes": request.minutes}}
    places = (request.markers, *(clip.markers for clip in request.clips))
    casts = [cast for markers in places for cast in _marker_casts(markers)]
    source_names = sorted({cast.source for cast in casts if cast.target and cast.source})
    source, name = next(iter(request.sources), None), None  # without a selection, markers in the timeline name it
    if source:
        name = _source_name(source_names, source, request.edit, watch)
        job["performers"] = {name or _stem(source): [str(path) for path in request.sources]}
        if not source_names:
            job["source"] = name or _stem(source)
    checks: dict[str, tuple[str, dict[str, Any]]] = {}
    for clip in request.clips:
        complete = [cast for cast in _casts_of(request, clip) if cast.target and cast.source]
        for cast in (complete if source_names else [NamedCast()]) if clip.path else ():
            swap = NamedCast(cast.target, cast.source or name).parameters()
            check = consent_request(str(clip.path), str(source) if source else None, job["out"], swap)
            checks.setdefault(json.dumps(check, sort_keys=True), (clip.name, check))
    few = (source or source_names) and len(checks) <= _MOST_CHECKED  # the engine checks more as it comes to them
    message = _check_consent(list(checks.values()), watch) if few else ""
    return ResolvePlan(said=message, jobs=[ResolveJob(name="timeline", kind="timeline", request=job)])


# ---- footage


def _frames(request: ResolveRequest, number: int, clip: ResolveClip) -> ClipFrames:
    """Compute the frames that a clip shows, by the numbers of the files or counted from 0. Raises _Refusal."""
    if clip.path is None:
        remedy = "Titles, generators and compound clips go by Export timeline to Faceplate"
        raise _Refusal(f"{clip.name}: has no footage of its own", remedy)
    rate = clip.rate or request.rate
    count = max(int(clip.duration * rate / request.rate + 0.5), 1)
    first, last = clip.first - clip.start, clip.last - clip.start
    if last < first or abs(last - first - count) > 1:
        raise _Refusal(f"{clip.name}: its speed was changed", f"{_BY_EXPORT} follows speed changes")
    low, high = max(first - request.handles, 0), first + count - 1 + request.handles
    high = min(high, clip.frames - 1) if clip.frames else high
    numbered = clip.start if clip.sequence else 0
    spans = {"first": numbered + first, "low": numbered + low, "high": numbered + high}
    return ClipFrames(clip=number, name=clip.name, **spans, count=count, rate=rate)


def _sources(request: ResolveRequest, plates: set[Path | None]) -> list[Path]:
    """Return the source performer's footage: the Media Pool's selection without the plates. Raises _Refusal."""
    sources = [path for path in request.sources if path not in plates]
    if not sources:
        what = "Select the footage of the performer whose face is put in, in the Media Pool"
        raise _Refusal("no source is chosen", what)
    return sources


def _training_folder(request: ResolveRequest, source: Path, plate: Path | None) -> Path:
    """Return the training folder for this pair of clips."""
    pair = f"{file_name(source.stem)}-on-{file_name(plate.stem if plate else '')}"
    return request.results / file_name(request.project) / "training" / pair


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def file_name(text: str) -> str:
    """Turn a text into a file name that is valid on every system."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", text).strip("-")[:60] or "untitled"


# ---- who is who


def _marker_casts(markers: Sequence[ResolveMarker], span: tuple[int, int] | None = None) -> list[NamedCast]:
    """Read the casts in markers: those that touch the frames of `span` (first, last), or all without it."""
    near = (m for m in markers if span is None or (m.frame <= span[1] and m.frame + max(m.duration, 1) > span[0]))
    return [cast for marker in near for text in (marker.name, marker.note) for cast in casts_in(text)]


def _casts_of(request: ResolveRequest, clip: ResolveClip) -> list[NamedCast]:
    """Return the casts of a clip: from its own markers, else from those of the timeline that touch it."""
    start = clip.begin - request.start
    return _marker_casts(clip.markers) or _marker_casts(request.markers, (start, start + clip.duration - 1))


def _one_cast_of(request: ResolveRequest, clip: ResolveClip) -> NamedCast:
    """Return the one cast of a clip. Raises _Refusal if there are several."""
    casts = _casts_of(request, clip)
    if len(casts) > 1:
        raise _Refusal(f"{clip.name}: markers name more than one replacement", f"{_BY_EXPORT} does several")
    return casts[0] if casts else NamedCast()


def _common_cast(request: ResolveRequest) -> NamedCast:
    """Return the one cast of all chosen clips, as a model is of one pair. Raises _Refusal."""
    casts = [_one_cast_of(request, clip) for clip in request.clips]
    pair: dict[str, str | None] = {}
    for role in ("target", "source"):
        names = sorted({name for cast in casts if (name := getattr(cast, role))})
        if len(names) > 1:
            what = f"the chosen clips are of two performers, {names[0]} and {names[1]}"
            raise _Refusal(what, "Choose the clips of one pair")
        pair[role] = next(iter(names), None)
    return NamedCast(pair["target"], pair["source"])


def _source_name(source_names: Sequence[str], source: Path, near: Path, watch: Watch) -> str | None:
    """Name the source performer: the only one in markers, else the performer whose name the footage has. Raises _Refusal."""
    if len(source_names) > 1:
        what = f"markers name several sources, and the Media Pool's selection is of one: {', '.join(source_names)}"
        remedy = "Select nothing, and give their footage in a cast file; docs/timeline.md tells how"
        raise _Refusal(what, remedy)
    if source_names:
        return source_names[0]
    answer = next(_standings([("", {"near": str(near), "source": str(source)})], watch), ("", {}))[1]
    names = (str(performer["name"]) for performer in answer.get("performers", ()))
    return next((name for name in names if name.lower() == _stem(source).lower()), None)


def _standings(checks: Sequence[tuple[str, dict[str, Any]]], watch: Watch) -> Iterator[tuple[str, dict[str, Any]]]:
    """Look up the consent for each clip; skip unreadable footage, which is reported where it is used."""
    for name, request in checks:
        try:
            yield name, as_document(look_up_performers(PerformersRequest.model_validate(request), watch))
        except ConsentError as e:
            yield name, {"allowed": False, "said": str(e)}
        except FaceplateError:
            continue


def _check_consent(checks: Sequence[tuple[str, dict[str, Any]]], watch: Watch) -> str:
    """Summarise who would be used by which consents. checks: names of clips with requests of `performers`. Raises _Refusal with what is missing."""
    allowed, message = consent_summary(_standings(checks, watch))
    if not allowed:
        raise _Refusal(message, "Nothing was changed")
    return message
