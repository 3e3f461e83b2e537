"""Signing of results: into files that can carry a manifest, else beside them, and for a sequence beside all of its frames."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from nodes.consent import records as clock
from nodes.consent.provenance import Provenance
from nodes.consent.records import FOLDER, find_project
from nodes.credentials.binding import hash_files, listing, sha256, sidecar_for
from nodes.credentials.identity import Identity, configuration_file, load_identity
from nodes.credentials.library import BYTES, carried, check, sign_stream
from nodes.credentials.manifest import Claim, bound_to, definition, frames_of, plate_ingredient
from nodes.credentials.verdict import sentence
from nodes.errors import CredentialsError, SchemaError, writing
from nodes.files import check_schema, whole_file
from nodes.footage.formats import EMBEDS
from nodes.footage.numbering import find_sequence
from nodes.parts import FILES, FOLDERS, PartOfShot
from nodes.shot_document import PictureOrigin, ShotDocument, SignedResult, SignedShot, Signer, SwitchedOff

_SETTING, _SETTING_FILE = "faceplate.credentials-setting/1", Path(FOLDER, "credentials.json")
_AT_ONCE = 2  # hashing is most of the work, and a sequence's has threads of its own


def switched_off(project: Path | None) -> SwitchedOff | None:
    """Read since when and why a project's results are unsigned; None where they are signed. Raises SchemaError."""
    path = project and project / _SETTING_FILE
    if path is None or not path.exists():
        return None
    try:
        setting = json.loads(path.read_bytes())
        check_schema(setting["schema"], _SETTING, path)
        return None if setting["signed"] else SwitchedOff(since=str(setting["since"]), reason=str(setting["reason"]))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError("is damaged", file=path, remedy="Delete it: results are signed then") from e


