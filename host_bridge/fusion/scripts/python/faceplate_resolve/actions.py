"""What each script of the menu does."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.client import EngineError, connect

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
        session.say(f"{gone} results were taken back" if gone else "there was nothing to take back")

    _run(resolve, config, work)


def train(resolve: Any, config: Config) -> None:
    """Gather both performers' faces, and train a model. Started again it goes on with what is done."""
    _run(resolve, config, _train)


def export(resolve: Any, config: Config) -> None:
    """Give the whole timeline to Faceplate, with who is put in; Resolve writes it as OpenTimelineIO."""

    def work(session: Session) -> None:
        base = _edit(session)
        path = f"{base}.otio"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not session.timeline.Export(path, resolve.EXPORT_OTIO, resolve.EXPORT_NONE):
            remedy = f"Export it by hand, File > Export > Timeline as OTIO, into {config.folder}"
            raise Problem(f"Resolve could not write {path}", remedy)
        export = {"profile": "resolve", "out": f"{base}.faceplate.otio"}
        request: dict[str, Any] = {"edit": path, "out": f"{base}.faceplate", "export": export}
        request |= {"run": {"method": config.method}, "train": {"minutes": config.minutes}}
        try:
            sources = session.sources(set())
        except Problem:  # then markers in the timeline say it
            sources = []
        if sources:
            name = Path(slash(sources[0])).stem
            request |= {"performers": {name: sources}, "source": name}
        session.engine.submit("timeline", request)
        session.say(
            "the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline"
        )

    _run(resolve, config, work)


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
    plates: list[Plate] = []
    told: list[str] = []
    for item in session.chosen():
        try:
            plates.append(shown(session, item))
        except Problem as e:
            told.append(str(e))
    if not plates:
        raise Problem(" ".join(told).rstrip("."), "Choose other clips")
    source = session.sources({plate.path for plate in plates})[0]
    jobs = [session.engine.submit("swap", _request(session, plate, source, place)) for plate in plates]
    end, done = time.monotonic() + session.config.wait, 0
    for plate, asked in zip(plates, jobs, strict=True):
        job = session.engine.wait(asked["id"], max(end - time.monotonic(), 0))
        if job["state"] == "finished":
            try:
                PLACES[place](session, plate, job["result"])
                done += 1
            except Problem as e:
                told.append(str(e))
        elif job["state"] == "failed":
            told.append(f"{plate.name}: {job['error']['message']}")
        else:
            told.append(f"{plate.name}: the engine is still at it. Start this script again later to fetch it")
    session.say(" ".join([f"{done} of {len(plates)} clips have their new face.", *told]))


def _request(session: Session, plate: Plate, source: str, place: str) -> dict[str, Any]:
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
    }
    if plate.pattern != plate.path:
        request["rate"] = f"{plate.rate:g}"
    model = Path(session.training(source, plate.path), "model", "model.onnx")
    if model.is_file():
        request["settings"] = {"swap": {"model": str(model)}}
    return request


def _train(session: Session) -> None:
    paths: dict[str, str] = {}
    for item in session.chosen():
        pool_item = item.GetMediaPoolItem()
        path = pool_item.GetClipProperty("File Path") if pool_item else ""
        if path and not session.is_ours(path):
            paths[path] = pattern_of(path)
    if not paths:
        remedy = "Choose clips of the performer whose face is replaced"
        raise Problem("no chosen clip has footage of its own", remedy)
    sources = session.sources(set(paths))
    out = session.training(sources[0], next(iter(paths)))
    sets = {"source": sources, "target": list(paths.values())}
    for name, clips in sets.items():
        asked = {"clips": clips, "performer": name, "out": f"{out}/{name}", "rate": f"{session.rate:g}"}
        job = session.engine.wait(session.engine.submit("faceset", asked)["id"], session.config.wait)
        if job["state"] == "failed":
            raise Problem(f"The {name}'s faces: {job['error']['message']}", "Look at Faceplate monitor")
        if job["state"] != "finished":
            raise Problem(f"The {name}'s faces are not ready yet", "Start this script again later")
    request = {
        "facesets": [f"{out}/{name}" for name in sets],
        "out": f"{out}/model",
        "train": {"minutes": session.config.minutes},
        "resume": Path(out, "model", "losses.csv").is_file(),
    }
    session.engine.submit("train", request)
    session.say(
        f"the training has begun, for {session.config.minutes} minutes. Faceplate monitor shows it. "
        "Replace face uses its model when it is done"
    )


def _edit(session: Session) -> str:
    """Where the timeline goes, without an ending."""
    return f"{session.config.folder}/edits/{file_name(session.timeline.GetName())}"
