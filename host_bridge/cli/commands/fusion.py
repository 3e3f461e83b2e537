"""`faceplate fusion`: macro, build, send, monitor."""

from __future__ import annotations

import webbrowser
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

from cyclopts import App
from pydantic_core import from_json

from host_bridge.client import EngineError, connect
from host_bridge.watch.fusion_prefs import MONITOR, Post, PostedJob
from host_bridge.watch.status import ANSWER, of_failure, of_job, write_answer
from nodes.errors import FaceplateError, FootageError, UsageError
from nodes.parts import frame_file

_MINE = 0o600  # what is left in a temporary folder names people

fusion = App(name="fusion", help_format="plaintext")


@fusion.command
def macro(
    shot: Path,
    /,
    *,
    out: Path | None = None,
    name: str = "Faceplate",
    image: Literal["displayed", "linear"] = "displayed",
    starts_at: int | None = None,
) -> None:
    """Write a rendered shot as nodes that Fusion has itself: NAME.setting, NAME.comp for a clip in Resolve, NAME.drfx for the Edit page.

    Args:
        shot: Folder that `faceplate swap` wrote.
        out: Folder for the files; by default `macro` in the shot's.
        name: Of the macro: letters, digits and _.
        image: What the comp holds: displayed, code values as in a video, Resolve's default; or linear, scene-linear light.
        starts_at: Frame of the comp at which the shot's first frame is to be seen; by default the plate's own number of it. A control of the macro changes it.
    """
    from host_bridge.fusion.macro import Layers, write_macro
    from nodes.footage.footage import open_footage
    from nodes.shot.layers import write_layers
    from nodes.shot.write import sign_parts
    from nodes.shot_document import load_shot

    if not name.isidentifier() or not name.isascii():
        raise UsageError(f"--name {name}: is no name of a node", remedy="Use letters, digits and _")
    shot = shot.expanduser().resolve()
    document = load_shot(shot)
    first, last = document.range.first, document.range.last
    if image == "linear":
        file = frame_file(shot, "patch", first)
        if not file.is_file():
            raise FootageError("does not exist", file=file, remedy="Render the shot again")
    else:
        with open_footage(document.plate.path, layer=document.plate.layer) as footage:
            start = footage.info.first
            file = write_layers(shot, footage, first - start, last - start)
        sign_parts(shot, ["over"])
    layers = Layers(file, first, last)
    for path in write_macro(out or shot / "macro", name, layers, first if starts_at is None else starts_at):
        print(path)


@fusion.command
def build(folder: Path, /) -> None:
    """Write the Fuses, as they are installed, below a folder.

    Args:
        folder: It gets the folder tree of a Fusion root: Fuses and more.
    """
    from host_bridge.fusion.build import build as write

    for path in write(folder.expanduser()):
        print(path)


@fusion.command
def send(file: Path, /) -> int:
    """Hand the engine what a button of a Fuse has written, and delete it. What goes wrong is written to FILE.log.

    How each job stands is written beside it, for the Fuse to read: FILE-NAME.answer.lua, FILE without its ending.

    Args:
        file: JSON: {"jobs": [{"name", "kind", "request"}]}, which are done one after the other, or {"open": "monitor"}.
    """
    log = file.with_name(f"{file.name}.log")
    try:
        log.touch(_MINE)
        with log.open("w", encoding="utf-8") as output, redirect_stdout(output), redirect_stderr(output):
            try:
                _send(file)
            except (FaceplateError, EngineError) as e:
                print(f"faceplate: {e}")
                raise
    except OSError as e:
        raise FaceplateError(f"{e.strerror}", file=log) from e
    log.unlink()
    return 0


@fusion.command
def monitor() -> None:
    """Open the engine's page in the browser."""
    webbrowser.open(connect().page)
    print("the monitor opens in the browser")


def _send(file: Path) -> None:
    try:
        document = from_json(file.read_bytes())
        post = None if document == MONITOR else Post.model_validate({"id": "send", **document})
    except OSError as e:
        raise FaceplateError(f"{e.strerror}", file=file) from e
    except (ValueError, TypeError) as e:
        raise UsageError(f"{file}: asks for nothing that can be understood") from e
    file.unlink()
    if post is None:
        monitor()
        return
    for job in post.jobs:
        result = _do(file.with_name(f"{file.stem}-{job.name}{ANSWER}"), job)
        if result.get("allowed") is False:
            # Refused: the other jobs must not run later, even if consent is given.
            return


def _do(answer: Path, posted: PostedJob) -> dict[str, Any]:
    """Run a job, write its status as the answer, and return its result."""
    try:
        client = connect()
        job = client.submit(posted.kind, posted.request)
        print(f"{job['id']} {posted.kind}", flush=True)
        write_answer(answer, of_job(job), _MINE)
        status = of_job(client.wait(job["id"]))
    except EngineError as e:
        write_answer(answer, of_failure(e), _MINE)
        raise
    write_answer(answer, status, _MINE)
    if status["state"] == "failed":
        raise FaceplateError(f"{posted.kind}: {status['error']['message']}", remedy=status["error"]["remedy"])
    return dict(status.get("result") or {})