def switch(project: Path, signed: bool, reason: str) -> SwitchedOff | None:
    """Switch the signing of results on or off. Raises CredentialsError for off without a reason; OutputError."""
    if not signed and not reason.strip():
        raise CredentialsError("to switch Content Credentials off needs a reason", remedy="Give one with --reason")
    if (switched_off(project) is None) != signed:
        setting = {"schema": _SETTING, "signed": signed, "since": clock.now().isoformat(), "reason": reason.strip()}
        with whole_file(project / _SETTING_FILE) as temporary:
            temporary.write_text(json.dumps(setting, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return switched_off(project)


def ready(*places: Path | None, given: Path | None = None) -> Identity | SwitchedOff:
    """Load the signing identity and try it, before the work: an expired certificate must not show an hour later.

    places, given: of the project, as of `nodes.consent.records.find_project`; the current folder is the last place. Raises
    CredentialsError, ConsentError, OutputError.
    """
    if off := switched_off(find_project(*places, Path.cwd(), given=given)):
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
    """Say why an identity cannot sign, None if it can. Tried once, and again when it has expired: previews must be quick."""
    trial = Claim("plate", "2000-01-01T00:00:00Z", "00" * 32)
    bound = bound_to(hashlib.sha256(b"trial").hexdigest(), "")
    try:
        manifest, _ = sign_stream(definition(trial, bound), None, replace(identity, time_stamp=None))
        checked = check(BYTES, io.BytesIO(b"trial"), manifest)
    except CredentialsError as e:
        return e.what
    return next((sentence(*fault) for fault in checked.faults), None) if checked else None


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed result. sidecar: the manifest's file, None where it is in the file. stamped: a time-stamp server answered."""

    file: Path
    sidecar: Path | None
    stamped: bool


def sign_made(result: Path | Sequence[Path], claim: Claim, identity: Identity) -> Signed:
    """Sign a file, into it or, where its kind carries no manifest, beside it; or the frames of a sequence, all in one folder, beside them.

    Beside it is `name.c2pa`, where C2PA tools look; `name.mkv.c2pa` where something else has that name too, whose manifest it could be. If
    the time-stamp server does not answer, the result is signed without a time-stamp, and says so. Raises
    CredentialsError, FootageError, OutputError; the file is then as it was.
    """
    if isinstance(result, Path) and (kind := EMBEDS.get(result.suffix.lower())):
        with whole_file(result, sync=False) as temporary, result.open("rb") as source, temporary.open("w+b") as target:
            _, stamped = sign_stream(definition(claim), claim.carried, identity, kind, source, target)
        return Signed(result, None, stamped)
    if isinstance(result, Path):
        assertions = [bound_to(sha256(result), "the whole file")]
    else:
        hashes = hash_files(result)
        bound = bound_to(hashlib.sha256(listing(hashes)).hexdigest(), "list of the frames, as of sha256sum")
        assertions = [bound, frames_of(hashes)]
    manifest, stamped = sign_stream(definition(claim, *assertions), claim.carried, identity)
    sidecar = sidecar_for(result)
    with whole_file(sidecar, sync=False) as temporary:
        temporary.write_bytes(manifest)
    return Signed(result if isinstance(result, Path) else result[0], sidecar, stamped)


def forget(result: Path | Sequence[Path]) -> None:
    """Remove the manifest beside a file, or the frames of a sequence, about to be written anew, perhaps unsigned. Raises OutputError."""
    if isinstance(result, Path) and result.suffix.lower() in EMBEDS:
        return
    with writing(sidecar := sidecar_for(result)):
        sidecar.unlink(missing_ok=True)


def sign_shot(folder: Path, shot: PictureOrigin, by: Identity | SwitchedOff) -> SignedShot | SwitchedOff:
    """Sign the results in a shot's folder, and return the entry `credentials` of its document. by: as of `ready`.

    Raises CredentialsError, FootageError, OutputError.
    """
    if isinstance(by, SwitchedOff):
        return by
    files = [(part, folder / name) for name, part in FILES.items() if (folder / name).is_file()]
    sequences = [(part, frames) for part in FOLDERS if (frames := frames_in(folder / part))]
    return credentials_entry(folder, sign_each([*files, *sequences], claim_of(shot), by), by)


def sign_each(
    results: Sequence[tuple[PartOfShot, Path | Sequence[Path]]], claim: Claim, identity: Identity
) -> list[Signed]:
    """Sign parts of a shot, each a file or the frames of a sequence, by one claim. Raises CredentialsError, FootageError, OutputError."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda item: sign_made(item[1], replace(claim, part=item[0]), identity), results))


def sign_added(folder: Path, part: PartOfShot, shot: ShotDocument) -> ShotDocument:
    """Sign a sequence that was added to a finished shot's folder; returns the shot's document with it.

    Raises CredentialsError, FootageError, OutputError.
    """
    signed, frames = shot.credentials, frames_in(folder / part)
    if not isinstance(signed, SignedShot) or not frames:
        return shot
    identity = load_identity()
    added = credentials_entry(folder, [sign_made(frames, claim_of(shot, part), identity)], identity).results
    results = *(result for result in signed.results if result.file != part), *added
    return shot.model_copy(update={"credentials": signed.model_copy(update={"results": results})})


def sign_derived(result: Path | Sequence[Path], part: PartOfShot, shot: ShotDocument) -> Signed | None:
    """Sign a file, or the frames of a sequence, made from a finished shot's results; None for an unsigned shot.

    Raises CredentialsError, FootageError, OutputError.
    """
    signed = isinstance(shot.credentials, SignedShot)
    return sign_made(result, claim_of(shot, part), load_identity()) if signed else None


def credentials_entry(folder: Path, signed: Sequence[Signed], identity: Identity) -> SignedShot:
    """Make the entry `credentials` of a shot's document: the signer, and each result, a file or a sequence's folder, with its manifest."""
    results = []
    for part in signed:
        subject = part.file if part.sidecar is None or part.sidecar.parent == folder else part.file.parent
        file, manifest = (path.relative_to(folder).as_posix() for path in (subject, part.sidecar or part.file))
        results.append(SignedResult(file=file, manifest=manifest))
    by = Signer(name=identity.name, sha256=identity.fingerprint, local=identity.local)
    time_stamped = all(part.stamped for part in signed) if identity.time_stamp else None
    return SignedShot(by=by, time_stamped=time_stamped, results=tuple(results))


def claim_of(shot: PictureOrigin, part: PartOfShot = "composite") -> Claim:
    """Make the claim of a shot's document. A model's file is read for its SHA-256 where the document lacks it. Raises FootageError."""
    placed, given, models = list[str](), list[str](), list[str]()
    for source, model in shot.people:
        if model is not None:
            models.append(model.sha256 or _model_sha256(model.path, model.digest))
        if source is not None:
            (placed if model is None else given).append(source.digest)
    return Claim(
        part,
        when=when(),
        plate=shot.plate.digest,
        placed=tuple(placed),
        given=tuple(given),
        models=tuple(models),
        provenance=shot.provenance or Provenance(),
        touched=("roto",) if any(name.startswith("roto") for name in shot.inputs) else (),
        carried=_carried(shot.plate.path, shot.plate.digest),
    )


def claim_of_render(shots: Iterable[ShotDocument]) -> Claim:
    """Make the claim of a render from another program with these shots in it: it joins all of their claims."""
    claims = [claim_of(shot, "render") for shot in shots]

    def joined(many: Callable[[Claim], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for claim in claims for each in many(claim)))

    plates = joined(lambda claim: (claim.plate,))
    return replace(
        claims[0],
        plate=plates[0],
        plates=plates[1:],
        placed=joined(lambda claim: claim.placed),
        given=joined(lambda claim: claim.given),
        models=joined(lambda claim: claim.models),
        provenance=Provenance.joined(*(claim.provenance for claim in claims)),
        touched=(*joined(lambda claim: claim.touched), "finishing in another program"),
        carried=claims[0].carried if len(plates) == 1 else None,
    )


def sign_returned(result: Path | Sequence[Path], plate: Path, digest: str, by: Identity | SwitchedOff) -> None:
    """Sign pictures from another program that were put back into the plate of this digest; their edits are unknown.

    by: as of `ready`. Raises CredentialsError, FootageError, OutputError.
    """
    if not isinstance(by, SwitchedOff):
        sign_made(result, Claim("returned", when(), digest, carried=carried(plate, plate_ingredient(digest))), by)


def sign_render(render: Path, shots: Sequence[ShotDocument]) -> Signed:
    """Sign a movie, a picture, or a sequence (name.%04d.exr, or its folder) that an artist rendered in another program.

    shots: those that are in it, at least one. It is signed even where the project has switched signing off,
    because it was requested. Raises CredentialsError, FootageError, OutputError; the file is then as it was.
    """
    claim, identity, sequence = claim_of_render(shots), load_identity(), find_sequence(render)
    kind = None if sequence else EMBEDS.get(render.suffix.lower())
    if kind is not None and render.is_file():
        with suppress(ValueError), render.open("rb") as file:
            if check(kind, file, None) is not None:
                raise CredentialsError(
                    "carries Content Credentials already, which would be lost",
                    file=render,
                    remedy="Sign the file as it was rendered",
                )
    return sign_made(sequence.files if sequence else render, claim, identity)


def when() -> str:
    """Return the time by this machine's clock, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def frames_in(folder: Path) -> list[Path]:
    """List the frames of a folder of a shot, as `patch/patch.1001.exr` or `fusion/1001.patch.png`, in their order; none without it."""
    if not folder.is_dir():
        return []
    name = re.compile(rf"(?:{re.escape(folder.name)}\.)?(\d+)\.(?!c2pa)\w+(?:\.png)?")
    frames = [(int(m[1]), file) for file in folder.iterdir() if (m := name.fullmatch(file.name))]
    return [file for _, file in sorted(frames)]


# Cached for the process: a shot may have many frames to sign, one by one.
@lru_cache(8)
def _model_sha256(path: Path, _digest: str) -> str:
    return sha256(path)


@lru_cache(8)
def _carried(path: Path, digest: str) -> bytes | None:
    return carried(path, plate_ingredient(digest))
