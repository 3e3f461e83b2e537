"""Collector of the report on an edit, from its run's documents or from the clips of an exported edit; it changes neither."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import opentimelineio as otio
from pydantic import ValidationError

from host_bridge.timeline.cast_edit import check_rate
from host_bridge.timeline.document import ShotRecord, default_folder, document_path, load
from host_bridge.timeline.origin import UsedModel, media_sha256, models_in, performer_id
from host_bridge.timeline.read.edit import document_of_edit
from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.read.otio import parse
from host_bridge.timeline.read.places import MediaRoot, Places
from host_bridge.timeline.report.document import (
    CastPair,
    ConsentStanding,
    EditReport,
    FrameCount,
    Integrity,
    IntegrityState,
    PersonPart,
    ReportedEdit,
    ReportedExport,
    ReportedFootage,
    ReportedPaper,
    ReportedResult,
    ReportedShot,
    answers,
    remarks,
    worst,
)
from host_bridge.timeline.shots.media import url_of_reference
from host_bridge.timeline.write.tree import (
    CLIP,
    EXPORT,
    MEDIA,
    NAME,
    ClipBlock,
    ExportBlock,
    Node,
    clips,
    marked,
    references,
)
from nodes import __version__
from nodes.consent import records as clock
from nodes.consent.book import ConsentBook
from nodes.consent.gate import RECORD, USE, is_sample, project_book
from nodes.consent.provenance import PerformerPart, Provenance, Role
from nodes.credentials.identity import Trust, load_trust
from nodes.credentials.sign import frames_in
from nodes.credentials.verdict import Verdict, VerdictState
from nodes.credentials.verify import verify
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import FaceplateError, SchemaError
from nodes.footage.numbering import find_sequence
from nodes.footage.rates import snap_rate
from nodes.shot_document import FootageInput, ShotDocument, SignedShot, load_shot

WORDS: dict[IntegrityState, str] = {
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
_STATES: dict[VerdictState, IntegrityState] = {
    "trusted": "intact",
    "own": "intact",
    "unknown": "stranger",
    "changed": "changed",
    "removed": "gone",
    "none": "gone",
}
_WORST: tuple[IntegrityState, ...] = ("changed", "contradicted", "gone", "stranger", "intact")


def gather(
    edit: Path,
    out: Path | None = None,
    *,
    media_roots: Sequence[MediaRoot] = (),
    consent: ConsentParameters = DEFAULT_CONSENT,
    rate: Fraction | None = None,
    verify: bool = True,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> EditReport:
    """Gather the report on an edit from its run, or from the clips of an edit that our export wrote.

    out: the run's folder, by default beside the edit. media_roots: where an export's media are now. rate: of the edit's run, to check it.
    verify: read and verify the results. progress: called with finished shots, and their total.
    Raises SchemaError if the edit, both run and export, or finished results are missing; ConsentError for unreliable
    records; OutputError when a bundle cannot be unpacked for verifying.
    """
    edit = edit.expanduser().absolute()
    out = (out or default_folder(edit)).expanduser().absolute()
    data = document_of_edit(edit)
    digest, exported = hashlib.sha256(data).hexdigest(), _exported_edit(data, edit)
    run = load(out) if document_path(out).is_file() else None
    if run is not None and exported is not None and run.edit.digest != digest:
        run = None  # the run is of the original edit, or of another: this export describes itself
    if run is not None and run.edit.rate is not None:
        check_rate(run.edit.rate, rate, edit)
    book = project_book(consent, out, edit)
    gatherer = _Gatherer(book, load_trust() if verify else None)
    shots: list[ReportedShot] = []
    unexplained: list[str] = []
    source, changed = digest, None
    if run is not None:
        source, changed = run.edit.digest, run.edit.digest != digest
        for shot in run.shots:
            shots.append(gatherer.shot_of_run(shot, out))
            progress(len(shots), len(run.shots))
    elif exported is not None:
        tree, export_block = exported
        source = export_block.digest
        with _places(edit, media_roots, verify=verify) as places:
            for clip in clips(tree["tracks"]):
                if (block := marked(clip, CLIP)) is not None:
                    shots.append(gatherer.shot_of_clip(clip, block, edit, places))
                    progress(len(shots), len(shots))
                elif any(_is_ours(reference) for _, reference in references(clip)):
                    unexplained.append(str(clip.get("name")))
        shots.sort(key=lambda shot: shot.id)
    else:
        raise SchemaError(
            "there is no run of this edit here, and no results in it",
            file=out,
            remedy="Run it first with `faceplate timeline run`, or name the run's folder with --out",
        )
    consent_ids = dict.fromkeys(id for shot in shots for person in shot.people for id in person.consents)
    consents = {id: gatherer.consent(id) for id in consent_ids}
    replies = answers(shots, consents, changed, unexplained, known=book is not None)
    export = None
    if run is None and exported is not None:
        export = ReportedExport.model_validate(exported[1], from_attributes=True)
    return EditReport(
        made=clock.now().isoformat(),
        version=__version__,
        edit=ReportedEdit(path=str(edit), digest=source, own_digest=digest, changed=changed),
        run=None if run is None else out,
        export=export,
        project=book.project if book else None,
        production=consent.production or (book.production if book else None),
        verified=verify,
        covered=worst(answer.answer for answer in replies),
        answers=replies,
        remarks=remarks(shots, consents),
        shots=shots,
        consents=consents,
    )


@dataclass(frozen=True, slots=True)
class _Gatherer:
    """Collector of shots. book: the project's records, None without a project. trust: for verifying results, None to skip that."""

    book: ConsentBook | None
    trust: Trust | None

    # --- people ---

    def person(self, part: PerformerPart) -> PersonPart:
        """Describe a performer in a result."""
        recorded = self.book is not None and not is_sample(part.id)
        may_now = bool(self.book.allowing(part.id, USE[part.role])) if self.book and recorded else None
        return PersonPart(id=part.id, name=self._name(part.id), role=part.role, consents=part.consents, may_now=may_now)

    def pair(self, target: str | None, source: str | None, people: Sequence[PersonPart]) -> CastPair:
        """Name the target and source of a replacement. people: those in the result."""

        def called(name: str | None, role: Role) -> str | None:
            parts = [PerformerPart(id=p.id, role=p.role) for p in people]
            id = performer_id(name or "", role, parts, self.book)
            return name if id is None else self._name(id) or id

        return CastPair(target=called(target, "target"), source=called(source, "source"))

    def consent(self, id: str) -> ConsentStanding:
        """Describe a consent record and its state today."""
        if id == RECORD:
            return ConsentStanding(id=id, holds=None, stands="sample footage")
        if self.book is None:
            return ConsentStanding(id=id, holds=None, stands="not looked up")
        consent = self.book.consents.get(id)
        if consent is None:
            return ConsentStanding(id=id, holds=False, stands="is not in the records of this project")
        paper = consent.document
        return ConsentStanding(
            **consent.model_dump(exclude={"kind", "performer", "document", "from_"}),
            performer=self._name(consent.performer) or consent.performer,
            performer_id=consent.performer,
            from_=consent.from_,
            document=ReportedPaper(name=paper.name, sha256=paper.sha256) if paper else None,
            holds=self.book.state(consent) == "in force",
            stands=self.book.stands(consent),
            reason=self.book.revoked[id].reason if id in self.book.revoked else None,
        )

    def _name(self, id: str) -> str | None:
        if is_sample(id):
            return id.removeprefix("sample-")
        performer = self.book.performers.get(id) if self.book else None
        return performer.name if performer else None

    # --- a run ---

    def shot_of_run(self, shot: ShotRecord, out: Path) -> ReportedShot:
        """Describe a shot by the run's documents. Raises SchemaError if its results are gone or damaged."""
        (first, last), begin = shot.span, shot.media.start
        count = last - first + 1
        people, result = [], None
        if shot.state == "done" and shot.folder is not None:
            folder = out / shot.folder
            remedy = "Put it back from a copy, or run the timeline again, which makes it anew"
            if not (folder / "shot.json").is_file():
                raise SchemaError(f"shot {shot.id} is done, but its results are not here", file=folder, remedy=remedy)
            finished = load_shot(folder)
            provenance = finished.provenance or Provenance(version="unknown")
            people = [self.person(part) for part in provenance.performers]
            result = ReportedResult(
                folder=str(folder),
                models=models_in(finished),
                footage=_footage(finished, provenance),
                unknown=provenance.unknown,
                credentials=self._integrity_of_folder(finished, folder),
                sha256=None if self.trust is None else _finished_sha256(folder),
                version=provenance.version,
            )
        return ReportedShot(
            id=shot.id,
            name=shot.name,
            state=shot.state,
            error=None if shot.error is None else shot.error.message,
            media=shot.media.url,
            frames=FrameCount(first=begin + first, last=begin + last, count=count),
            rate=str(shot.media.rate),
            seconds=round(float(count / shot.media.rate), 3),
            cast=[self.pair(c.target, c.source, people) for c in shot.cast],
            people=people,
            result=result,
        )

    def _integrity_of_folder(self, shot: ShotDocument, folder: Path) -> Integrity:
        """Verify a run's shot, or without trust only check that its files exist."""
        credentials = shot.credentials
        if credentials is None:
            return _integrity("none")
        if not isinstance(credentials, SignedShot):
            return _integrity("off", why=f"{credentials.since[:10]}: {credentials.reason}".strip(": "))
        if self.trust is None:
            results = [(folder / r.file, folder / r.manifest) for r in credentials.results]
            missing = [
                f"{file.name} or its manifest is gone" for file, by in results if not (file.exists() and by.exists())
            ]
            integrity = _integrity("gone" if missing else "unverified", missing)
        else:
            verdicts = [v for v in verify(folder, self.trust) if v.state != "none"]
            integrity = _judged(verdicts, shot.provenance or Provenance(), folder)
        by = {"by": credentials.by.name, "time_stamped": credentials.time_stamped}
        return integrity.model_copy(update={**by, "verify": _command(folder)})

    # --- an export ---

    def shot_of_clip(self, clip: Node, result: Node, file: Path, places: Places | None) -> ReportedShot:
        """Describe a clip with a result. places: finds media, None to skip them. Raises SchemaError for a damaged block."""
        try:
            block = ClipBlock.model_validate(result)
            ours = {path[-1]: r for path, r in references(clip) if _is_ours(r)}
            reference = ours.get(block.key) or next(iter(ours.values()), None)
            frames, rate = _frames(reference, block.span)
            name = str(clip.get("name") or "")  # on our tracks, the name of the media
            people = [self.person(part) for part in block.provenance.performers]
            media = None if reference is None else otio.core.deserialize_json_from_string(json.dumps(reference))
            address = None if media is None else url_of_reference(media)
            if places is None:
                integrity = _integrity("unverified")
            else:
                integrity = self._integrity_of_media(None if address is None else places.find(address)[0], block)
            return ReportedShot(
                id=block.shot,
                name="" if reference is not None and name == reference.get("name") else name,
                state="done",
                media=address,
                frames=frames,
                rate=str(rate),
                seconds=round(float(frames.count / rate), 3),
                cast=[self.pair(c.target, c.source, people) for c in block.cast],
                people=people,
                result=ReportedResult(
                    models=[UsedModel(digest=m.digest, sha256=m.sha256) for m in block.models],
                    footage=[ReportedFootage(digest=d, part="footage") for d in block.provenance.footage],
                    unknown=block.provenance.unknown,
                    credentials=integrity,
                    sha256=block.media.sha256,
                    version=block.provenance.version,
                ),
            )
        except (ValidationError, KeyError, TypeError, ValueError) as e:
            raise _damaged(f"the clip '{clip.get('name')}' has a damaged block '{NAME}'", file) from e

    def _integrity_of_media(self, media: Path | None, block: ClipBlock) -> Integrity:
        """Verify an export's media, a file or a sequence as name.%04d.exr; None if missing."""
        if media is None:
            return _integrity("absent")
        if self.trust is None:
            return _integrity("unverified")
        try:
            sequence = find_sequence(media)
            digest = media_sha256(media if sequence is None else sequence.files)
        except FaceplateError as e:
            return _integrity("gone", [str(e)])
        if block.media.sha256 is not None and digest != block.media.sha256:
            return _integrity("changed", [f"{media.name} is not what was exported"])
        if not block.credentials.signed:
            return _integrity("none")
        return _judged([verify(media, self.trust)[0]], block.provenance, media)


