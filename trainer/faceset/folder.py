"""The folder of a faceset: it appears whole or not at all, and takes the place of an earlier one only at the end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from nodes.errors import FaceplateError, OutputError, writing
from nodes.files import beside
from trainer.faceset.faceset import ARRAYS, DOCUMENT, ENTRIES, read_document

SHEET, LEFT_OUT = "sheet.png", "left_out.csv"
_EARLIER = "tones.npy"  # of version 1
_OURS = {*(f"{name}.npy" for name in ARRAYS), ENTRIES, DOCUMENT, SHEET, LEFT_OUT, _EARLIER}


def check_replaceable(out: Path) -> None:
    """Raise OutputError unless `out` is free, an empty folder, or an earlier faceset."""
    with writing(out):
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
    try:
        read_document(out)
    except FaceplateError as e:
        if not (out / DOCUMENT).is_file():  # a damaged faceset may be replaced: that is its remedy
            raise OutputError(
                "stands there and is no faceset", file=out, remedy="Choose another folder with --out, or empty this one"
            ) from e


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` that becomes `out` when the block ends, and goes when it fails.

    Files in `out` that are not a faceset's stay. Whoever has mapped the earlier arrays keeps them. Raises OutputError.
    """
    check_replaceable(out)
    with writing(out):
        new = beside(out.with_name(out.name + ".faceset"))
        _sweep(new)
        new.mkdir()
    try:
        yield new
        with writing(out):
            _put_in_place(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_in_place(new: Path, out: Path) -> None:
    if not out.exists():
        new.rename(out)
        return
    old = beside(out.with_name(out.name + ".faceset"))
    out.rename(old)
    try:
        new.rename(out)
    except BaseException:
        old.rename(out)
        raise
    for entry in old.iterdir():
        if entry.name not in _OURS:
            entry.rename(out / entry.name)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(new: Path) -> None:
    """Remove what a killed process left beside: folders named like `new` whose process is gone."""
    alike = re.compile(re.sub(r"\d+-\d+", r"(\\d+)-\\d+", re.escape(new.name).replace(r"\-", "-")))
    for entry in new.parent.iterdir():
        found = alike.fullmatch(entry.name)
        if found and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(entry, ignore_errors=True)
