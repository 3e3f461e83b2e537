"""`python -m host_bridge.engine`: run the engine. Clients start it so; people use `faceplate engine start`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from host_bridge.client import state_folder

USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run until the engine ends, and return an exit status; 0 also if one runs already."""
    options = _options(arguments)
    ready: Callable[[], None] = lambda: None  # noqa: E731
    if options.detach and hasattr(os, "fork"):
        outcome = _detached()
        if isinstance(outcome, int):
            return outcome
        ready = outcome
    from host_bridge.engine.server import AlreadyRunning, serve
    from nodes.errors import FaceplateError

    devices = [name for name in options.devices.split(",") if name]
    try:
        serve(
            state_folder(),
            idle_stop=options.idle_stop,
            devices=devices,
            ready=ready,
            log_to_file=options.detach,
        )
    except AlreadyRunning as e:
        print(f"faceplate engine: {e}", file=sys.stderr)
        ready()
    except FaceplateError as e:
        print(f"faceplate engine: {e}", file=sys.stderr)
        return e.exit_status
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m host_bridge.engine", description="Faceplate's engine.")
    parser.add_argument("--detach", action="store_true", help="return when it is ready, log to engine.log")
    parser.add_argument(
        "--idle-stop",
        type=_minutes,
        default=os.environ.get("FACEPLATE_IDLE_STOP", "30"),
        metavar="MINUTES",
        help="end after so long without work, 0 for never (default 30, or FACEPLATE_IDLE_STOP)",
    )
    parser.add_argument(
        "--devices",
        default=os.environ.get("FACEPLATE_DEVICES", "cpu"),
        help="one job at a time runs on each: cpu, or cuda:0,cuda:1 (default cpu, or FACEPLATE_DEVICES)",
    )
    return parser.parse_args(arguments)


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError
    return value


def _detached() -> int | Callable[[], None]:
    """Fork. The parent waits until the engine is ready, and gets an exit status; the child gets the function that says it is ready."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        if os.read(reading, 1):
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or 1
    os.close(reading)

    def ready() -> None:
        os.write(writing, b"1")
        os.close(writing)

    return ready


if __name__ == "__main__":
    sys.exit(main())
