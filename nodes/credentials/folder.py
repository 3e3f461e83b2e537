"""Find what is to be verified behind a path: a file, a manifest, a sequence, or a folder with the results of a shot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nodes.credentials.binding import sidecars, sidecars_of_sequence
from nodes.credentials.library import EMBEDS, SIDECAR
from nodes.credentials.trust import Trust
from nodes.credentials.verdict import Verdict
from nodes.credentials.verify import is_of_another, names_in, verify_file, verify_sidecar
from nodes.errors import FootageError
from nodes.footage.numbering import has_place, numbered
from nodes.progress import Progress, quiet

DOCUMENT, RECORD = "shot.json", "credentials"
_MOVIES = frozenset([".mkv", ".mxf", ".avi", ".webm"])


def verify(path: Path, trust: Trust, progress: Progress = quiet) -> list[Verdict]:
    """Verify a file, a `.c2pa`, a sequence (name.%04d.exr), or all that is in a folder. Raises FootageError where there is nothing."""
    if path.is_dir():
        found = list(_in_folder(path, trust, progress))
        if not found:
            raise FootageError(
                "holds nothing that could be verified", file=path, remedy="Give a file, or a shot's folder"
            )
        return found
    if has_place(path.name) and not path.exists():
        frame = numbered(path, 1)
        places = (place for place in sidecars_of_sequence(frame, SIDECAR) if place.is_file())
        sidecar = next((place for place in places if not is_of_another(place, frame)), None)
        return [_of_frames(path, sidecar, trust, progress) if sidecar else _without(path)]
    if path.suffix.lower() == SIDECAR:
        return [verify_sidecar(path, trust, progress)]
    found_one = verify_file(path, trust, progress)
    if found_one.state == "none" and path.name in dict(_recorded(path.parent)):
        return [Verdict(path, "removed", (_REMOVED,))]
    return [found_one]


_REMOVED = f"{DOCUMENT} says that it was signed, but there is no manifest of it in it or beside it"


def _without(pattern: Path) -> Verdict:
    folder = pattern.parent
    removed = any(Path(name).name == folder.name for name, _ in _recorded(folder.parent))
    return Verdict(pattern, "removed", (_REMOVED,)) if removed else Verdict(pattern, "none")


def _of_frames(subject: Path, sidecar: Path, trust: Trust, progress: Progress) -> Verdict:
    """Verify a sequence; a manifest in its place may be that of a single file, which does not lie there."""
    try:
        return verify_sidecar(sidecar, trust, progress)
    except FootageError:
        return Verdict(subject, "changed", ("the manifest beside it is that of another file",), sidecar=sidecar)


def _in_folder(folder: Path, trust: Trust, progress: Progress) -> Iterator[Verdict]:
    """What the shot's document says was signed, and what else has a manifest or could have one."""
    done: set[Path] = set()
    for name, manifest in _recorded(folder):
        subject, sidecar = folder / name, folder / manifest
        done |= {subject, sidecar}
        if not subject.exists():
            yield Verdict(subject, "removed", (f"{DOCUMENT} says that it was signed; it is gone",))
        elif not sidecar.is_file():
            yield Verdict(subject, "removed", (_REMOVED,))
        elif sidecar == subject:
            found = verify_file(subject, trust, progress)
            yield Verdict(subject, "removed", (_REMOVED,)) if found.state == "none" else found
        elif subject.is_dir():
            yield _of_frames(subject, sidecar, trust, progress)
        else:
            yield verify_sidecar(sidecar, trust, progress, only=subject)
    for place in (folder, *sorted(f for f in folder.iterdir() if f.is_dir())):
        yield from _loose(place, done, trust, progress, deep=place == folder)


def _loose(folder: Path, done: set[Path], trust: Trust, progress: Progress, *, deep: bool) -> Iterator[Verdict]:
    """What nothing was said of: manifests with what they are of, and, where it is asked for, files without one."""
    files = sorted(f for f in folder.iterdir() if f.is_file() and f not in done and not f.name.startswith("."))
    manifests = [f for f in files if f.suffix.lower() == SIDECAR]
    frames = frozenset[str]().union(*(names_in(s) for s in manifests)) if manifests else frozenset()
    for sidecar in manifests:
        if names_in(sidecar):
            yield verify_sidecar(sidecar, trust, progress)
    for file in files if deep else ():
        suffix = file.suffix.lower()
        beside = suffix != SIDECAR and not set(sidecars(file, SIDECAR)).isdisjoint(manifests)
        alone = suffix in EMBEDS or suffix in _MOVIES or beside
        if file.name not in frames and alone:
            yield verify_file(file, trust, progress)


def _recorded(folder: Path) -> list[tuple[str, str]]:
    """What a shot's document says was signed, and where the manifest is; nothing where there is no such document."""
    try:
        document: Any = json.loads((folder / DOCUMENT).read_bytes())
        listed = [(str(r["file"]), str(r["manifest"])) for r in document[RECORD]["results"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [pair for pair in listed if all(_is_within(folder, name) for name in pair)]


def _is_within(folder: Path, name: str) -> bool:
    """Whether a stranger's document names a place in the folder, and one that can be looked at."""
    try:
        place = folder / name
        place.is_file()
        return place.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False