def _footage(shot: ShotDocument, provenance: Provenance) -> list[ReportedFootage]:
    """List a shot's footage by digest: its own with part and name, then that of its facesets."""
    own = {
        item.digest: ReportedFootage(digest=item.digest, part=name.partition("_")[0], name=item.path.name)
        for name, item in shot.inputs.items()
        if isinstance(item, FootageInput)
    }
    learned = [ReportedFootage(digest=d, part="faces") for d in provenance.footage if d not in own]
    return [*own.values(), *learned]


def _finished_sha256(folder: Path) -> str | None:
    """Return the SHA-256 of a shot's finished images or movie; None if missing."""
    frames, movie = frames_in(folder / "composite"), folder / "composite.mkv"
    return media_sha256(frames or movie) if frames or movie.is_file() else None


# --- an export's document ---


def _exported_edit(data: bytes, file: Path) -> tuple[Node, ExportBlock] | None:
    """Read an edit's bytes as an export of ours; None for any other edit. Raises SchemaError for a damaged one."""
    if NAME.encode() not in data:
        return None
    try:
        edit = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None  # an edit of another format, whose reader reports faults
    block = marked(edit, EXPORT)
    if block is None:
        return None
    parse(data, str(file))
    try:
        return edit, ExportBlock.model_validate(block)
    except ValidationError as e:
        raise _damaged("what it says of its export is damaged", file) from e


