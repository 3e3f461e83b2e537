"""The commands, imported only when they are called, and how each run ends: one line and an exit status, never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from cyclopts import App, CycloptsError

from nodes.errors import FaceplateError
from nodes.text import printable

USAGE, INTERRUPTED, TERMINATED = 2, 130, 143
DEBUG = "FACEPLATE_DEBUG"
AGAIN = "the same command goes on from here"

COMMANDS = {
    "detect": "Find and follow the faces of a clip.",
    "align": "Write aligned images of a subject, with masks and transforms, or put edited ones back.",
    "swap": "Replace a face in a shot: composite, patch, matte, preview and report.",
    "faceset": "Gather the crops of one performer from clips, ready to train on.",
    "train": "Train a model for a shot on two facesets, or a base for such on more.",
    "timeline": "Find the shots of an edit, train and swap them, and hand the edit back with the results in place.",
    "performer": "Record, show, revoke and verify the consent of performers.",
    "credentials": "Show and verify the Content Credentials of results.",
    "demo": "Train on the sample footage and swap a face in it.",
    "subject": "Make, fit, show and list subjects: what is aligned and swapped, faces or anything else.",
    "engine": "Start, stop and show the engine, and allow it folders.",
    "jobs": "List, show, cancel and retry the engine's jobs, and read their logs.",
    "fusion": "Write a shot for Fusion and DaVinci Resolve, and the Fuses that show shots there.",
    "report": "Measure a finished shot and write its report again.",
    "cache": "Say what is kept of footage that was looked at, or drop it.",
    "doctor": "Say what is there on this machine, and what is missing.",
    "nodes": "List the nodes and their parameters.",
}


class Terminated(KeyboardInterrupt):
    """SIGTERM: end as cleanly as on Ctrl-C. Both may say how to go on, where that is not by the same command."""


def make_app() -> App:
    """Put the commands together; none is imported."""
    app = App(
        name="faceplate",
        help="Face replacement as nodes: detect, align, mask, swap; and a trainer that makes the model for a shot.",
        version=_version,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    for i, (name, help_text) in enumerate(COMMANDS.items()):
        app.command(f"host_bridge.cli.commands.{name}:{name}", name=name, help=help_text, sort_key=i)
    return app


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run, and return the exit status; a command may return its own."""
    with contextlib.suppress(ValueError, AttributeError):  # not the main thread, or no such signal
        signal.signal(signal.SIGTERM, _terminate)
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = make_app()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except FaceplateError as e:
        return _end(str(e), e.exit_status)
    except CycloptsError as e:
        return _end(_usage(e, tokens), USAGE)
    except Terminated as e:
        return _end(f"terminated; {str(e) or AGAIN}", TERMINATED)
    except KeyboardInterrupt as e:
        return _end(f"interrupted; {str(e) or AGAIN}", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough of it; Python would complain once more when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _end("there is not enough memory; close other programs, or use a shorter --range", 1)
    except Exception as e:
        what = next(iter(str(e).splitlines()), "")
        return _end(f"internal error: {type(e).__name__}: {what} (set {DEBUG}=1 to see where)", 1)
    return status if isinstance(status, int) else 0


def _end(message: str, status: int) -> int:
    """Print the one line that says why it ended."""
    if os.environ.get(DEBUG):
        traceback.print_exc()
    print(f"faceplate: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status


def _usage(error: CycloptsError, tokens: list[str]) -> str:
    command = next((t for t in tokens if t in COMMANDS), None)
    cause = error.__cause__
    details = getattr(cause, "errors", None)
    if callable(details):  # pydantic's: one line for each value that it refuses
        told = "; ".join(f"--{str(d['loc'][0]).replace('_', '-')} {d['input']}: {d['msg']}" for d in details())
    else:
        told = " ".join(str(error).split())
    return f"{told.rstrip('.')}. See faceplate {command + ' ' if command else ''}--help."


def _version() -> str:
    from importlib.metadata import version

    return version("faceplate")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
