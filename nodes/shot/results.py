"""The folder of a shot: what we write into it, where it grows unseen, and how it is put in place at the end.

What is under way lies in a hidden folder beside the result, with the key of its inputs and parameters, so that the same
command can go on with it. Files of others in the folder of a shot are never touched.
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
    """Raise OutputError now, not after an hour of work, where `out` cannot be made or written into; leaves no trace."""
    with writing(out):
        place = out
        while not place.exists() and place != place.parent:
            place = place.parent
        with tempfile.TemporaryDirectory(prefix=".faceplate-", dir=place):
            pass


def partial_folder(out: Path) -> Path:
    """Where the results for `out` grow: a hidden folder beside it, or in it where it is another disk or beside is read-only."""
    beside = out.with_name(f".{out.name}.partial")
    if beside.exists() or not out.exists():
        return beside
    same_disk = out.stat().st_dev == out.parent.stat().st_dev
    return beside if same_disk and os.access(out.parent, os.W_OK) else out / ".partial"


def only_run(out: Path) -> AbstractContextManager[None]:
    """Keep other runs out of `out`, and of what grows beside it. Raises OutputError, which names the other process."""
    partial = partial_folder(out.resolve())
    return only_one(partial.with_name(f"{partial.name}.lock"), "run", out)


def open_partial(out: Path, key: str) -> Path:
    """Make the partial folder for `out`, or go on with it when it has the same key; only whole patches and mattes stay."""
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
    """Remove a partial folder, as far as that is possible."""
    shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path) -> None:
    """Put the results in place, `shot.json` last, and remove what an earlier run left there; raises OutputError."""
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
                with suppress(OSError):  # not empty: something of others is in there
                    file.parent.rmdir()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """List files by their names relative to `folder`, one level of folders deep, which is all that we write."""
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
