"""`faceplate timeline run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from host_bridge.cli.commands.timeline.options import CUTTING, Cutting
from host_bridge.cli.commands.train import interruption
from host_bridge.cli.options import DETECT, MASK, Flag, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import EngineRefusal, perform
from host_bridge.client import running
from host_bridge.jobs.timeline import TimelineRequest
from host_bridge.timeline.asked import absolute_root, sources
from host_bridge.timeline.settings import RunSettings
from nodes.definitions import DetectParameters, MaskParameters, Settings, SwapParameters
from nodes.spec import Parameters
from nodes.text import command_line
from trainer.settings import TrainSettings

_GO_ON = "the same command goes on from here"
RUN, TRAIN = RunSettings(), TrainSettings()
if TYPE_CHECKING:
    LookParameters = SwapParameters
else:  # all of Swap's but what the run itself chooses, and the cast says
    _OTHERWISE = SwapParameters.having("per_shot")
    LookParameters = create_model(
        "LookParameters",
        __base__=Parameters,
        __doc__="How the new face looks.",
        **{n: (f.annotation, f) for n, f in SwapParameters.model_fields.items() if n not in _OTHERWISE},
    )
LOOK = LookParameters()


@node_options
def run(
    edit: Path,
    *,
    cutting: Cutting = CUTTING,
    engine: Flag = False,
    json: Flag = False,
    run_settings: RunSettings = RUN,
    train_settings: TrainSettings = TRAIN,
    detect_parameters: DetectParameters = DETECT,
    mask_parameters: MaskParameters = MASK,
    look: LookParameters = LOOK,
) -> int:
    """Train and swap every shot of an edit in which somebody is to be replaced. Interrupted, the same command goes on.

    What is done is not done again. A shot that fails does not stop the others; the exit status is then 1. Where the engine runs, it does the work.

    Parameters
    ----------
    edit
        The edit: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .fcpxmld, .aaf.
    engine
        Run it in Faceplate's engine, and start that if need be; it goes on when this terminal is closed.
    json
        Print what came of each shot as JSON.
    """
    footage, unnamed = sources(cutting.source, cutting.target)
    request = TimelineRequest(
        edit=edit.expanduser().absolute(),
        out=cutting.out,
        cast=cutting.cast,
        performers={name: tuple(clips) for name, clips in footage.items()},
        source=unnamed,
        target=cutting.target,
        media_roots=tuple(absolute_root(text) for text in cutting.media_root),
        handles=cutting.handles,
        rate=cutting.rate,
        run=run_settings,
        train=train_settings,
        settings=Settings(detect=detect_parameters, mask=mask_parameters, swap=SwapParameters(**look.model_dump())),
    )
    told = _performed(request, engine)
    _show(told)
    if json:
        print_json(told)
    elif told["done"]:
        print(told["document"])
        where = ("--run", str(cutting.out)) if cutting.out else ()
        print(f"Now: {command_line('faceplate', 'timeline', 'export', str(edit), '--as', 'swap', *where)}")
    return 1 if told["failed"] else 0


def _performed(request: TimelineRequest, engine: bool) -> Any:
    """Run it in the engine if that is asked for, or one runs that may use these folders; else here."""
    try:
        try:
            return perform("timeline", request, engine=engine or running() is not None, quiet=True)
        except EngineRefusal as e:
            if engine or getattr(e.__cause__, "status", None) != 403:
                raise
            print(f"The engine may not do it, so it is done here: {e}", file=sys.stderr)
            return perform("timeline", request, quiet=True)
    except KeyboardInterrupt as e:
        raise (interruption(str(e), _GO_ON) or type(e)(_GO_ON)) from None


def _show(told: dict[str, Any]) -> None:
    """Notes on the edit, one row a shot on stderr, then what to look at."""
    for note in told["notes"]:
        print(note, file=sys.stderr)
    rows = [
        (
            shot["id"],
            shot["name"],
            ", ".join(f"{c['source']} on {c['target']}" for c in shot["cast"]),
            shot["frames"],
            shot["state"] if shot["now"] or shot["state"] != "done" else "done before",
            shot["how"] or "",
            shot["verdict"] or "",
        )
        for shot in told["shots"]
    ]
    print_table(("shot", "clip", "who", "frames", "", "model", "report"), rows, stderr=True)
    for shot in told["shots"]:
        for note in () if shot["error"] else shot["notes"]:
            print(f"{shot['id']}: {note}", file=sys.stderr)
        if shot["error"]:
            remedy = f". {shot['error']['remedy']}" if shot["error"]["remedy"] else ""
            print(f"{shot['id']} failed: {shot['error']['message']}{remedy}", file=sys.stderr)
        elif shot["verdict"] not in (None, "pass"):
            frames = ", ".join(str(look["frame"]) for look in shot["look_first"])
            where = f"; first at frame {frames}" if frames else ""
            print(f"{shot['id']}: look at {shot['folder']}/report.html{where}", file=sys.stderr)
