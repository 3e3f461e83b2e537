"""Whether results are as they were made: their Content Credentials verified, and of an export the hashes that it names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from host_bridge.timeline.made import media_sha256
from nodes.consent.provenance import Provenance, read_document
from nodes.credentials.identity import Trust
from nodes.credentials.sign import frames_in
from nodes.credentials.verify import Verdict, VerdictState, verify
from nodes.errors import FaceplateError
from nodes.footage.numbering import find_sequence

State = Literal["intact", "stranger", "changed", "contradicted", "gone", "none", "off", "unverified", "absent"]
WORDS: dict[State, str] = {
    "intact": "intact",
    "stranger": "intact, signed by a certificate that is unknown here",
    "changed": "changed since",
    "contradicted": "not what its Content Credentials say",
    "gone": "results, or their Content Credentials, are gone",
    "none": "no Content Credentials",
    "off": "no Content Credentials: switched off",
    "unverified": "not verified",
    "absent": "the media are not here",
}
_STATES: dict[VerdictState, State] = {
    "trusted": "intact",
    "own": "intact",
    "unknown": "stranger",
    "changed": "changed",
    "removed": "gone",
    "none": "gone",
}
_WORST: tuple[State, ...] = ("changed", "contradicted", "gone", "stranger", "intact")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a document that nobody signed says of a result. signed: whether with Content Credentials. sha256: of the result, where that is said."""

    provenance: Provenance
    signed: bool
    sha256: str | None = None


def of_folder(told: Mapping[str, Any], folder: Path, trust: Trust | None) -> dict[str, Any]:
    """Of a run's shot. told: its document. trust: for verifying; None to see only whether all files are there."""
    credentials = told.get("credentials")
    if not credentials:
        return _found("none")
    if not credentials["signed"]:
        return _found("off", why=f"{str(credentials['since'])[:10]}: {credentials['reason']}")
    listed = [(folder / r["file"], folder / r["manifest"]) for r in credentials["results"]]
    by, stamped = str(credentials["by"]["name"]), credentials["time_stamped"]
    if trust is None:
        gone = [file.name for file, manifest in listed if not (file.exists() and manifest.exists())]
        found = _found("gone" if gone else "unverified", [f"{name} or its manifest is gone" for name in gone])
    else:
        verdicts = [v for v in verify(folder, trust) if v.state != "none"]
        found = _judged(verdicts, read_document(told) or Provenance())
    return found | {"by": by, "time_stamped": stamped, "verify": _command(folder)}


def of_media(media: Path | None, claimed: Claimed, trust: Trust | None) -> dict[str, Any]:
    """Of an export's media, a file or a sequence as name.%04d.exr; None where they were not found. trust: for verifying; None to look at nothing."""
    if media is None:
        return _found("absent")
    if trust is None:
        return unverified()
    try:
        found = media_sha256(frames_of(media))
    except FaceplateError as e:
        return _found("gone", [str(e)])
    if claimed.sha256 is not None and found != claimed.sha256:
        return _found("changed", [f"{media.name} is not what was exported"])
    if not claimed.signed:
        return _found("none")
    return _judged([verify(media, trust)[0]], claimed.provenance) | {"verify": _command(media)}


def unverified() -> dict[str, Any]:
    """Of what was not even looked for."""
    return _found("unverified")


def finished_sha256(folder: Path) -> str | None:
    """SHA-256 of a shot's finished picture, the images where there are any; None where it is gone."""
    frames = frames_in(folder / "composite")
    movie = folder / "composite.mkv"
    return media_sha256(frames or movie) if frames or movie.is_file() else None


def frames_of(media: Path) -> Path | Sequence[Path]:
    """A file, or the files of a sequence. Raises FootageError."""
    sequence = find_sequence(media)
    return media if sequence is None else sequence.files


def _judged(verdicts: Sequence[Verdict], claimed: Provenance) -> dict[str, Any]:
    """The worst of what was verified counts. claimed: what a document says of them, which the signed manifests must say too."""
    states: list[State] = [_STATES[v.state] for v in verdicts]
    others = [v.file.name for v in verdicts if v.intact and not (v.said and _is_said(v.said.swap, claimed))]
    if others:
        states.append("contradicted")
    faults = [v.sentence for v in verdicts if not v.intact]
    faults += [
        f"{name}: its Content Credentials name other consents, models or footage than are said here" for name in others
    ]
    said = next((v.said for v in verdicts if v.said), None)
    state: State = next((s for s in _WORST if s in states), "gone")
    return _found(state, faults) | {"by": said.signer if said else None, "time_stamped": bool(said and said.time)}


def _is_said(signed: Mapping[str, Any], claimed: Provenance) -> bool:
    """Whether a manifest says the same of whose faces are in it, by which consents, from which footage, and of unknown models."""
    return (
        signed.get("consents") == [{"role": p.role, "records": list(p.consents)} for p in claimed.performers]
        and signed.get("footage") == list(claimed.footage)
        and signed.get("unknown") == list(claimed.unknown)
    )


def _command(path: Path) -> str:
    return shlex.join(["faceplate", "credentials", "verify", str(path)])


def _found(state: State, faults: Sequence[str] = (), *, why: str = "") -> dict[str, Any]:
    """by, time_stamped: as the manifest says, None where none was read. verify: the command that says more."""
    what = f"{WORDS[state]} {why}".rstrip()
    return {"state": state, "what": what, "faults": list(faults), "by": None, "time_stamped": None, "verify": None}