def _is_ours(reference: Node) -> bool:
    block = (reference.get("metadata") or {}).get(NAME)
    return isinstance(block, dict) and block.get("schema") == MEDIA


def _frames(reference: Node | None, span: tuple[int, int]) -> tuple[FrameCount, Fraction]:
    """Return a result's frame numbers in the edit's count, and their rate; without a reference, its place in its media."""
    available = (reference or {}).get("available_range")
    if not available:
        return FrameCount(first=span[0], last=span[1], count=span[1] - span[0] + 1), Fraction(24)
    first, count = nearest(exact(available["start_time"]["value"])), round(available["duration"]["value"])
    return FrameCount(first=first, last=first + count - 1, count=count), snap_rate(available["duration"]["rate"])


@contextmanager
def _places(edit: Path, roots: Sequence[MediaRoot], *, verify: bool) -> Iterator[Places | None]:
    """Open the places of an export's media; those of an .otioz are unpacked temporarily, or None without verifying."""
    kind = edit.suffix.lower()
    if kind != ".otioz":
        yield Places(edit if edit.is_dir() else edit.parent, tuple(roots), inside=kind == ".otiod")
    elif not verify:
        yield None
    else:
        with TemporaryDirectory(prefix="faceplate-") as folder:
            document_of_edit(edit, Path(folder))
            yield Places(Path(folder), tuple(roots), inside=True)


