"""Program of the engine, `python -m host_bridge.engine`. Clients start it this way; people use `faceplate engine start`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from host_bridge.client import state_folder


def main(arguments: list[str] | None = None) -> int:
    """Run until the engine ends, and return an exit status; also 0 if one is running already."""
    options = _parser().parse_args(arguments)
    ready = _detach() if options.detach and hasattr(os, "fork") else lambda: None
    from host_bridge.engine.server import AlreadyRunning, serve
    from nodes.errors import FaceplateError

    devices = [name for name in options.devices.split(",") if name]
    try:
        serve(state_folder(), options.idle_stop, devices, ready, log_to_file=options.detach)
    except AlreadyRunning as e:
        print(f"faceplate engine: {e}", file=sys.stderr)
        ready()
    except FaceplateError as e:
        print(f"faceplate engine: {e}", file=sys.stderr)
        return e.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError
    return value


def _detach() -> Callable[[], object]:
    """Fork, and go on as the child. The parent ends when the child fails, or calls the returned function."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        sys.exit(0 if os.read(reading, 1) else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or 1)
    os.close(reading)
    return lambda: os.write(writing, b"1")


if __name__ == "__main__":
    sys.exit(main())
