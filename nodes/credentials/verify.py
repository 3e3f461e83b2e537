"""Verify Content Credentials: of a file by the manifest in it or beside it, of a sequence or one frame of it, of all that is in a folder."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nodes.credentials.binding import SIDECAR, around_number, hash_files, listing, sidecars
from nodes.credentials.identity import Trust
from nodes.credentials.library import BYTES, Checked, check
from nodes.credentials.manifest import SCHEMA, ManifestSummary, summary_of
from nodes.errors import FootageError
from nodes.footage.formats import EMBEDS, MOVIES
from nodes.footage.numbering import has_place, numbered
from nodes.progress import Progress, quiet, stage
from nodes.text import printable

VerdictState = Literal["trusted", "own", "unknown", "changed", "removed", "none"]
STATES: dict[VerdictState, str] = {
    "trusted": "intact; the certificate comes from an authority that this machine trusts",
    "own": "intact; signed with this machine's own certificate, which nobody else knows",
    "unknown": "intact since it was signed, but by a certificate that this machine does not know: it proves nothing of who signed, anybody can make one",
    "changed": "not intact",
    "removed": "its Content Credentials are gone",
    "none": "no Content Credentials",
}
# For scripts.
EXIT: dict[VerdictState, int] = {"trusted": 0, "own": 0, "unknown": 13, "none": 12, "removed": 11, "changed": 11}
_SENTENCES = {
    "assertion.dataHash.mismatch": "the file was changed after it was signed, or the manifest is that of another file",
    "assertion.bmffHash.mismatch": "the file was changed after it was signed, or the manifest is that of another file",
    "assertion.hashedURI.mismatch": "the manifest itself was changed after it was signed",
    "assertion.missing": "a part of the manifest was taken out",
    "claimSignature.mismatch": "the signature does not fit: the manifest was changed, or signed with a key that is not the certificate's",
    "claimSignature.missing": "the manifest has no signature",
    "claimSignature.outsideValidity": "it was signed at a time at which the certificate did not hold",
    "signingCredential.expired": "the certificate had expired, and no time-stamp says that it was signed before",
    "signingCredential.invalid": "the certificate is none that C2PA allows for signing",
    "signingCredential.revoked": "the certificate was revoked",
    "timeStamp.mismatch": "the time-stamp is that of another signature",
    "timeStamp.untrusted": "the time-stamp is by a server that this machine does not know",
}
# A sound manifest that is bound to something has these faults when it is read alone.
_OF_NOTHING = tuple(f"assertion.{kind}Hash.mismatch" for kind in ("data", "bmff", "boxes", "collection"))
_LARGEST = 256 << 20  # bytes of a manifest
_DOCUMENT = "shot.json"
_REMOVED = f"{_DOCUMENT} says that it was signed, but there is no manifest of it in it or beside it"
_NAMED = 5  # frames named in a sentence


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one file, or one sequence. faults: sentences without their full stop. sidecar: the manifest beside it.

    frames: how many there are in a sequence. time_trusted: the time-stamp is by a server that this machine trusts.
    """

    file: Path
    state: VerdictState
    faults: tuple[str, ...] = ()
    said: ManifestSummary | None = None
    sidecar: Path | None = None
    frames: int | None = None
    time_trusted: bool = False

    @property
    def intact(self) -> bool:
        """Whether nothing was changed since somebody signed it."""
        return self.state in ("trusted", "own", "unknown")

    @property
    def sentence(self) -> str:
        """The verdict in one sentence that names the file: hosts show it."""
        frames = f", {self.frames} frames" if self.frames and self.frames > 1 else ""
        faults = f": {'; '.join(self.faults)}" if self.faults else ""
        return printable(f"{self.file.name}{frames}: {STATES[self.state]}{faults}.")

    def document(self) -> dict[str, Any]:
        """As JSON."""
        said = self.said
        return {
            "file": str(self.file),
            "state": self.state,
            "intact": self.intact,
            "what": STATES[self.state],
            "said": self.sentence,
            "faults": list(self.faults),
            "sidecar": None if self.sidecar is None else str(self.sidecar),
            "frames": self.frames,
            "signer": said and {"name": said.signer, "organisation": said.issuer, "serial": said.serial},
            "time_stamp": said and said.time and {"time": said.time, "trusted": self.time_trusted},
        }


