"""Verify one thing that was signed: a file with its manifest in it or beside it, a sequence, or one frame of it."""

from __future__ import annotations

import errno
import io
from dataclasses import replace
from pathlib import Path

from nodes.credentials.binding import hash_files, listing, sidecars, sidecars_of_sequence
from nodes.credentials.frames import belonging, compare
from nodes.credentials.library import BYTES, EMBEDS, SIDECAR, Checked, check
from nodes.credentials.said import Said, understand
from nodes.credentials.trust import Trust
from nodes.credentials.verdict import State, Verdict, sentence
from nodes.errors import FootageError
from nodes.progress import Progress, quiet, stage

# What a sound manifest that is bound to something has when it is read alone.
_OF_NOTHING = tuple(f"assertion.{kind}Hash.mismatch" for kind in ("data", "bmff", "boxes", "collection"))
_LARGEST = 256 << 20  # bytes of a manifest


def verify_file(path: Path, trust: Trust, progress: Progress = quiet) -> Verdict:
    """Verify a file by the manifest in it, else by one beside it, its own or its sequence's. Raises FootageError if it is not there."""
    if not path.is_file():
        raise FootageError("does not exist", file=path, remedy="Check the path")
    kind, fault = EMBEDS.get(path.suffix.lower()), ""
    if kind is not None:
        try:
            with path.open("rb") as file:
                checked = check(kind, file, None, trust.roots)
            if checked is not None:
                return _judged(path, checked, trust)
        except ValueError as e:
            fault = f"what the file carries cannot be read, so it is damaged or cut off ({e})"
    sidecar = _sidecar_of(path)
    if sidecar is None:
        return Verdict(path, "changed", (fault,)) if fault else Verdict(path, "none")
    found = verify_sidecar(sidecar, trust, progress, only=path)
    if not found.intact and is_of_another(sidecar, path):
        return Verdict(path, "changed", (fault,)) if fault else Verdict(path, "none")
    if kind is not None and not found.intact and found.frames is None:
        gone = fault or "the manifest that was in the file is gone"
        return Verdict(path, "changed", (gone, *found.faults), found.said, sidecar)
    return found


def verify_sidecar(sidecar: Path, trust: Trust, progress: Progress = quiet, *, only: Path | None = None) -> Verdict:
    """Verify what a manifest in a file of its own is bound to: the file beside it, or the frames of a sequence.

    only: the file, or the one frame, to look at. Raises FootageError where there is no such manifest, or nothing beside it.
    """
    manifest = _read(sidecar)
    try:
        bare = check(BYTES, io.BytesIO(), manifest, trust.roots)
        if bare is None:
            raise ValueError("it holds no manifest")
        said = understand(bare.manifest)
        if own := tuple(fault for fault in bare.faults if fault[0] not in _OF_NOTHING):
            # What it says of files is not to be believed either.
            return _judged(only or sidecar, replace(bare, faults=own), trust, sidecar)
        if said.frames:
            bound = check(BYTES, io.BytesIO(listing(said.frames)), manifest, trust.roots)
            assert bound is not None
            return _of_frames(sidecar, bound, said, trust, progress, only)
        path = only or _subject(sidecar)
        with path.open("rb") as file:
            checked = check(BYTES, file, manifest, trust.roots)
        assert checked is not None
    except ValueError as e:
        return Verdict(only or sidecar, "changed", (f"the manifest is damaged or cut off ({e})",), sidecar=sidecar)
    return _judged(path, checked, trust, sidecar)


def names_in(sidecar: Path) -> frozenset[str]:
    """The names of the frames that a manifest beside them is of; none for that of a file, or for what cannot be read."""
    try:
        bare = check(BYTES, io.BytesIO(), _read(sidecar), ())
    except (ValueError, FootageError):
        return frozenset()
    return frozenset() if bare is None else frozenset(understand(bare.manifest).frames)


def _of_frames(
    sidecar: Path, bound: Checked, said: Said, trust: Trust, progress: Progress, only: Path | None
) -> Verdict:
    folder = sidecar.parent
    if only is None:
        names = belonging(said.frames, [f.name for f in folder.iterdir() if f.is_file()])
        signed = said.frames
    else:
        names, signed = [only.name], {only.name: said.frames[only.name]} if only.name in said.frames else {}
    tell = stage(progress, f"hash {sidecar.stem}", len(names))
    faults = compare(signed, hash_files([folder / name for name in names], tell), said.frames)
    first = only or folder / next(iter(said.frames))
    return _judged(first, bound, trust, sidecar, tuple(faults), len(names))


def _judged(
    path: Path,
    checked: Checked,
    trust: Trust,
    sidecar: Path | None = None,
    further: tuple[str, ...] = (),
    frames: int | None = None,
) -> Verdict:
    said = understand(checked.manifest)
    faults = (*dict.fromkeys(sentence(*fault) for fault in checked.faults), *further)
    state: State = "unknown"
    if faults:
        state = "changed"
    elif checked.trusted:
        state = "own" if said.signer == trust.own else "trusted"
    return Verdict(path, state, faults, said, sidecar, frames, checked.time_trusted)


def _sidecar_of(path: Path) -> Path | None:
    """The manifest beside a file: of its name, or of the sequence that it is a frame of."""
    for sidecar in sidecars(path, SIDECAR):
        if sidecar.is_file():
            return sidecar
    others = [*sidecars_of_sequence(path, SIDECAR), *sorted(path.parent.glob(f"*{SIDECAR}"))]
    return next((s for s in others if s.is_file() and path.name in names_in(s)), None)


def is_of_another(sidecar: Path, path: Path) -> bool:
    """Whether a manifest that does not fit a file is that of another one of its name, or of a sequence that it is no frame of."""
    if sidecar == sidecars(path, SIDECAR)[0]:
        return False
    if names := names_in(sidecar):
        return not belonging(dict.fromkeys(names, ""), [path.name])
    return any(_fits(sidecar, file) for file in _of_the_name(sidecar) if file != path)


def _fits(sidecar: Path, file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            checked = check(BYTES, opened, _read(sidecar), ())
    except (ValueError, OSError):
        return False
    return checked is not None and not any(code in _OF_NOTHING for code, _ in checked.faults)


def _of_the_name(sidecar: Path) -> list[Path]:
    beside = sorted(sidecar.parent.iterdir())
    return [f for f in beside if f.stem == sidecar.stem and f.suffix.lower() != SIDECAR and f.is_file()]


def _subject(sidecar: Path) -> Path:
    """The file that a manifest lies beside."""
    exact = sidecar.with_suffix("")
    if exact.suffix and exact.is_file():
        return exact
    beside = _of_the_name(sidecar)
    found = [f for f in beside if f.suffix.lower() not in EMBEDS] or beside  # others carry their own
    if len(found) > 1:
        found = [f for f in found if _fits(sidecar, f)] or found
    if len(found) == 1:
        return found[0]
    what = f"could be that of {' or '.join(f.name for f in found)}" if found else "lies beside no file of its name"
    raise FootageError(what, file=sidecar, remedy="Name the file to verify, with the manifest beside it")


def _read(sidecar: Path) -> bytes:
    try:
        if sidecar.exists() and not sidecar.is_file():
            raise OSError(errno.EINVAL, "it is no file")  # a pipe would be waited for
        with sidecar.open("rb") as file:
            manifest = file.read(_LARGEST + 1)
    except OSError as e:
        raise FootageError(f"cannot be read ({e.strerror or e})", file=sidecar, remedy="Check the path") from e
    if len(manifest) > _LARGEST:
        raise FootageError("is too large for a manifest", file=sidecar, remedy="Give a .c2pa file")
    return manifest
