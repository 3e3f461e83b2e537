"""What each script of the menu does."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.client import EngineError, connect

from .consent import MOST_ASKED, Cast, ask, cast_of, casts_of, need, sources_named
from .place import PLACES, take_away
from .plate import Plate, shown
from .session import Config, Problem, Session
from .text import file_name, pattern_of, slash


def replace(resolve: Any, config: Config, place: str) -> None:
    """Replace the face in the chosen clips; place: above, take or comp. Started again it fetches what was done meanwhile."""
    _run(resolve, config, lambda session: _replace(session, place))


def undo(resolve: Any, config: Config) -> None:
    """Take back what `replace` has put in for the chosen clips. Rendered files stay."""

    def work(session: Session) -> None:
        gone = sum(take_away(session, item) for item in session.chosen())
        said = "1 result was taken back" if gone == 1 else f"{gone} results were taken back"
        session.say(said if gone else "there was nothing to take back")

    _run(resolve, config, work)


def train(resolve: Any, config: Config) -> None:
    """Gather both performers' faces, and train a model. Started again it goes on with what is done."""
    _run(resolve, config, _train)


def export(resolve: Any, config: Config) -> None:
    """Give the whole timeline to Faceplate, with who is put in; Resolve writes it as OpenTimelineIO."""
    _run(resolve, config, _export)


def bring(resolve: Any, config: Config) -> None:
    """Bring the result of `export` into the project, as a timeline of its own."""

    def work(session: Session) -> None:
        name, path = session.timeline.GetName(), f"{_edit(session)}.faceplate.otio"
        if not Path(path).is_file():
            raise Problem(f"there is no result of {name} yet", "Faceplate monitor shows how it goes")
        for number in range(1, 51):  # None, and nothing else, says that the name is taken
            fresh = f"{name} Faceplate" + (f" {number}" if number > 1 else "")
            options = {"timelineName": fresh, "importSourceClips": True}
            if made := session.pool.ImportTimelineFromFile(path, options):
                session.project.SetCurrentTimeline(made)
                session.timeline = made
                session.say(f"the result is the timeline {fresh}")
                return
        raise Problem(f"Resolve did not import {path}", "Try File > Import > Timeline, which says why")

    _run(resolve, config, work)


def monitor(resolve: Any, config: Config) -> None:
    """Open the page that shows all jobs."""
    try:
        webbrowser.open(connect(python=config.python).page)
    except EngineError as e:
        print(f"Faceplate: {e}")


def _run(resolve: Any, config: Config, work: Callable[[Session], None]) -> None:
    session: Session | None = None
    try:
        session = Session(resolve, config)
        work(session)
    except (Problem, EngineError) as e:
        if session is None:
            print(f"Faceplate: {e}")
        else:
            session.say(str(e))


def _replace(session: Session, place: str) -> None:
    plates: list[tuple[Plate, Cast]] = []
    told: list[str] = []
    for item in session.chosen():
        try:
            plates.append((shown(session, item), cast_of(session, item)))
        except Problem as e:
            told.append(str(e))
    if not plates:
        raise Problem(" ".join(told).rstrip("."), "Choose other clips")
    source = session.sources({plate.path for plate, _ in plates})[0]
    requests = [_request(session, plate, cast, source, place) for plate, cast in plates]
    near = str(Path(requests[0]["out"]).parent)
    asked = (
        (p.name, {"plate": p.pattern, "source": source, "near": near, **request.get("settings", {})})
        for (p, _), request in zip(plates, requests, strict=True)
    )
    need(session, list(asked))
    jobs = [session.engine.submit("swap", request) for request in requests]
    end, done = time.monotonic() + session.config.wait, 0
    for (plate, _), submitted in zip(plates, jobs, strict=True):
        job = session.engine.wait(submitted["id"], max(end - time.monotonic(), 0))
        if job["state"] == "finished":
            try:
                PLACES[place](session, plate, job["result"])
                done += 1
            except Problem as e:
                told.append(str(e))
        elif job["state"] == "failed":
            told.append(f"{plate.name}: {_why(job)}")
        else:
            told.append(f"{plate.name}: the engine is still at it. Start this script again later to fetch it")
    session.say(" ".join([f"{done} of {len(plates)} clips have their new face.", *told]))


