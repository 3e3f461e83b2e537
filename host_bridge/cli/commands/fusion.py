"""`faceplate fusion`: macro, build, send, monitor."""

from __future__ import annotations

import json
import re
import webbrowser
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

from cyclopts import App

from host_bridge.cli.perform import engine, refusals
from host_bridge.client import EngineError, connect
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
    made = load_shot(shot)
    first, last = made.range.first, made.range.last
    if image == "linear":
        file = frame_file(shot, "patch", first)
        if not file.is_file():
            raise FootageError("does not exist", file=file, remedy="Render the shot again")
    else:
        with open_footage(made.plate.path, layer=made.plate.layer) as footage:
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
            except FaceplateError as e:
                print(f"faceplate: {e}")
                raise
    except OSError as e:
        raise FaceplateError(f"{e.strerror}", file=log) from e
    log.unlink()
    return 0


@fusion.command
def monitor() -> None:
    """Open the engine's page in the browser."""
    with engine() as client:
        webbrowser.open(client.page)
        print("the monitor opens in the browser")


def _send(file: Path) -> None:
    try:
        wanted: Any = json.loads(file.read_bytes())
        if wanted.get("open") == "monitor":
            jobs = None
        else:
            jobs = [(_name(job), str(job["kind"]), dict(job["request"])) for job in wanted["jobs"]]
    except OSError as e:
        raise FaceplateError(f"{e.strerror}", file=file) from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UsageError(f"{file}: asks for nothing that can be understood") from e
    file.unlink()
    if jobs is None:
        monitor()
        return
    with refusals():
        for name, kind, request in jobs:
            result = _do(file.with_name(f"{file.stem}-{name}{ANSWER}"), kind, request)
            if result.get("allowed") is False:
                # The user was told no: what was asked for with it must not run later, when somebody has agreed to something.
                return


def _name(job: dict[str, Any]) -> str:
    name = str(job["name"])
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", name):
        raise ValueError(name)
    return name


def _do(answer: Path, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """See a job to its end, write down how it stands, and return its result."""
    try:
        client = connect()
        job = client.submit(kind, request)
        print(f"{job['id']} {kind}", flush=True)
        write_answer(answer, of_job(job), _MINE)
        ended = of_job(client.wait(job["id"]))
    except EngineError as e:
        write_answer(answer, of_failure(e), _MINE)
        raise
    write_answer(answer, ended, _MINE)
    if ended["state"] == "failed":
        raise FaceplateError(f"{kind}: {ended['error']['message']}", remedy=ended["error"]["remedy"])
    return dict(ended.get("result") or {})
