"""The library `c2pa`: it signs and reads manifests, and never uses the network by itself."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import c2pa  # type: ignore[import-untyped]

from nodes.credentials.identity import Identity
from nodes.errors import CredentialsError
from nodes.footage.formats import EMBEDS

# A type unknown to the library: it hashes the bytes as they are.
BYTES = "application/octet-stream"
_UNTRUSTED = "signingCredential.untrusted"  # not a fault of the manifest
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
_SILENT = {name: {"enabled": False} for name in ("auto_created_action", "auto_opened_action", "auto_placed_action")}
_BUILDING = {
    "verify": {**_OFFLINE, "verify_after_sign": False},
    "builder": {"thumbnail": {"enabled": False}, "actions": _SILENT},  # a thumbnail would be a face
}


def sign_stream(
    definition: dict[str, Any],
    carried: bytes | None,
    identity: Identity,
    kind: str = "application/c2pa",
    source: BinaryIO | None = None,
    target: BinaryIO | None = None,
) -> tuple[bytes, bool]:
    """Sign what `source` holds into `target`; return the manifest, by default one beside its file, and whether a server stamped the time.

    If the time-stamp server does not answer, it signs without a time-stamp. carried: as of :func:`carried`. Raises CredentialsError.
    """
    source, target = source or io.BytesIO(), target or io.BytesIO()
    stamp = identity.time_stamp.encode() if identity.time_stamp else None
    info = c2pa.C2paSignerInfo(identity.algorithm, identity.chain.encode(), identity.key.encode(), stamp)
    try:
        with (
            c2pa.Context.from_dict(_BUILDING) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(definition, context) as builder,
        ):
            if carried is not None:
                builder.add_ingredient_from_archive(io.BytesIO(carried))
            return bytes(builder.sign(signer, kind, source, target)), stamp is not None
    except c2pa.C2paError as e:
        if stamp is None:
            remedy = "Check the certificate, the key and the time-stamp server that are configured"
            raise CredentialsError(f"cannot be signed ({e})", remedy=remedy) from e
    for stream in (source, target):
        stream.seek(0)
    target.truncate()
    return sign_stream(definition, carried, replace(identity, time_stamp=None), kind, source, target)


def carried(path: Path, ingredient: dict[str, Any]) -> bytes | None:
    """Read a file's own manifest, checked, as an ingredient; None without a readable one."""
    kind = EMBEDS.get(path.suffix.lower())
    if kind is None or not path.is_file():
        return None
    looking = {"verify": {**_OFFLINE, "verify_after_reading": False}}  # without reading the whole file
    archive = io.BytesIO()
    try:
        with path.open("rb") as file, c2pa.Context.from_dict(looking) as context:
            if c2pa.Reader.try_create(kind, file, context=context) is None:
                return None
            file.seek(0)
            with c2pa.Context.from_dict(_BUILDING) as building, c2pa.Builder({}, building) as builder:
                builder.add_ingredient(ingredient, kind, file)
                builder.write_ingredient_archive(ingredient["label"], archive)
    except c2pa.C2paError:
        return None
    return archive.getvalue()


@dataclass(frozen=True, slots=True)
class CheckedManifest:
    """A manifest as the library checked it. faults: (C2PA's code, explanation).

    trusted, time_trusted: its certificate, and that of its time-stamp, come from a trusted root.
    """

    manifest: dict[str, Any]
    trusted: bool
    time_trusted: bool
    faults: tuple[tuple[str, str], ...]


def check(kind: str, stream: BinaryIO, manifest: bytes | None, roots: Iterable[str] = ()) -> CheckedManifest | None:
    """Read and check a manifest: the one in the stream, or one from beside it. None without one.

    roots: PEM of certificates to trust. Raises ValueError for a damaged one.
    """
    settings: dict[str, Any] = {"verify": _OFFLINE}
    if anchors := "\n".join(roots):
        settings["trust"] = {"user_anchors": anchors}
    try:
        with c2pa.Context.from_dict(settings) as context:
            reader = c2pa.Reader.try_create(kind, stream, manifest, context=context)
        if reader is None:
            return None
        with reader:
            active = reader.get_active_manifest()
            results = (reader.get_validation_results() or {}).get("activeManifest") or {}
    except (c2pa.C2paError, KeyError) as e:
        raise ValueError(str(e)) from e
    if active is None:
        raise ValueError("there is no active manifest")
    passed = {str(s.get("code")) for s in results.get("success", ())}
    failed = ((str(f.get("code")), str(f.get("explanation", ""))) for f in results.get("failure", ()))
    faults = tuple(fault for fault in failed if fault[0] != _UNTRUSTED)
    return CheckedManifest(active, "signingCredential.trusted" in passed, "timeStamp.trusted" in passed, faults)
