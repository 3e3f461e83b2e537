"""Sign all results in a shot's folder, from what its document says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from nodes.consent.provenance import Provenance, read_document
from nodes.credentials.binding import sha256
from nodes.credentials.claim import Claim, PartOfShot
from nodes.credentials.identity import Identity, load_identity
from nodes.credentials.library import carried
from nodes.credentials.manifest import plate_ingredient
from nodes.credentials.setting import SwitchedOff
from nodes.credentials.sign import Signed, sign_file, sign_sequence

T = TypeVar("T")
_FILES: dict[str, PartOfShot] = {
    "composite.mkv": "composite",
    "plate.mkv": "plate",
    "preview.mp4": "preview",
    "sheet.png": "sheet",
}
_AT_ONCE = 2  # hashing is most of the work, and a sequence's has threads of its own
_FOLDERS: tuple[PartOfShot, ...] = ("composite", "patch", "matte", "overlay", "over", "fusion")


def sign_shot(folder: Path, document: Mapping[str, Any], by: Identity | SwitchedOff) -> dict[str, Any]:
    """Sign what a shot's folder holds, and return what its document says of that under `credentials`.

    document: `faceplate.shot/1`. by: see `nodes.credentials.ready`. Raises CredentialsError, FootageError, OutputError.
    """
    if isinstance(by, SwitchedOff):
        return by.document()
    files = [(part, folder / name) for name, part in _FILES.items() if (folder / name).is_file()]
    sequences = [(part, frames) for part in _FOLDERS if (frames := frames_in(folder / part))]
    return told_of(folder, sign_each([*files, *sequences], claim_of(document), by), by)


def sign_each(
    made: Sequence[tuple[PartOfShot, Path | Sequence[Path]]], claim: Claim, identity: Identity
) -> list[Signed]:
    """Sign parts of a shot, each a file or the frames of a sequence, by one claim. Raises what `sign_shot` does."""

    def sign(one: tuple[PartOfShot, Path | Sequence[Path]]) -> Signed:
        told = replace(claim, part=one[0])
        return sign_file(one[1], told, identity) if isinstance(one[1], Path) else sign_sequence(one[1], told, identity)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(sign, made))


def sign_added(folder: Path, part: PartOfShot, document: Mapping[str, Any]) -> dict[str, Any]:
    """Sign a sequence that was written into a finished shot's folder later; returns what its document says under `credentials` then.

    Raises what `sign_shot` does.
    """
    told: dict[str, Any] = document.get("credentials") or {}
    frames = frames_in(folder / part)
    signed = sign_made(frames, part, document) if frames else None
    if signed is None:
        return told
    added = told_of(folder, [signed], load_identity())["results"]
    return told | {"results": [one for one in told["results"] if one["file"] != part] + added}


def sign_made(made: Path | Sequence[Path], part: PartOfShot, document: Mapping[str, Any]) -> Signed | None:
    """Sign a file, or the frames of a sequence, that were made of a finished shot's results.

    None for a shot that is not signed, since that was switched off or an earlier Faceplate made it: what is made of it is not either.
    Raises what `sign_shot` does.
    """
    told = document.get("credentials")
    if not told or not told.get("signed"):
        return None
    (signed,) = sign_each([(part, made)], claim_of(document), load_identity())
    return signed


def claim_of(document: Mapping[str, Any], part: PartOfShot = "composite") -> Claim:
    """What a shot's document says of its results. A model's file is read for its SHA-256 where the document has it not. Raises FootageError."""
    inputs: Mapping[str, Any] = document["inputs"]
    method = document["settings"]["swap"]["method"]
    placed, given, models = list[str](), list[str](), list[str]()
    for suffix in ("", *sorted(name.removeprefix("source") for name in inputs if name.startswith("source_"))):
        model, source = inputs.get(f"model{suffix}"), inputs.get(f"source{suffix}")
        by_model = method == "model" if not suffix else model is not None
        if by_model and model is not None:
            models.append(str(model.get("sha256") or _unchanged(_hashed, Path(model["path"]))))
        if source is not None:
            (given if by_model else placed).append(str(source["digest"]))
    return Claim(
        part,
        when=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        plate=str(inputs["plate"]["digest"]),
        placed=tuple(placed),
        given=tuple(given),
        models=tuple(models),
        provenance=read_document(document) or Provenance(),
        touched=("roto",) if any(name.startswith("roto") for name in inputs) else (),
        carried=_unchanged(_carried, Path(inputs["plate"]["path"]), str(inputs["plate"]["digest"])),
    )


def told_of(folder: Path, signed: Sequence[Signed], identity: Identity) -> dict[str, Any]:
    """What a document says: by whom, and for each result, a file or a sequence's folder, where the manifest is."""
    results = []
    for one in signed:
        subject = one.file if one.sidecar is None or one.sidecar.parent == folder else one.file.parent
        manifest = one.sidecar or one.file
        results.append({"file": _name(subject, folder), "manifest": _name(manifest, folder)})
    by = {"name": identity.name, "sha256": identity.fingerprint, "local": identity.local}
    stamped = all(one.stamped for one in signed) if identity.time_stamp else None
    return {"signed": True, "by": by, "time_stamped": stamped, "results": results}


def frames_in(folder: Path) -> list[Path]:
    """The frames that we wrote into a folder of a shot, as `patch/patch.1001.exr` or `fusion/1001.patch.png`, in their order; none without it."""
    if not folder.is_dir():
        return []
    name = re.compile(rf"(?:{re.escape(folder.name)}\.)?(\d+)\.(?!c2pa)\w+(?:\.png)?")
    found = [(int(m[1]), file) for file in folder.iterdir() if (m := name.fullmatch(file.name))]
    return [file for _, file in sorted(found)]


def _unchanged(look: Callable[..., T], path: Path, *more: str) -> T:
    """Look into a file once, for as long as it stays as it is: of a shot there may be many frames to sign, one by one."""
    try:
        found = path.stat()
    except OSError:
        return look(path, 0, 0, *more)
    return look(path, found.st_size, found.st_mtime_ns, *more)


@lru_cache(8)
def _hashed(path: Path, _size: int, _changed: int) -> str:
    return sha256(path)


@lru_cache(8)
def _carried(path: Path, _size: int, _changed: int, digest: str) -> bytes | None:
    return carried(path, plate_ingredient(digest))


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