def _request(session: Session, plate: Plate, cast: Cast, source: str, place: str) -> dict[str, Any]:
    take = place == "take"
    # A folder of its own for a take: what lies above a clip already must not go when one is rendered.
    clip = f"{file_name(plate.name)}-{plate.low}-{plate.high}{'-take' if take else ''}"
    names = (session.project.GetName(), session.timeline.GetName())
    request: dict[str, Any] = {
        "plate": plate.pattern,
        "source": source,
        "range": f"{plate.low}-{plate.high}",
        "out": "/".join([session.config.results, *map(file_name, names), clip]),
        "overlay": not take,
        "frames": take,
        "tracks": cast.tracks,
    }
    if plate.pattern != plate.path:
        request["rate"] = f"{plate.rate:g}"
    model = Path(session.training(source, plate.path), "model", "model.onnx")
    swap = cast.parameters() | ({"model": str(model)} if model.is_file() else {})
    if swap:
        request["settings"] = {"swap": swap}
    return request


def _train(session: Session) -> None:
    paths: dict[str, str] = {}
    items = session.chosen()
    for item in items:
        pool_item = item.GetMediaPoolItem()
        path = pool_item.GetClipProperty("File Path") if pool_item else ""
        if path and not session.is_ours(path):
            paths[path] = pattern_of(path)
    if not paths:
        remedy = "Choose clips of the performer whose face is replaced"
        raise Problem("no chosen clip has footage of its own", remedy)
    sources, targets = session.sources(set(paths)), list(paths.values())
    cast = _one_cast(session, items)
    out = session.training(sources[0], next(iter(paths)))
    swap = {"swap": cast.parameters()} if cast.parameters() else {}
    asked = []
    for k in range(max(len(sources), len(targets))):
        source, target = sources[min(k, len(sources) - 1)], targets[min(k, len(targets) - 1)]
        request = {"plate": target, "source": source, "near": out, "train": True, **swap}
        asked.append((f"{_stem(source)} on {_stem(target)}", request))
    need(session, asked)
    # A faceset is called after its performer where one is named, else after its footage; two must not be called alike.
    who = {"source": cast.source or _stem(sources[0]), "target": cast.target or _stem(targets[0])}
    if who["source"] == who["target"]:
        who = {role: f"{name} ({role})" for role, name in who.items()}
    sets = {"source": (sources, cast.source), "target": (targets, cast.target)}
    for role, (clips, named) in sets.items():
        faceset = {"clips": clips, "performer": who[role], "named": named, "out": f"{out}/{role}"}
        job = session.engine.submit("faceset", {**faceset, "rate": f"{session.rate:g}"})
        job = session.engine.wait(job["id"], session.config.wait)
        if job["state"] == "failed":
            raise Problem(f"The {role}'s faces: {_why(job)}", "Look at Faceplate monitor")
        if job["state"] != "finished":
            raise Problem(f"The {role}'s faces are not ready yet", "Start this script again later")
    training = {
        "facesets": [f"{out}/{role}" for role in sets],
        "out": f"{out}/model",
        "train": {"minutes": session.config.minutes},
        "resume": Path(out, "model", "losses.csv").is_file(),
    }
    session.engine.submit("train", training)
    session.say(
        f"the training has begun, for {session.config.minutes} minutes. Faceplate monitor shows it. "
        "Replace face uses its model when it is done"
    )


