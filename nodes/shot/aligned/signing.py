"""Content Credentials for what is put back: nobody knows what was done to it meanwhile, and that is what they say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nodes.cache import digest_footage
from nodes.credentials.claim import Claim
from nodes.credentials.identity import Identity
from nodes.credentials.library import carried
from nodes.credentials.manifest import plate_ingredient
from nodes.credentials.setting import SwitchedOff
from nodes.credentials.sign import sign_file, sign_sequence


def sign_returned(made: Path | Sequence[Path], plate: Path, by: Identity | SwitchedOff) -> None:
    """Sign a file, or the frames of a sequence, made of this plate. by: see `nodes.credentials.ready`.

    Raises CredentialsError, FootageError, OutputError.
    """
    if isinstance(by, SwitchedOff):
        return
    digest = digest_footage(plate)
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    claim = Claim("returned", when, digest, carried=carried(plate, plate_ingredient(digest)))
    if isinstance(made, Path):
        sign_file(made, claim, by)
    else:
        sign_sequence(made, claim, by)