def as_document(verdicts: Sequence[Verdict], *, whole: bool = False) -> dict[str, Any]:
    """Verdicts as `faceplate.credentials/1`, with their status for scripts; whole: with all that the manifests say."""
    files = [v.document() | ({"manifest": v.said and asdict(v.said)} if whole else {}) for v in verdicts]
    return {"schema": SCHEMA, "status": exit_status(verdicts), "said": in_words(verdicts), "files": files}


def in_words(verdicts: Sequence[Verdict]) -> str:
    """All verdicts for a host: what is not intact by its name, what is intact by its number."""
    sound = Counter(v.state for v in verdicts if v.intact)
    if len(verdicts) == 1 or not sound:
        return " ".join(v.sentence for v in verdicts)
    counted = (f"{count} of {len(verdicts)} results: {STATES[state]}." for state, count in sound.items())
    return " ".join([*(v.sentence for v in verdicts if not v.intact), *counted])


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """0 where all is well, else the worst: 11 before 12 before 13."""
    return min((status for verdict in verdicts if (status := EXIT[verdict.state])), default=0)


def sentence(code: str, explanation: str) -> str:
    """A fault that the library found, in a sentence without its full stop; by its C2PA code where we have no words for it."""
    return _SENTENCES.get(code, f"{explanation or 'it does not hold'} ({code})")


def verify(path: Path, trust: Trust, progress: Progress = quiet) -> list[Verdict]:
    """Verify a file, a `.c2pa`, a sequence (name.%04d.exr), or all that is in a folder. Raises FootageError where there is nothing."""
    if path.is_dir():
        verdicts = list(_in_folder(path, trust, progress))
        if not verdicts:
            remedy = "Give a file, or a shot's folder"
            raise FootageError("holds nothing that could be verified", file=path, remedy=remedy)
        return verdicts
    if has_place(path.name) and not path.exists():
        frame = numbered(path, 1)
        places = (place for place in sidecars([frame]) if place.is_file())
        sidecar = next((place for place in places if not _is_of_another(place, frame)), None)
        if sidecar:
            return [_of_frames(path, sidecar, trust, progress)]
        removed = any(Path(name).name == path.parent.name for name, _ in _recorded(path.parent.parent))
        return [Verdict(path, "removed", (_REMOVED,)) if removed else Verdict(path, "none")]
    if path.suffix.lower() == SIDECAR:
        return [verify_sidecar(path, trust, progress)]
    verdict = verify_file(path, trust, progress)
    if verdict.state == "none" and path.name in dict(_recorded(path.parent)):
        return [Verdict(path, "removed", (_REMOVED,))]
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
    alone = Verdict(path, "changed", (fault,)) if fault else Verdict(path, "none")
    sidecar = _sidecar_of(path)
    if sidecar is None:
        return alone
    verdict = verify_sidecar(sidecar, trust, progress, only=path)
    if not verdict.intact and _is_of_another(sidecar, path):
        return alone
    if kind is not None and not verdict.intact and verdict.frames is None:
        gone = fault or "the manifest that was in the file is gone"
        return replace(verdict, state="changed", faults=(gone, *verdict.faults))
    return verdict