def _one_cast(session: Session, items: list[Any]) -> Cast:
    """One cast for all chosen clips: a model is of one pair. Raises Problem."""
    casts = [cast_of(session, item) for item in items]
    found: dict[str, str | None] = {}
    for role in ("target", "source"):
        names = sorted({name for cast in casts if (name := getattr(cast, role))})
        if len(names) > 1:
            what = f"the chosen clips are of two performers, {names[0]} and {names[1]}"
            raise Problem(what, "Choose the clips of one pair")
        found[role] = names[0] if names else None
    return Cast(found["target"], found["source"])


def _export(session: Session) -> None:
    base = _edit(session)
    path, out = f"{base}.otio", f"{base}.faceplate"
    export = {"profile": "resolve", "out": f"{base}.faceplate.otio"}
    request: dict[str, Any] = {"edit": path, "out": out, "export": export}
    request |= {"run": {"method": session.config.method}, "train": {"minutes": session.config.minutes}}
    named, name = sources_named(session), None
    try:
        sources = session.sources(set())
    except Problem:  # then markers in the timeline say it
        sources = []
    if sources:
        name = _source_name(session, named, sources[0], out)
        request["performers"] = {name or _stem(sources[0]): sources}
        if not named:
            request["source"] = name or _stem(sources[0])
    asked = []
    for clip, plate, cast in _to_ask(session, named=bool(named)):
        swap = Cast(cast.target, cast.source or name).parameters()
        wanted: dict[str, Any] = {"plate": plate, "near": out}
        wanted |= ({"source": sources[0]} if sources else {}) | ({"swap": swap} if swap else {})
        asked.append((clip, wanted))
    if (sources or named) and len(asked) <= MOST_ASKED:  # of more the engine asks as it comes to them
        need(session, asked)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if not session.timeline.Export(path, session.resolve.EXPORT_OTIO, session.resolve.EXPORT_NONE):
        remedy = f"Export it by hand, File > Export > Timeline as OTIO, into {session.config.folder}"
        raise Problem(f"Resolve could not write {path}", remedy)
    session.engine.submit("timeline", request)
    session.say("the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline")


def _to_ask(session: Session, *, named: bool) -> list[tuple[str, str, Cast]]:
    """The clips that have footage of their own, each footage once for each cast: name, footage, cast. named: only those of which markers speak."""
    found: dict[tuple[str, Cast], tuple[str, str, Cast]] = {}
    for item in (item for track in session.tracks() for item in session.items(track)):
        pool_item = item.GetMediaPoolItem()
        path = pool_item.GetClipProperty("File Path") if pool_item else ""
        if path and not session.is_ours(path):
            said = [cast for cast in casts_of(session, item) if cast.target and cast.source]
            for cast in said if named else [Cast()]:
                found.setdefault((path, cast), (item.GetName(), pattern_of(path), cast))
    return list(found.values())


def _source_name(session: Session, named: list[str], source: str, near: str) -> str | None:
    """Whose the chosen footage is: the only source whom markers name; else the performer whom it is called after. Raises Problem."""
    if len(named) > 1:
        what = f"markers name several sources, and the Media Pool's selection is of one: {', '.join(named)}"
        remedy = "Select nothing, and give their footage in a cast file; docs/timeline.md tells how"
        raise Problem(what, remedy)
    if named:
        return named[0]
    known = (ask(session, {"near": near, "source": source}) or {}).get("performers", [])
    return next((str(one["name"]) for one in known if one["name"].lower() == _stem(source).lower()), None)


def _why(job: dict[str, Any]) -> str:
    """What became of a job that failed, and what to do about it."""
    return " ".join(filter(None, [job["error"]["message"], job["error"]["remedy"]]))


def _stem(path: str) -> str:
    """What footage is called, without the rest of its file's name."""
    return Path(slash(path)).name.partition(".")[0]


def _edit(session: Session) -> str:
    """Where the timeline goes, without an ending."""
    return f"{session.config.folder}/edits/{file_name(session.timeline.GetName())}"
