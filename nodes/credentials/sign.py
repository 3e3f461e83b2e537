"""Sign results: the manifest goes into files that can carry one, else beside them, and for a sequence beside all of its frames."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nodes.credentials.binding import (
    bound_to,
    frames_of,
    hash_files,
    is_shared,
    listing,
    sha256,
    sidecars,
    sidecars_of_sequence,
)
from nodes.credentials.claim import Claim
from nodes.credentials.identity import Identity
from nodes.credentials.library import EMBEDS, SIDECAR, sign_nothing, sign_stream
from nodes.credentials.manifest import definition
from nodes.credentials.png import in_one_chunk
from nodes.errors import CredentialsError, writing
from nodes.files import whole_file

# The library reads and seeks in small steps, each a call of Python's: of a picture in memory they cost half as much.
_IN_MEMORY = 32 << 20


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed. sidecar: the manifest's file, None where it is in the file. stamped: a time-stamp server was heard."""

    file: Path
    sidecar: Path | None
    stamped: bool


def sign_file(path: Path, claim: Claim, identity: Identity) -> Signed:
    """Sign one file, into it or, where its kind carries no manifest, beside it as `name.c2pa`, where C2PA tools look;
    as `name.mkv.c2pa` where something else has that name too, whose manifest it would be.

    A time-stamp server that does not answer is no reason to lose a result: it is signed without one then, and says so.
    Raises CredentialsError, FootageError, OutputError; the file is then as it was.
    """
    kind = EMBEDS.get(path.suffix.lower())
    if kind is None:
        bound = bound_to(sha256(path), "the whole file")
        return _beside([path], sidecars(path, SIDECAR), claim, [bound], identity)

    def embed(by: Identity) -> None:
        with whole_file(path, sync=False) as temporary:
            if path.stat().st_size <= _IN_MEMORY:
                signed, whole = io.BytesIO(), io.BytesIO(in_one_chunk(path.read_bytes()))
                sign_stream(definition(claim), claim.carried, by, kind, whole, signed)
                temporary.write_bytes(signed.getbuffer())
                return
            with path.open("rb") as source, temporary.open("w+b") as target:
                sign_stream(definition(claim), claim.carried, by, kind, source, target)

    return Signed(path, None, _stamped(embed, identity))


def sign_sequence(files: Sequence[Path], claim: Claim, identity: Identity) -> Signed:
    """Sign the frames of a sequence, all in one folder, by one manifest beside them, named as they are without the number.

    Its name is chosen as by :func:`sign_file`. Raises CredentialsError, FootageError, OutputError.
    """
    hashes = hash_files(files)
    bound = bound_to(hashlib.sha256(listing(hashes)).hexdigest(), "list of the frames, as of sha256sum")
    return _beside(files, sidecars_of_sequence(files[0], SIDECAR), claim, [bound, frames_of(hashes)], identity)


def forget(made: Path | Sequence[Path]) -> None:
    """Remove the manifest beside a file, or the frames of a sequence, about to be written anew, perhaps unsigned. Raises OutputError."""
    if isinstance(made, Path) and made.suffix.lower() in EMBEDS:
        return
    files = [made] if isinstance(made, Path) else made
    exact, usual = sidecars(made, SIDECAR) if isinstance(made, Path) else sidecars_of_sequence(made[0], SIDECAR)
    with writing(exact):
        exact.unlink(missing_ok=True)
        if usual.exists() and not is_shared(usual, files, EMBEDS):
            usual.unlink()


def _beside(
    files: Sequence[Path], places: tuple[Path, Path], claim: Claim, bound: list[dict[str, Any]], identity: Identity
) -> Signed:
    exact, usual = places
    sidecar = exact if exact.exists() or is_shared(usual, files, EMBEDS) else usual

    def write(by: Identity) -> None:
        manifest = sign_nothing(definition(claim, *bound), claim.carried, by)
        with whole_file(sidecar, sync=False) as temporary:
            temporary.write_bytes(manifest)

    return Signed(files[0], sidecar, _stamped(write, identity))


def _stamped(sign: Callable[[Identity], None], identity: Identity) -> bool:
    """Sign with the time stamped, else without; tell which."""
    if identity.time_stamp is not None:
        try:
            sign(identity)
            return True
        except CredentialsError:
            pass  # if it was not the server's fault, it fails again
    sign(replace(identity, time_stamp=None))
    return False