def verify_sidecar(sidecar: Path, trust: Trust, progress: Progress = quiet, *, only: Path | None = None) -> Verdict:
    """Verify what a manifest in a file of its own is bound to: the file beside it, or the frames of a sequence.

    only: the file, or the one frame, to look at. Raises FootageError where there is no such manifest, or nothing beside it.
    """
    manifest = _read(sidecar)
    try:
        bare = check(BYTES, io.BytesIO(), manifest, trust.roots)
        if bare is None:
            raise ValueError("it holds no manifest")
        said = summary_of(bare.manifest)
        if own := tuple(fault for fault in bare.faults if fault[0] not in _OF_NOTHING):
            # What it says of files is not to be believed either.
            return _judged(only or sidecar, replace(bare, faults=own), trust, sidecar)
        path = None if said.frames else only or _subject(sidecar)
        data = path.open("rb") if path else io.BytesIO(listing(said.frames))
        with data:
            bound = check(BYTES, data, manifest, trust.roots)
    except ValueError as e:
        return Verdict(only or sidecar, "changed", (f"the manifest is damaged or cut off ({e})",), sidecar=sidecar)
    assert bound is not None
    if path:
        return _judged(path, bound, trust, sidecar)
    signed, names = said.frames, [only.name] if only else []
    if only:
        signed = {name: signed[name] for name in names if name in signed}
    else:
        names = _belonging(signed, [f.name for f in sidecar.parent.iterdir() if f.is_file()])
    tell = stage(progress, f"hash {sidecar.stem}", len(names))
    hashes = hash_files([sidecar.parent / name for name in names], tell)
    first = only or sidecar.parent / next(iter(said.frames))
    return _judged(first, bound, trust, sidecar, _compare(signed, hashes, said.frames), len(names))


def _judged(
    path: Path,
    checked: Checked,
    trust: Trust,
    sidecar: Path | None = None,
    further: Sequence[str] = (),
    frames: int | None = None,
) -> Verdict:
    said = summary_of(checked.manifest)
    faults = (*dict.fromkeys(sentence(*fault) for fault in checked.faults), *further)
    intact: VerdictState = "unknown" if not checked.trusted else "own" if said.signer == trust.own else "trusted"
    return Verdict(path, "changed" if faults else intact, faults, said, sidecar, frames, checked.time_trusted)


def _compare(signed: Mapping[str, str], found: Mapping[str, str], whole: Mapping[str, str]) -> list[str]:
    """Say how the frames found (hashes by name) differ from those signed, a part of the `whole` sequence.

    A frame that stands in another's place is told from one that was changed.
    """
    changed = [name for name, digest in signed.items() if name in found and found[name] != digest]
    owner = {digest: name for name, digest in whole.items()}
    moved = [name for name in changed if owner.get(found[name]) not in (None, name)]
    differences = {
        "changed after signing": [name for name in changed if name not in moved],
        "exchanged for other frames of the sequence": moved,
        "removed": [name for name in signed if name not in found],
        "added": [name for name in found if name not in signed],
    }
    sentences = []
    for what, names in differences.items():
        count = "a frame was" if len(names) == 1 else f"{len(names)} frames were"
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        sentences += [f"{count} {what}: {', '.join(names[:_NAMED])}{more}"] if names else []
    return sentences


