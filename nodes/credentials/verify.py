"""Verification of Content Credentials: of a file, a sequence or one of its frames by the manifest, of a shot by its document."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodes.credentials.binding import SIDECAR, around_number, hash_files, listing, sidecars
from nodes.credentials.identity import Trust
from nodes.credentials.library import BYTES, CheckedManifest, check
from nodes.credentials.manifest import summary_of
from nodes.credentials.verdict import Verdict, VerdictState, sentence
from nodes.errors import FootageError
from nodes.footage.formats import EMBEDS
from nodes.footage.numbering import has_place, numbered
from nodes.parts import DOCUMENT
from nodes.progress import Progress, quiet, stage

# Faults of a sound manifest when it is read without its file.
_OF_NOTHING = tuple(f"assertion.{kind}Hash.mismatch" for kind in ("data", "bmff", "boxes", "collection"))
_LARGEST = 256 << 20  # bytes of a manifest
_REMOVED = f"{DOCUMENT} says that it was signed, but there is no manifest of it in it or beside it"
_NAMED = 5  # frames named in a sentence


def verify(path: Path, trust: Trust, progress: Progress = quiet) -> list[Verdict]:
    """Verify a file, a `.c2pa`, a sequence (name.%04d.exr), or a folder: a shot's by its document, another by the manifests in it.

    Raises FootageError where there is nothing to verify.
    """
    if path.is_dir():
        verdicts = [_verify_result(path / name, path / manifest, trust, progress) for name, manifest in _recorded(path)]
        verdicts = verdicts or [verify_sidecar(file, trust, progress) for file in sorted(path.glob(f"*{SIDECAR}"))]
        if not verdicts and (path / DOCUMENT).is_file():
            return [Verdict(file=path, state="none")]
        if not verdicts:
            remedy = "Give a file, or a shot's folder"
            raise FootageError("holds nothing that could be verified", file=path, remedy=remedy)
        return verdicts
    if path.suffix.lower() == SIDECAR:
        return [verify_sidecar(path, trust, progress)]
    if has_place(path.name) and not path.exists():
        return [_verify_sequence(path, trust, progress)]
    verdict = verify_file(path, trust, progress)
    if verdict.state == "none" and path.name in dict(_recorded(path.parent)):
        return [Verdict(file=path, state="removed", faults=(_REMOVED,))]
    return [verdict]


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
    sidecar = next((place for place in (*sidecars(path), *sidecars([path])) if _is_for(place, path)), None)
    alone = Verdict(file=path, state="changed" if fault else "none", faults=(fault,) if fault else ())
    if sidecar is None:
        return alone
    verdict = verify_sidecar(sidecar, trust, progress, only=path)
    if not verdict.intact and any(_fits(sidecar, file) for file in _of_the_name(sidecar) if file != path):
        return alone
    if kind is not None and not verdict.intact and verdict.frames is None:
        reason = fault or "the manifest that was in the file is gone"
        return verdict.model_copy(update={"state": "changed", "faults": (reason, *verdict.faults)})
    return verdict


def verify_sidecar(sidecar: Path, trust: Trust, progress: Progress = quiet, *, only: Path | None = None) -> Verdict:
    """Verify the files that a separate manifest is bound to: the file beside it, or the frames of a sequence.

    only: the file, or the one frame, to look at. Raises FootageError without such a manifest, or without a file beside it.
    """
    manifest = _read(sidecar)
    try:
        bare = check(BYTES, io.BytesIO(), manifest, trust.roots)
        if bare is None:
            raise ValueError("it holds no manifest")
        frames = summary_of(bare.manifest).frames
        if own := tuple(fault for fault in bare.faults if fault[0] not in _OF_NOTHING):
            # Its list of files cannot be trusted either.
            return _judged(only or sidecar, replace(bare, faults=own), trust, sidecar)
        path = None if frames else only or _subject(sidecar)
        with path.open("rb") if path else io.BytesIO(listing(frames)) as data:
            bound = check(BYTES, data, manifest, trust.roots)
    except ValueError as e:
        fault = f"the manifest is damaged or cut off ({e})"
        return Verdict(file=only or sidecar, state="changed", faults=(fault,), sidecar=sidecar)
    assert bound is not None
    if path:
        return _judged(path, bound, trust, sidecar)
    present = [only.name] if only else [f.name for f in sidecar.parent.iterdir() if f.is_file()]
    names = [name for name in frames if name in present] + sorted(name for name in present if _is_added(name, frames))
    report = stage(progress, f"hash {sidecar.stem}", len(names))
    hashes = hash_files([sidecar.parent / name for name in names], report)
    signed = {name: digest for name, digest in frames.items() if only is None or name == only.name}
    first = only or sidecar.parent / next(iter(frames))
    verdict = _judged(first, bound, trust, sidecar, _compare(signed, hashes, frames))
    return verdict.model_copy(update={"frames": len(names)})


def _verify_sequence(pattern: Path, trust: Trust, progress: Progress) -> Verdict:
    """Verify a sequence by the manifest beside it, which may be that of a single file elsewhere."""
    frame = numbered(pattern, 1)
    sidecar = next((place for place in sidecars([frame]) if _is_for(place, frame)), None)
    if sidecar is None:
        removed = any(Path(name).name == pattern.parent.name for name, _ in _recorded(pattern.parent.parent))
        return (
            Verdict(file=pattern, state="removed", faults=(_REMOVED,))
            if removed
            else Verdict(file=pattern, state="none")
        )
    return _verify_frames(pattern, sidecar, trust, progress)


def _verify_frames(subject: Path, sidecar: Path, trust: Trust, progress: Progress) -> Verdict:
    try:
        return verify_sidecar(sidecar, trust, progress)
    except FootageError:
        fault = "the manifest beside it is that of another file"
        return Verdict(file=subject, state="changed", faults=(fault,), sidecar=sidecar)


def _verify_result(subject: Path, sidecar: Path, trust: Trust, progress: Progress) -> Verdict:
    """Verify a result that a shot's document lists as signed: a file, or the folder of a sequence."""
    if not subject.exists():
        return Verdict(file=subject, state="removed", faults=(f"{DOCUMENT} says that it was signed; it is gone",))
    removed = Verdict(file=subject, state="removed", faults=(_REMOVED,))
    if not sidecar.is_file():
        return removed
    is_sequence = subject.is_dir()
    verdict = (
        _verify_frames(subject, sidecar, trust, progress) if is_sequence else verify_file(subject, trust, progress)
    )
    return removed if verdict.state == "none" else verdict


