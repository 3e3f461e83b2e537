"""Roots: folders that jobs may read and write, the user's home and those of `faceplate engine allow`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from host_bridge.jobs import Request
from nodes.errors import Action, FaceplateError, SchemaError, writing
from nodes.files import whole_file
from nodes.text import own_command

SCHEMA = "faceplate.roots/1"


class OutsideError(FaceplateError):
    """A path that jobs may not touch."""

    exit_status = 2


class Roots:
    """The folders of one state folder's engine, read anew for each job, so that changes take effect at once."""

    def __init__(self, state: Path) -> None:
        self._state = Path(os.path.realpath(state))

    def folders(self) -> list[Path]:
        """List the allowed folders, symbolic links resolved; FACEPLATE_ROOTS stands in for the home if it is set. Raises SchemaError."""
        instead = os.environ.get("FACEPLATE_ROOTS")
        first = [part for part in instead.split(os.pathsep) if part] if instead else [str(Path.home())]
        return [Path(os.path.realpath(Path(folder).expanduser())) for folder in (*first, *_read(self._file))]

    def check(self, request: Request) -> None:
        """Raise OutsideError unless all that a job reads and writes lies in an allowed folder, links and `..` resolved.

        Jobs never write into the engine's state folder, nor to hidden files or folders such as `~/.ssh` and `~/.bashrc`.
        """
        folders = self.folders()
        for path in request.reads():
            _inside(path, folders)
        for path in request.writes():
            real, folder = _inside(path, folders)
            if real.is_relative_to(self._state) or self._state.is_relative_to(real):
                raise OutsideError("the engine keeps its own files there", file=path, remedy="Choose another folder")
            if any(part.startswith(".") for part in real.relative_to(folder).parts):
                raise _refused(
                    "is hidden, and jobs do not write there by default", path, real, "Choose another folder, or allow"
                )

    def check_read(self, path: Path) -> None:
        """Raise OutsideError unless a file lies in an allowed folder, links and `..` resolved."""
        _inside(path, self.folders())

    def allow(self, folder: Path) -> list[str]:
        """Add a folder and all below it, and return the added folders; raises OutsideError if it is not a folder, OutputError."""
        real = os.path.realpath(folder.expanduser())
        if not Path(real).is_dir():
            raise OutsideError("is no folder", file=folder, remedy="Make it first")
        added = _read(self._file)
        return added if real in added else self._write([*added, real])

    def forget(self, folder: Path) -> list[str]:
        """Remove an added folder; the home stays. Returns the others."""
        real, added = os.path.realpath(folder.expanduser()), _read(self._file)
        if real not in added:
            raise OutsideError("was not allowed", file=folder, remedy="See faceplate engine allow")
        return self._write([path for path in added if path != real])

    @property
    def _file(self) -> Path:
        return self._state / "roots.json"

    def _write(self, folders: list[str]) -> list[str]:
        with writing(self._state):
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(self._file) as temporary:
            temporary.write_text(json.dumps({"schema": SCHEMA, "folders": folders}, indent=2), "utf-8")
        return folders


def _inside(path: Path, folders: list[Path]) -> tuple[Path, Path]:
    """Return the real path, and the innermost allowed folder that it lies in."""
    try:
        real = Path(os.path.realpath(path))
        os.fsencode(real)
    except (ValueError, OSError) as e:  # a null byte or a loop of links
        raise OutsideError("is not a path", file=repr(str(path))[:200], remedy="Give an absolute path") from e
    if not path.is_absolute():  # ~ neither: not every job resolves it
        raise OutsideError("is not absolute", file=path, remedy="The engine has a folder of its own: give a whole path")
    within = [folder for folder in folders if real.is_relative_to(folder)]
    if not within:
        raise _refused("lies outside the folders that jobs may use", path, real, "Allow")
    return real, max(within, key=lambda folder: len(folder.parts))


def _refused(what: str, path: Path, real: Path, allow: str) -> OutsideError:
    """Make an error with the command and the button that allow the innermost folder that is there."""
    folder = str(next(parent for parent in real.parents if parent.is_dir()))
    remedy, action = (
        f"{allow} it with: {own_command('engine', 'allow', folder)}",
        Action("allow_folder", {"folder": folder}),
    )
    return OutsideError(what, file=os.path.normpath(path), remedy=remedy, action=action)


def _read(file: Path) -> list[str]:
    try:
        document: Any = json.loads(file.read_text("utf-8"))
        schema, folders = document["schema"], document["folders"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError("is damaged", file=file, remedy="Delete it and allow the folders again") from e
    if schema != SCHEMA or not isinstance(folders, list):
        raise SchemaError(f"is not a {SCHEMA}", file=file, remedy="Update Faceplate, or delete the file")
    return [str(folder) for folder in folders]
