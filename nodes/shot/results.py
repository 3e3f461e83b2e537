"""The folder of a shot: its files, the hidden folder that they are written into, and its publication at the end.

Unfinished results lie in a hidden folder beside the final one, with the key of their inputs and parameters, so that the same
command can resume. Files of others in the folder of a shot are never touched.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from nodes.errors import writing
from nodes.files import only_one, whole_file
from nodes.parts import DOCUMENT, FOLDERS, is_kept, is_ours

_KEY = "key.json"


def check_writable(out: Path) -> None:
    """Raise OutputError before the work if `out` cannot be made or written into; leaves no trace."""
    with writing(out):
        place = out
        while not place.exists() and place != place.parent:
            place = place.parent
        with tempfile.TemporaryDirectory(prefix=".faceplate-", dir=place):
            pass


def partial_folder(out: Path) -> Path:
    """Return the hidden folder for unfinished results: beside `out`, or in it if it is another disk or its parent is read-only."""
    beside = out.with_name(f".{out.name}.partial")
    if beside.exists() or not out.exists():
        return beside
    same_disk = out.stat().st_dev == out.parent.stat().st_dev
    return beside if same_disk and os.access(out.parent, os.W_OK) else out / ".partial"


def only_run(out: Path) -> AbstractContextManager[None]:
    """Lock `out` and its partial folder against other runs. Raises OutputError, which names the other process."""
    partial = partial_folder(out.resolve())
    return only_one(partial.with_name(f"{partial.name}.lock"), "run", out)


def open_partial(out: Path, key: str) -> Path:
    """Make the partial folder for `out`, or resume it when it has the same key; only whole patches and mattes stay."""
    folder = partial_folder(out)
    with writing(out):
        if folder.exists() and _key(folder) != key:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in _files(folder):
            if not is_kept(name) and name != _KEY:
                file.unlink(missing_ok=True)
        with whole_file(folder / _KEY) as temporary:
            temporary.write_text(json.dumps({"schema": "faceplate.partial/1", "key": key}), "utf-8")
    return folder


def discard(folder: Path) -> None:
    """Remove a partial folder, as far as possible."""
    shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path) -> None:
    """Put the results in place, `shot.json` last, and remove an earlier run's files; raises OutputError."""
    with writing(out):
        (folder / _KEY).unlink(missing_ok=True)
        if not out.exists():
            folder.rename(out)
            return
        new = dict(_files(folder))
        (out / DOCUMENT).unlink(missing_ok=True)  # without it, the folder is not finished
        for name, file in sorted(new.items(), key=lambda item: item[0] == DOCUMENT):
            target = out / name
            target.parent.mkdir(exist_ok=True)
            file.replace(target)
        shutil.rmtree(folder)
        for name, file in list(_files(out)):
            if is_ours(name) and name not in new:
                file.unlink()
                with suppress(OSError):  # not empty: it holds other files
                    file.parent.rmdir()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """List files by their names relative to `folder`, one level of folders deep, as we write them."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if entry.name in FOLDERS:
                yield from ((f"{entry.name}/{file.name}", file) for file in sorted(entry.iterdir()) if file.is_file())
        else:
            yield entry.name, entry


def _key(folder: Path) -> str | None:
    try:
        document = json.loads((folder / _KEY).read_bytes())
        return str(document["key"]) if document["schema"] == "faceplate.partial/1" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