def _judged(
    path: Path, checked: CheckedManifest, trust: Trust, sidecar: Path | None = None, further: Sequence[str] = ()
) -> Verdict:
    manifest = summary_of(checked.manifest)
    faults = tuple(dict.fromkeys([*(sentence(*fault) for fault in checked.faults), *further]))
    intact: VerdictState = "unknown" if not checked.trusted else "own" if manifest.serial == trust.own else "trusted"
    return Verdict(
        file=path,
        state="changed" if faults else intact,
        faults=faults,
        manifest=manifest,
        sidecar=sidecar,
        time_trusted=checked.time_trusted,
    )


def _compare(signed: Mapping[str, str], hashes: Mapping[str, str], whole: Mapping[str, str]) -> list[str]:
    """Say how the frames there are (`hashes` by name) differ from those signed, a part of the `whole` sequence.

    A frame in another's place is distinguished from a changed one.
    """
    changed = [name for name, digest in signed.items() if name in hashes and hashes[name] != digest]
    owner = {digest: name for name, digest in whole.items()}
    moved = [name for name in changed if owner.get(hashes[name]) not in (None, name)]
    differences = {
        "changed after signing": [name for name in changed if name not in moved],
        "exchanged for other frames of the sequence": moved,
        "removed": [name for name in signed if name not in hashes],
        "added": [name for name in hashes if name not in signed],
    }
    sentences = []
    for what, names in differences.items():
        count = "a frame was" if len(names) == 1 else f"{len(names)} frames were"
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        sentences += [f"{count} {what}: {', '.join(names[:_NAMED])}{more}"] if names else []
    return sentences


def _is_added(name: str, frames: Mapping[str, str]) -> bool:
    """Tell whether a file of this name looks like a frame of a signed sequence but is not in it."""
    return name not in frames and (around_number(name) or ()) in {around_number(frame) for frame in frames}


def _is_for(sidecar: Path, path: Path) -> bool:
    """Tell whether there is a manifest, except that of a sequence to which this file does not belong."""
    if not sidecar.is_file():
        return False
    try:
        bare = check(BYTES, io.BytesIO(), _read(sidecar))
        frames = summary_of(bare.manifest).frames if bare else {}
    except (ValueError, FootageError):  # its reader reports the fault
        return True
    return not frames or path.name in frames or _is_added(path.name, frames)


def _recorded(folder: Path) -> list[tuple[str, str]]:
    """List the results that a shot's document says were signed, each with its manifest, if both are within the folder."""
    try:
        document: Any = json.loads((folder / DOCUMENT).read_bytes())
        pairs = [(str(r["file"]), str(r["manifest"])) for r in document["credentials"]["results"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [pair for pair in pairs if all(_is_within(folder, name) for name in pair)]


def _is_within(folder: Path, name: str) -> bool:
    """Tell whether an untrusted document names an accessible path in the folder."""
    try:
        place = folder / name
        place.is_file()
        return place.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def _subject(sidecar: Path) -> Path:
    """Find the file that a manifest lies beside."""
    exact = sidecar.with_suffix("")
    if exact.suffix and exact.is_file():
        return exact
    beside = _of_the_name(sidecar)
    files = [f for f in beside if f.suffix.lower() not in EMBEDS] or beside  # others carry their own
    if len(files) > 1:
        files = [f for f in files if _fits(sidecar, f)] or files
    if len(files) == 1:
        return files[0]
    what = f"could be that of {' or '.join(f.name for f in files)}" if files else "lies beside no file of its name"
    raise FootageError(what, file=sidecar, remedy="Name the file to verify, with the manifest beside it")


def _of_the_name(sidecar: Path) -> list[Path]:
    """List the files that a manifest may belong to, by the name that C2PA tools use."""
    return sorted(f for f in sidecar.parent.iterdir() if f.stem == sidecar.stem and f != sidecar and f.is_file())


def _fits(sidecar: Path, file: Path) -> bool:
    try:
        with file.open("rb") as data:
            checked = check(BYTES, data, _read(sidecar))
    except (ValueError, OSError):
        return False
    return checked is not None and not any(code in _OF_NOTHING for code, _ in checked.faults)


def _read(sidecar: Path) -> bytes:
    if sidecar.exists() and not sidecar.is_file():  # reading a pipe would block
        raise FootageError("cannot be read (it is not a file)", file=sidecar, remedy="Check the path")
    try:
        with sidecar.open("rb") as file:
            manifest = file.read(_LARGEST + 1)
    except OSError as e:
        raise FootageError(f"cannot be read ({e.strerror or e})", file=sidecar, remedy="Check the path") from e
    if len(manifest) > _LARGEST:
        raise FootageError("is too large for a manifest", file=sidecar, remedy="Give a .c2pa file")
    return manifest
