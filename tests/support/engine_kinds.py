"""Short kinds of jobs for the tests of the queue, and the real `detect`: what real jobs do, good and bad."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from host_bridge.jobs import KINDS as REAL
from host_bridge.jobs import Kind, Request
from host_bridge.reporting import Watch
from nodes.errors import FootageError
from trainer.watcher import TrainingProgress


class Plain(Request):
    """name: tells one from another. reads, out: files."""

    name: str = ""
    reads_from: Path | None = None
    out: Path | None = None
    steps: int = 10
    seconds: float = 0.0

    @property
    def title(self) -> str:
        return self.name


def count(request: Plain, watch: Watch) -> dict[str, Any]:
    """Count steps, and write them to a file that appears whole."""
    print("counting", request.name)
    for i in range(request.steps):
        watch.progress("count", i, request.steps)
        time.sleep(request.seconds / request.steps)
    watch.progress("count", request.steps, request.steps)
    if request.out is not None:
        write(request.out, "\n".join(map(str, range(request.steps))) + "\nend\n")
    return {"counted": request.steps, "pid": os.getpid()}


def learn(request: Plain, watch: Watch) -> dict[str, Any]:
    """Like a training: goes on from the step that a file holds, and tells its losses. SIGTERM ends it in good order."""
    assert request.out is not None
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    begun = int(request.out.read_text()) if request.name.startswith("again") and request.out.exists() else 0
    with request.out.with_suffix(".runs").open("a") as runs:
        runs.write(f"{begun}\n")
    step = begun
    while step < request.steps and not asked:
        step += 1
        time.sleep(request.seconds / request.steps)
        write(request.out, str(step))
        now = TrainingProgress(
            step, request.steps, step * 0.1, 10.0, (request.steps - step) / 10, 1 / step, {"colour": 1 / step}
        )
        watch.training(now)
    signal.signal(signal.SIGTERM, before)
    return {"steps": step, "loss": float("nan")}


def fail(request: Plain, watch: Watch) -> dict[str, Any]:
    """Fail as its name says."""
    print("about to fail", file=sys.stderr)
    if request.name == "ours":
        raise ZeroDivisionError("of our own\nmaking")
    if request.name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request.name == "leave":
        os._exit(3)
    raise FootageError("has no frames", file="clip.mov", frame=7, remedy="Record it again")


def hang(request: Plain, watch: Watch) -> dict[str, Any]:
    """Ignore SIGTERM, with processes of its own: one in its group and one that has left it; their numbers are in `out`."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(100)"]
    pids = [os.getpid()]
    pids += [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
    assert request.out is not None
    write(request.out, " ".join(map(str, pids)))
    watch.progress("hang", 0, None)
    if request.name == "stuck":
        ctypes.PyDLL(None).sleep(600)  # in a library that lets no other thread run
    while True:
        time.sleep(60)


def tell(request: Plain, watch: Watch) -> dict[str, Any]:
    """Tell as much as there is: messages, pictures, thousands of steps."""
    assert request.reads_from is not None
    for i in range(request.steps):
        watch.progress("tell", i, request.steps)
        watch.training(TrainingProgress(i, None, 0.0, 1.0, None, 1.0 / (i + 1), {}))
        time.sleep(request.seconds / request.steps)
    for i in range(60):
        watch.message(f"message {i}")
    watch.preview(request.reads_from)
    watch.preview(request.reads_from.with_name("missing.png"))
    return {"inf": float("inf"), "path": request.reads_from}


def write(path: Path, text: str) -> None:
    """Write a file that appears whole, in two halves, so that a kill has something to halve."""
    from nodes.files import whole_file

    with whole_file(path) as temporary, temporary.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        file.write(text[len(text) // 2 :])


def _again(request: Plain) -> Plain:
    return request.model_copy(update={"name": f"again {request.name}"})


KINDS = {
    "count": Kind("count", count, priority=10),
    "learn": Kind("learn", learn, priority=0, again=_again),
    "fail": Kind("fail", fail, priority=10),
    "hang": Kind("hang", hang, priority=10),
    "tell": Kind("tell", tell, priority=10),
    "quick": Kind("quick", count, priority=100, warm=True),
    "detect": REAL["detect"],
}
