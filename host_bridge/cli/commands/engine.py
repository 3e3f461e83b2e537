"""`faceplate engine`: start, stop, status, allow, watch."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from host_bridge.cli.options import Flag, Json
from host_bridge.cli.output import print_json
from host_bridge.cli.progress import clock
from host_bridge.client import Client, connect, running, state_folder
from nodes.errors import FaceplateError

_log = logging.getLogger(__name__)
engine = App(name="engine", help_format="plaintext")
NOT_RUNNING = 3  # as of service scripts


@engine.command
def start(*, idle_stop: float | None = None, foreground: Flag = False, json: Json = False) -> int:
    """Start the engine, or say that it runs already. Hosts and `faceplate jobs` do so by themselves.

    Args:
        idle_stop: Minutes without work after which it ends by itself; 0 for never. By default FACEPLATE_IDLE_STOP, else 30.
        foreground: Be the engine until Ctrl-C, and log here.
    """
    if idle_stop is not None and not 0 <= idle_stop < 1e6:
        raise FaceplateError(f"--idle-stop {idle_stop:g}: is no time", remedy="Give minutes, or 0 for never")
    if foreground:
        from host_bridge.engine.__main__ import main

        return main([] if idle_stop is None else ["--idle-stop", f"{idle_stop:g}"])
    _print(connect(idle_stop=idle_stop), json)
    return 0


@engine.command
def stop() -> None:
    """End the engine. What runs is queued again when it starts the next time; a training goes on from its last checkpoint."""
    client = running()
    if client is not None:
        client.stop()
    print("stopped" if client else "no engine runs")


@engine.command
def status(*, json: Json = False) -> int:
    """Say whether the engine runs, and where its page is; ends with status 3 when there is none.

    The address of the page holds the token: whoever has it can do what you can.
    """
    client = running()
    if client is not None:
        _print(client, json)
        return 0
    if json:
        print_json(_document(None))
    else:
        print("no engine runs; faceplate engine start starts it")
    return NOT_RUNNING


@engine.command
def allow(
    folder: Annotated[Path | None, Parameter(show_default=False)] = None, /, *, forget: Flag = False, json: Json = False
) -> None:
    """Let jobs read and write a folder outside of your home, and all below it; without FOLDER, list what is allowed.

    Args:
        folder: The folder. It holds at once, also for an engine that runs.
        forget: Take it back.
    """
    from host_bridge.engine.roots import Roots

    roots = Roots(state_folder())
    if folder is not None:
        roots.forget(folder) if forget else roots.allow(folder)
    folders = [str(path) for path in roots.folders()]
    if json:
        print_json({"schema": "faceplate.roots/1", "folders": folders})
    else:
        print("\n".join(folders))


@engine.command
def watch(
    folder: Path,
    /,
    *,
    method: Literal["model", "reference"] = "model",
    resolve: Flag = False,
    prefs: tuple[Path, ...] = (),
    settle: float = 2.0,
    once: Flag = False,
) -> None:
    """Do what is dropped into a folder: job files and timelines. Results and a status land beside them. Runs until Ctrl-C.

    A job file is JSON, {"kind": "swap", "request": {...}}, with whole paths. What is done goes to done/, what has failed to failed/, with the
    reason in NAME.error.txt.

    Args:
        folder: The folder; one watcher at a time.
        method: How the shots of timelines are done: train a model for each pair, or reference, which trains nothing.
        resolve: Take jobs from scripts in the free edition of DaVinci Resolve too, which come through its preferences.
        prefs: The preferences of Resolve, where they are not at their usual place.
        settle: Seconds for which a file must not change before it is taken.
        once: End when nothing is left to do.
    """
    from host_bridge.watch.fusion_prefs import fusion_prefs, fusion_roots
    from host_bridge.watch.hot_folder import HotFolder

    if not 0 <= settle <= 3600:
        raise FaceplateError(f"--settle {settle:g}: is no time", remedy="Give seconds, at most an hour")
    prefs = prefs or (tuple(fusion_prefs(fusion_roots())) if resolve else ())
    watcher = HotFolder(folder, connect, settle=settle, method=method, prefs=prefs, say=_say)
    print(f"watching {watcher.folder}" + ("" if once else "; Ctrl-C ends it, and jobs go on"), flush=True)
    passes = 0
    try:
        while True:
            watcher.step()
            passes += 1
            if once and passes > 1 and not watcher.busy and not watcher.waiting:
                return
            time.sleep(min(max(settle, 0.05), 1.0))
    finally:
        watcher.close()


def _say(line: str) -> None:
    _log.info("%s", line)
    print(line, flush=True)


def _print(client: Client, json: bool) -> None:
    now: dict[str, Any] = client.status()
    if json:
        print_json(_document({**now, "url": client.address.url, "page": client.page}))
        return
    since = time.strftime("%H:%M", time.localtime(time.time() - now["uptime"]))
    ends = f"ends after {now['idle_stop']:g} idle minutes" if now["idle_stop"] else "does not end by itself"
    print(f"Faceplate's engine {now['version']}, process {now['pid']}, since {since} ({clock(now['uptime'])}); {ends}")
    print(f"jobs: {now['running']} running, {now['queued']} waiting; on {', '.join(now['devices'])}")
    print(f"folders of jobs: {', '.join(now['roots'])}")
    print(f"state, log: {state_folder()}")
    print(f"page: {client.page}")


def _document(engine: dict[str, Any] | None) -> dict[str, Any]:
    return {"schema": "faceplate.engine.status/1", "folder": str(state_folder()), "engine": engine}
