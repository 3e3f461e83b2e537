"""The application: commands, imported only when called; errors become one line and an exit status, with the traceback in a log."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from host_bridge.client import EngineError, state_folder
from nodes import __version__
from nodes.errors import FaceplateError
from nodes.log import RunLog, log_failure, log_to_stderr, logging_to
from nodes.text import command_line, is_command, printable, sentence

USAGE, INTERRUPTED, TERMINATED = 2, 130, 143
AGAIN = "the same command goes on from here"
_VERBOSE = "Show the log of the run on stderr too: what is decided, and why."
_log = logging.getLogger(__name__)

COMMANDS = {
    "detect": "Find and follow the faces of a clip.",
    "align": "Write aligned images of a subject, with masks and transforms, or put edited ones back.",
    "swap": "Replace a face in a shot: composite, patch, matte, preview and report.",
    "faceset": "Gather the crops of one performer from clips, ready to train on.",
    "train": "Train a model for a shot on two facesets, or a base model on more than two.",
    "timeline": "Find the shots of an edit, train and swap them, and hand the edit back with the results in place.",
    "performer": "Record, show, revoke and verify the consent of performers.",
    "credentials": "Show and verify the Content Credentials of results.",
    "demo": "Train on the sample footage and swap a face in it.",
    "subject": "Make, fit, show and list subjects: what is aligned and swapped, faces or anything else.",
    "engine": "Start, stop and show the engine, and allow it folders.",
    "jobs": "List, show, cancel and retry the engine's jobs, and read their logs.",
    "fusion": "Write a shot for Fusion and DaVinci Resolve, and the Fuses that show shots there.",
    "report": "Measure a finished shot and write its report again.",
    "cache": "Show or clear the analysis cache.",
    "doctor": "Check this machine for what Faceplate needs.",
    "nodes": "List the nodes and their parameters.",
}


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled as Ctrl-C. Its message says how to go on, if not by the same command."""


def make_app() -> App:
    """Put the commands together; none is imported."""
    app = App(
        name="faceplate",
        help="Face replacement as nodes: detect, align, mask, swap; and a trainer that makes the model for a shot.",
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    for i, (name, help_text) in enumerate(COMMANDS.items()):
        app.command(f"host_bridge.cli.commands.{name}:{name}", name=name, help=help_text, sort_key=i)

    @app.meta.default
    def with_log(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        verbose: Annotated[
            bool, Parameter(("--verbose", "-v"), negative=(), show_default=False, help=_VERBOSE)
        ] = False,
    ) -> Any:
        if verbose:
            log_to_stderr()
        return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")

    app.meta.suppress_keyboard_interrupt = False  # `_run` says how it ended
    return app.meta


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run, and return the exit status; a command may return its own."""
    with contextlib.suppress(ValueError, AttributeError):  # not the main thread, or no such signal
        signal.signal(signal.SIGTERM, _terminate)
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    log = RunLog(state_folder() / "logs", _command(tokens) or "faceplate", _heading(tokens))
    with logging_to(log):
        status = _run(tokens, log)
        if log.path:
            _log.info("ends with status %d", status)
        return status


def _run(tokens: list[str], log: RunLog) -> int:
    try:
        status = make_app()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (FaceplateError, EngineError) as e:
        if e.names_log or e.exit_status == USAGE:  # for a wrong option the message suffices
            return _end(e.plain, e.exit_status, remedy=e.remedy)
        log_failure(_log, e)
        return _end(e.plain, e.exit_status, log, e.remedy)
    except CycloptsError as e:
        return _end(_usage(e, tokens), USAGE)
    except Terminated as e:
        return _end(f"terminated; {str(e) or AGAIN}", TERMINATED)
    except KeyboardInterrupt as e:
        return _end(f"interrupted; {str(e) or AGAIN}", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has closed it; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as e:
        log_failure(_log, e)
        return _end("there is not enough memory.", 1, log, "Close other programs, or use a shorter --range")
    except Exception as e:
        log_failure(_log, e)
        what = next(iter(str(e).splitlines()), "")
        return _end(f"internal error: {type(e).__name__}: {what}", 1, log)
    status = status if isinstance(status, int) else 0
    if status and log.has_errors and log.path:  # shots that failed, say: the command has told which
        print(f"faceplate: the log of this run is {printable(str(log.path))}", file=sys.stderr)
    return status


def _end(message: str, status: int, log: RunLog | None = None, remedy: str | None = None) -> int:
    """Print the one line that says why it ended, and where its log is; a command is its end, to be pasted."""
    where, remedy = f"(log: {log.path})" if log and log.path else "", sentence(remedy) if remedy else ""
    parts = (message, where, remedy) if is_command(remedy) else (message, remedy, where)
    print(f"faceplate: {printable(' '.join(' '.join(filter(None, parts)).splitlines()))}", file=sys.stderr)
    return status


def _heading(tokens: list[str]) -> str:
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"faceplate {__version__}, {system}, in {_here()}\n$ {command_line('faceplate', *tokens)}"


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return "a folder that is gone"


def _command(tokens: list[str]) -> str | None:
    return next((t for t in tokens if t in COMMANDS), None)


def _usage(error: CycloptsError, tokens: list[str]) -> str:
    command = _command(tokens)
    message = " ".join(str(error).split())
    if callable(getattr(error.__cause__, "errors", None)):  # pydantic's, which names every value that it refuses
        from host_bridge.cli.options import faults

        message = faults(error.__cause__)  # type: ignore[arg-type]
    return f"{message.rstrip('.')}. See faceplate {command + ' ' if command else ''}--help."


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
