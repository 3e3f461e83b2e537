"""What each script of the menu does. Started again it fetches what was done meanwhile: the engine does nothing twice."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.client import EngineError, connect

from .place import PLACES, clip_of, take_away
from .timeline import Config, MenuProblem, Timeline


def replace(resolve: Any, config: Config, place: str) -> None:
    """Replace the face in the chosen clips; place: above, take or comp."""
    _run(resolve, config, lambda timeline: _replace(timeline, place))


def undo(resolve: Any, config: Config) -> None:
    """Take back what `replace` has put in for the chosen clips. Rendered files stay."""

    def work(timeline: Timeline) -> None:
        gone = sum(take_away(timeline, item) for item in timeline.chosen())
        said = "1 result was taken back" if gone == 1 else f"{gone} results were taken back"
        timeline.say(said if gone else "there was nothing to take back")

    _run(resolve, config, work)


def train(resolve: Any, config: Config) -> None:
    """Gather both performers' faces, and train a model; each job needs the one before. Started again it goes on with what is done."""

    def work(timeline: Timeline) -> None:
        *facesets, model = timeline.decide("train", timeline.with_footage(timeline.chosen()))["jobs"]
        for ask in facesets:
            job = timeline.session.do(ask["kind"], ask["request"], config.wait)
            if job["state"] == "failed":
                raise MenuProblem(f"The {ask['name']}'s faces: {_why(job)}", "Look at Faceplate monitor")
            if job["state"] != "finished":
                raise MenuProblem(f"The {ask['name']}'s faces are not ready yet", "Start this script again later")
        timeline.session.engine().submit(model["kind"], model["request"])
        timeline.say(
            f"the training has begun, for {config.minutes} minutes. Faceplate monitor shows it. "
            "Replace face uses its model when it is done"
        )

    _run(resolve, config, work)


def export(resolve: Any, config: Config) -> None:
    """Give the whole timeline to Faceplate, with who is put in; Resolve writes it as OpenTimelineIO."""

    def work(timeline: Timeline) -> None:
        path = f"{timeline.edit}.otio"
        (ask,) = timeline.decide("export", timeline.with_footage(timeline.all_items()))["jobs"]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not timeline.current.Export(path, resolve.EXPORT_OTIO, resolve.EXPORT_NONE):
            remedy = f"Export it by hand, File > Export > Timeline as OTIO, into {config.folder}"
            raise MenuProblem(f"Resolve could not write {path}", remedy)
        timeline.session.engine().submit(ask["kind"], ask["request"])
        timeline.say(
            "the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline"
        )

    _run(resolve, config, work)


def bring(resolve: Any, config: Config) -> None:
    """Bring the result of `export` into the project, as a timeline of its own."""

    def work(timeline: Timeline) -> None:
        name, path = timeline.current.GetName(), f"{timeline.edit}.faceplate.otio"
        if not Path(path).is_file():
            raise MenuProblem(f"there is no result of {name} yet", "Faceplate monitor shows how it goes")
        for number in range(1, 51):  # None, and nothing else, says that the name is taken
            fresh = f"{name} Faceplate" + (f" {number}" if number > 1 else "")
            options = {"timelineName": fresh, "importSourceClips": True}
            if made := timeline.pool.ImportTimelineFromFile(path, options):
                timeline.project.SetCurrentTimeline(made)
                timeline.current = made
                timeline.say(f"the result is the timeline {fresh}")
                return
        raise MenuProblem(f"Resolve did not import {path}", "Try File > Import > Timeline, which says why")

    _run(resolve, config, work)


def monitor(resolve: Any, config: Config) -> None:
    """Open the page that shows all jobs."""
    try:
        webbrowser.open(connect(python=config.python).page)
    except EngineError as e:
        print(f"Faceplate: {e}")


def _run(resolve: Any, config: Config, work: Callable[[Timeline], None]) -> None:
    say: Callable[[str], None] = lambda text: print(f"Faceplate: {text}")  # noqa: E731
    try:
        timeline = Timeline(resolve, config)
        say = timeline.say
        work(timeline)
    except (MenuProblem, EngineError) as e:
        say(str(e))


def _replace(timeline: Timeline, place: str) -> None:
    items, engine = timeline.chosen(), timeline.session.engine()
    plan = timeline.decide("take" if place == "take" else "replace", items)
    jobs = [engine.submit(ask["kind"], ask["request"])["id"] for ask in plan["jobs"]]
    end, done, said = time.monotonic() + timeline.config.wait, 0, [f"{text}." for text in plan["skipped"]]
    for spans, id in zip(plan["clips"], jobs, strict=True):
        item, name = items[spans["clip"] - 1], spans["name"]
        job = engine.wait(id, max(end - time.monotonic(), 0))
        if job["state"] == "finished":
            try:
                PLACES[place](timeline, clip_of(item, spans), job["result"])
                done += 1
            except MenuProblem as e:
                said.append(str(e))
        elif job["state"] == "failed":
            said.append(f"{name}: {_why(job)}")
        else:
            said.append(f"{name}: the engine is still at it. Start this script again later to fetch it")
    timeline.say(" ".join([f"{done} of {len(jobs)} clips have their new face.", *said]))


def _why(job: dict[str, Any]) -> str:
    """What became of a job that failed, and what to do about it."""
    return " ".join(filter(None, [job["error"]["message"], job["error"]["remedy"]]))
