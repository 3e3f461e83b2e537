"""Verdicts on Content Credentials, in words and as a status for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from nodes.credentials.manifest import ManifestSummary
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


class Verdict(BaseModel):
    """The verdict on one file, or one sequence. faults: sentences without their full stop. sidecar: the manifest beside it.

    manifest: what was signed. frames: how many there are in a sequence. time_trusted: the time-stamp is by a server that this machine trusts.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    state: VerdictState
    faults: tuple[str, ...] = ()
    manifest: ManifestSummary | None = Field(default=None, exclude=True)
    sidecar: Path | None = None
    frames: int | None = None
    time_trusted: bool = Field(default=False, exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def intact(self) -> bool:
        """Whether the files are as they were signed."""
        return self.state in ("trusted", "own", "unknown")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def what(self) -> str:
        """The state in words."""
        return STATES[self.state]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def said(self) -> str:
        """The verdict in one sentence that names the file: hosts show it."""
        frames = f", {self.frames} frames" if self.frames and self.frames > 1 else ""
        faults = f": {'; '.join(self.faults)}" if self.faults else ""
        return printable(f"{self.file.name}{frames}: {STATES[self.state]}{faults}.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def signer(self) -> dict[str, str] | None:
        """Whose certificate signed."""
        by = self.manifest
        return {"name": by.signer, "organisation": by.issuer, "serial": by.serial} if by else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def time_stamp(self) -> dict[str, Any] | None:
        """When a time-stamp server says that it was signed."""
        when = self.manifest and self.manifest.time
        return {"time": when, "trusted": self.time_trusted} if when else None


def in_words(verdicts: Sequence[Verdict]) -> str:
    """Describe all verdicts for a host: faulty results by name, intact ones by their number."""
    sound = Counter(v.state for v in verdicts if v.intact)
    if len(verdicts) == 1 or not sound:
        return " ".join(v.said for v in verdicts)
    counted = (f"{count} of {len(verdicts)} results: {STATES[state]}." for state, count in sound.items())
    return " ".join([*(v.said for v in verdicts if not v.intact), *counted])


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """Return 0 where all is well, else the worst: 11 before 12 before 13."""
    return min((status for verdict in verdicts if (status := EXIT[verdict.state])), default=0)


def sentence(code: str, explanation: str) -> str:
    """Describe a fault that the library found, in a sentence without its full stop; an unlisted one by its C2PA code."""
    return _SENTENCES.get(code, f"{explanation or 'it does not hold'} ({code})")
