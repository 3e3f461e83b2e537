"""What a job's process tells the engine: JSON, one line an event, on a pipe of its own."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from host_bridge.client import state_folder
from host_bridge.reporting import Watch
from trainer.watcher import Progress

PICTURES = "pictures"
PREVIEW = "preview.png"
_EVERY = 0.05
_log = logging.getLogger(__name__)


class Line:
    """The pipe to the engine. Events are whole lines, whichever thread sends them."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()

    def send(self, event: str, **told: Any) -> None:
        """Send one event; an engine that no longer listens is no concern of the job's."""
        line = json.dumps(finite({"event": event, **told}), default=str).encode() + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except BrokenPipeError:
                return


class Teller(Watch):
    """Passes on what a job tells of itself. folder: the job's own, where copies of its pictures are kept."""

    def __init__(self, line: Line, folder: Path) -> None:
        self._line, self._folder = line, folder
        self._stage: tuple[str, int | None] | None = None
        self._next = 0.0
        self._previews = 0

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Tell it, but not more often than anyone can look: of every stage the start and the end, and some of what is between."""
        now = time.monotonic()
        if (stage, total) == self._stage and done != total and now < self._next:
            return
        self._stage, self._next = (stage, total), now + _EVERY
        self._line.send("progress", stage=stage, done=done, total=total)

    def training(self, now: Progress) -> None:
        """Tell how the training stands."""
        self._line.send("training", **asdict(now))

    def message(self, line: str) -> None:
        """Tell it."""
        self._line.send("message", line=line)

    def preview(self, picture: Path) -> None:
        """Keep a copy: the picture may change again, or lie where the engine has no business to look."""
        from nodes.files import whole_file

        try:
            for copy in (self._folder / PICTURES / picture.name, self._folder / PREVIEW):
                with whole_file(copy, sync=False) as temporary:
                    shutil.copyfile(picture, temporary)
        except Exception as e:  # a full disk, say: the work is worth more than its picture
            _log.exception("no preview: %s", e)
            return
        self._line.send("preview", name=picture.name)

    def may_read(self, path: Path) -> None:
        """Ask for what the engine asks of a request's own paths."""
        from host_bridge.engine.http.roots import Roots

        Roots(state_folder()).check_read(path)


def finite(value: Any) -> Any:
    """A value as JSON can hold it: what is not a number is null."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