def _belonging(signed: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """The files of a sequence among the names in its folder: in the order signed, then what was added."""
    kinds = {around_number(name) for name in signed} - {None}
    added = [name for name in sorted(names) if name not in signed and around_number(name) in kinds]
    return [name for name in signed if name in set(names)] + added


def _of_frames(subject: Path, sidecar: Path, trust: Trust, progress: Progress) -> Verdict:
    """Verify a sequence; a manifest in its place may be that of a single file, which does not lie there."""
    try:
        return verify_sidecar(sidecar, trust, progress)
    except FootageError:
        return Verdict(subject, "changed", ("the manifest beside it is that of another file",), sidecar=sidecar)


def _in_folder(folder: Path, trust: Trust, progress: Progress) -> Iterator[Verdict]:
    """All that the shot's document says was signed, and what else has a manifest or could have one."""
    done: set[Path] = set()
    for name, manifest in _recorded(folder):
        subject, sidecar = folder / name, folder / manifest
        done |= {subject, sidecar}
        if not subject.exists():
            yield Verdict(subject, "removed", (f"{_DOCUMENT} says that it was signed; it is gone",))
        elif not sidecar.is_file():
            yield Verdict(subject, "removed", (_REMOVED,))
        elif subject.is_dir():
            yield _of_frames(subject, sidecar, trust, progress)
        elif sidecar != subject:
            yield verify_sidecar(sidecar, trust, progress, only=subject)
        else:
            verdict = verify_file(subject, trust, progress)
            yield Verdict(subject, "removed", (_REMOVED,)) if verdict.state == "none" else verdict
    for place in (folder, *sorted(f for f in folder.iterdir() if f.is_dir())):
        yield from _loose(place, done, trust, progress, deep=place == folder)


def _loose(folder: Path, done: set[Path], trust: Trust, progress: Progress, *, deep: bool) -> Iterator[Verdict]:
    """Files that nothing was said of: sequences with a manifest, and, where it is asked for, files with or without one."""
    files = sorted(f for f in folder.iterdir() if f.is_file() and f not in done and not f.name.startswith("."))
    manifests = {f: _names_in(f) for f in files if f.suffix.lower() == SIDECAR}
    for sidecar, names in manifests.items():
        if names:
            yield verify_sidecar(sidecar, trust, progress)
    frames = frozenset[str]().union(*manifests.values())
    for file in files if deep else ():
        suffix = file.suffix.lower()
        beside = suffix != SIDECAR and not set(sidecars(file)).isdisjoint(manifests)
        if file.name not in frames and (suffix in EMBEDS or suffix in MOVIES or beside):
            yield verify_file(file, trust, progress)


def _recorded(folder: Path) -> list[tuple[str, str]]:
    """Results that a shot's document says were signed, each with its manifest, as far as they are within the folder."""
    try:
        document: Any = json.loads((folder / _DOCUMENT).read_bytes())
        pairs = [(str(r["file"]), str(r["manifest"])) for r in document["credentials"]["results"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [pair for pair in pairs if all(_is_within(folder, name) for name in pair)]


def _is_within(folder: Path, name: str) -> bool:
    """Whether a stranger's document names a place in the folder, and one that can be looked at."""
    try:
        place = folder / name
        place.is_file()
        return place.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def _sidecar_of(path: Path) -> Path | None:
    """The manifest beside a file: of its name, or of the sequence that it is a frame of."""
    for sidecar in sidecars(path):
        if sidecar.is_file():
            return sidecar
    others = [*sidecars([path]), *sorted(path.parent.glob(f"*{SIDECAR}"))]
    return next((s for s in others if s.is_file() and path.name in _names_in(s)), None)


def _names_in(sidecar: Path) -> frozenset[str]:
    """The names of the frames that a manifest beside them is of; none for that of a file, or for what cannot be read."""
    try:
        bare = check(BYTES, io.BytesIO(), _read(sidecar))
    except (ValueError, FootageError):
        return frozenset()
    return frozenset() if bare is None else frozenset(summary_of(bare.manifest).frames)


def _is_of_another(sidecar: Path, path: Path) -> bool:
    """Whether a manifest that does not fit a file is that of another one of its name, or of a sequence that it is no frame of."""
    if sidecar == sidecars(path)[0]:
        return False
    if names := _names_in(sidecar):
        return not _belonging(dict.fromkeys(names, ""), [path.name])
    return any(_fits(sidecar, file) for file in _of_the_name(sidecar) if file != path)


def _fits(sidecar: Path, file: Path) -> bool:
    try:
        with file.open("rb") as data:
            checked = check(BYTES, data, _read(sidecar))
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
    files = [f for f in beside if f.suffix.lower() not in EMBEDS] or beside  # others carry their own
    if len(files) > 1:
        files = [f for f in files if _fits(sidecar, f)] or files
    if len(files) == 1:
        return files[0]
    what = f"could be that of {' or '.join(f.name for f in files)}" if files else "lies beside no file of its name"
    raise FootageError(what, file=sidecar, remedy="Name the file to verify, with the manifest beside it")


def _read(sidecar: Path) -> bytes:
    if sidecar.exists() and not sidecar.is_file():  # a pipe would be waited for
        raise FootageError("cannot be read (it is not a file)", file=sidecar, remedy="Check the path")
    try:
        with sidecar.open("rb") as file:
            manifest = file.read(_LARGEST + 1)
    except OSError as e:
        raise FootageError(f"cannot be read ({e.strerror or e})", file=sidecar, remedy="Check the path") from e
    if len(manifest) > _LARGEST:
        raise FootageError("is too large for a manifest", file=sidecar, remedy="Give a .c2pa file")
    return manifest