def _damaged(what: str, file: Path) -> SchemaError:
    return SchemaError(what, file=file, remedy="Export the edit again: faceplate timeline export")


# --- integrity ---


def _judged(verdicts: Sequence[Verdict], claimed: Provenance, path: Path) -> Integrity:
    """Combine verdicts: the worst counts. claimed: the document's provenance, which signed manifests must match."""
    states = [_STATES[v.state] for v in verdicts]
    files = [v.file.name for v in verdicts if v.intact and not (v.manifest and _matches(v.manifest.swap, claimed))]
    if files:
        states.append("contradicted")
    faults = [v.said for v in verdicts if not v.intact]
    what = "its Content Credentials name other consents, models or footage than are said here"
    faults += [f"{name}: {what}" for name in files]
    manifest = next((v.manifest for v in verdicts if v.manifest), None)
    integrity = _integrity(next((s for s in _WORST if s in states), "gone"), faults)
    signer, stamped = manifest.signer if manifest else None, bool(manifest and manifest.time)
    return integrity.model_copy(update={"by": signer, "time_stamped": stamped, "verify": _command(path)})


def _matches(signed: Mapping[str, Any], claimed: Provenance) -> bool:
    """Tell whether a manifest matches the claimed consents, footage and unknown models."""
    return (
        signed.get("consents") == [{"role": p.role, "records": list(p.consents)} for p in claimed.performers]
        and signed.get("footage") == list(claimed.footage)
        and signed.get("unknown") == list(claimed.unknown)
    )


def _command(path: Path) -> str:
    return shlex.join(["faceplate", "credentials", "verify", str(path)])


def _integrity(state: IntegrityState, faults: Sequence[str] = (), *, why: str = "") -> Integrity:
    return Integrity(state=state, what=f"{WORDS[state]} {why}".rstrip(), faults=tuple(faults))
