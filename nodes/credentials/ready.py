"""What is asked before the work whose results will be signed."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from nodes.consent.records import find_project
from nodes.credentials.binding import bound_to
from nodes.credentials.claim import Claim
from nodes.credentials.config import configuration_file
from nodes.credentials.identity import Identity, load_identity
from nodes.credentials.library import BYTES, check, sign_nothing
from nodes.credentials.manifest import definition
from nodes.credentials.setting import SwitchedOff, switched_off
from nodes.credentials.verdict import sentence
from nodes.errors import CredentialsError


def ready(*places: Path | None, told: Path | None = None) -> Identity | SwitchedOff:
    """Load what will sign the results and try it, before the work: whoever's certificate has ended shall not learn it an hour later.

    places, told: of the project, as of `nodes.consent.records.find_project`; the current folder is the last place. Raises CredentialsError, ConsentError, OutputError.
    """
    if off := switched_off(find_project(*places, Path.cwd(), told=told)):
        return off
    identity = load_identity()
    fault = _fault(identity, datetime.now(UTC) < identity.certificate.not_valid_after_utc)
    if fault is not None:
        raise CredentialsError(
            f"'{identity.name}' cannot sign: {fault}",
            file=None if identity.local else configuration_file(),
            remedy="Configure a certificate for signing: one that has not ended, with digitalSignature as its key usage and emailProtection as its extended one",
        )
    return identity


@lru_cache(8)
def _fault(identity: Identity, _holds: bool) -> str | None:
    """Why it cannot sign, a sentence without its dot. Tried once, and again when it has ended: whoever turns knobs waits for each preview."""
    trial = definition(
        Claim("plate", "2000-01-01T00:00:00Z", "00" * 32), bound_to(hashlib.sha256(b"trial").hexdigest(), "")
    )
    try:
        manifest = sign_nothing(trial, None, replace(identity, time_stamp=None))
        checked = check(BYTES, io.BytesIO(b"trial"), manifest, ())
    except CredentialsError as e:
        return e.what
    return next((sentence(*fault) for fault in checked.faults), None) if checked else None
