"""What verifying found, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nodes.credentials.manifest import SCHEMA
from nodes.credentials.said import Said
from nodes.text import printable

State = Literal["trusted", "own", "unknown", "changed", "removed", "none"]
STATES: dict[State, str] = {
    "trusted": "intact; the certificate comes from an authority that this machine trusts",
    "own": "intact; signed with this machine's own certificate, which nobody else knows",
    "unknown": "intact since it was signed, but by a certificate that this machine does not know: it proves nothing of who signed, anybody can make one",
    "changed": "not intact",
    "removed": "its Content Credentials are gone",
    "none": "no Content Credentials",
}
# For scripts.
EXIT: dict[State, int] = {"trusted": 0, "own": 0, "unknown": 13, "none": 12, "removed": 11, "changed": 11}
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one file, or of one sequence. faults: sentences without their dot. sidecar: where the manifest lies beside it.

    frames: how many there are in a sequence. time_trusted: the time-stamp is by a server that this machine trusts.
    """

    file: Path
    state: State
    faults: tuple[str, ...] = ()
    said: Said | None = None
    sidecar: Path | None = None
    frames: int | None = None
    time_trusted: bool = False

    @property
    def intact(self) -> bool:
        """Whether nothing was changed since somebody signed it."""
        return self.state in ("trusted", "own", "unknown")

    @property
    def sentence(self) -> str:
        """What was found, in one sentence that names the file: what hosts show."""
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


def as_document(found: Sequence[Verdict], *, whole: bool = False) -> dict[str, Any]:
    """What was found as `faceplate.credentials/1`, with its status for scripts; whole: with all that the manifests say."""
    files = [v.document() | ({"manifest": None if v.said is None else asdict(v.said)} if whole else {}) for v in found]
    return {"schema": SCHEMA, "status": exit_status(found), "said": in_words(found), "files": files}


def in_words(found: Sequence[Verdict]) -> str:
    """All of it for a host: what is not intact by its name, what is intact by its number."""
    wrong, sound = [v for v in found if not v.intact], Counter(v.state for v in found if v.intact)
    if len(found) == 1 or not sound:
        return " ".join(v.sentence for v in found)
    counted = (f"{count} of {len(found)} results: {STATES[state]}." for state, count in sound.items())
    return " ".join([*(v.sentence for v in wrong), *counted])


def exit_status(found: Sequence[Verdict]) -> int:
    """0 where all is well, else the worst: 11 before 12 before 13."""
    return min((status for verdict in found if (status := EXIT[verdict.state])), default=0)


def sentence(code: str, explanation: str) -> str:
    """A fault that the library found, in a sentence without its dot; by its C2PA code where we have no words for it."""
    return _SENTENCES.get(code, f"{explanation or 'it does not hold'} ({code})")
