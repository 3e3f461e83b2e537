"""The log of a run: decisions and their reasons, through the standard library's logging.

Modules ask for `logging.getLogger(__name__)` and no more. Only a process of our own (a command, a job, the engine) writes it anywhere,
by :func:`logging_to`; in a host, and in a program that uses us as a library, logging stays unchanged.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from nodes.errors import ConsentError

KEPT, LONGEST = 100, 1 << 20  # files in the folder; bytes of one, of which the last is kept too
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OURS = ("nodes", "trainer", "host_bridge")


@contextmanager
def logging_to(*handlers: logging.Handler) -> Iterator[None]:
    """Send the records of this process to `handlers` while the block lasts: ours from INFO on, those of libraries from WARNING on."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in _OURS]
    before, levels = root.handlers[:], [logger.level for logger in ours]
    for handler in handlers:
        _add(handler)
    for logger in ours:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for handler in root.handlers[:]:
            if handler not in before:
                root.removeHandler(handler)
                handler.close()
        for logger, level in zip(ours, levels, strict=True):
            logger.setLevel(level)


def log_to_stderr() -> None:
    """Show the log on stderr too, until the block of :func:`logging_to` ends."""
    _add(Stderr())


def log_failure(logger: logging.Logger, error: BaseException) -> None:
    """Log the error that ended a run, with its traceback; of a refusal only the place, since its text names a performer."""
    link: BaseException | None = error
    while link is not None:
        if getattr(link, "exit_status", 0) == ConsentError.exit_status:  # a job's error too
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s; the answer says whose consent is missing\n%s", type(error).__name__, where)
            return
        link = link.__cause__ or link.__context__
    logger.error("%s", type(error).__name__, exc_info=error)


class Stderr(logging.StreamHandler[TextIO]):
    """A handler that writes to the current stderr, which progress bars and tests replace."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        """The stream."""
        return sys.stderr


class RunLog(RotatingFileHandler):
    """A file in `folder` that appears with its first record, under a heading. A log that cannot be written stops no run.

    The `KEPT` latest files are kept, each with at most `LONGEST` bytes and as many before those. has_errors: whether
    an error is among its records.
    """

    has_errors = False

    def __init__(self, folder: Path, name: str, heading: str) -> None:
        self._folder, self._heading = folder, heading
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{os.getpid()}.txt"
        super().__init__(path, maxBytes=LONGEST, backupCount=1, encoding="utf-8", delay=True, errors="backslashreplace")

    @property
    def path(self) -> Path | None:
        """The file, None while there is none."""
        path = Path(self.baseFilename)
        return path if path.is_file() else None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.has_errors |= record.levelno >= logging.ERROR
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore the error: a full disk is reported where results are written."""

    def _open(self) -> TextIOWrapper:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _keep_newest(self._folder)
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        stream = TextIOWrapper(os.fdopen(fd, "ab"), encoding=self.encoding, errors=self.errors)
        if not os.fstat(fd).st_size:
            stream.write(self._heading + "\n")
        return stream


def log_file() -> Path | None:
    """Return the log of this run, None without one."""
    return next((h.path for h in logging.getLogger().handlers if isinstance(h, RunLog)), None)


def _keep_newest(folder: Path) -> None:
    dated_files = []
    for file in folder.glob("*.txt*"):
        with suppress(OSError):
            dated_files.append((file.stat().st_mtime, file))
    for _, file in sorted(dated_files, reverse=True)[KEPT - 1 :]:
        with suppress(OSError):
            file.unlink()


def _add(handler: logging.Handler) -> None:
    if handler.formatter is None:
        handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger().addHandler(handler)
