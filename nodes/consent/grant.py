"""What writers of results ask, in one call each: the provenance of what they are about to write, or a ConsentError."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nodes.consent import clock
from nodes.consent.check import ConsentGiven, current_book, not_revoked, refuse_without_project, require
from nodes.consent.footage import Face, check_shown, permit
from nodes.consent.onnx_metadata import read_metadata_of
from nodes.consent.parameters import Asked, AskedOfTwo
from nodes.consent.project import find_project
from nodes.consent.provenance import Part, Provenance, Role, read_metadata
from nodes.consent.record import Use
from nodes.consent.samples import RECORD, is_sample
from nodes.errors import ConsentError

_USE: dict[Role, Use] = {"target": "replaced", "source": "replacement", "performer": "train"}
_PAIR: tuple[Role, ...] = ("target", "source")


@dataclass(frozen=True, slots=True)
class Clip:
    """Footage: where it is, and its digest as of `nodes.cache`."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model file, its digest, and what it says of whom it was trained on; None when it says nothing."""

    path: Path
    digest: str
    provenance: Provenance | None

    @classmethod
    def of(cls, path: Path, digest: str) -> Model:
        """Look into a model file; one that cannot be read says nothing here, and is refused where it is loaded."""
        try:
            told = read_metadata(read_metadata_of(path))
        except (OSError, ValueError):
            told = None
        return cls(path, digest, told if told and told.tells else None)

    def part(self, role: Role) -> Part | None:
        """The performer of a pair in this role."""
        return next((p for p in self.provenance.performers if p.role == role), None) if self.provenance else None


def for_faceset(
    label: str,
    clips: Sequence[Clip],
    consent: Asked,
    out: Path,
    *,
    performer: str | None = None,
    now: datetime | None = None,
) -> Provenance:
    """A faceset from these clips: its performer may be trained on. Raises ConsentError.

    label: what it is called; this tells whose it is where it is a performer's name. performer: name or id, where that is said.
    """
    project = _project(consent, out, *(clip.path for clip in clips))
    said = performer or _if_known(label, project, now)
    given: ConsentGiven | None = None
    for clip in clips:
        face = Face("train", "--performer", said, clip.path, clip.digest)
        found = permit(face, project, consent.production, now)
        if given and found.performer != given.performer:
            raise ConsentError(
                f"shows {found.name} ({found.performer}), other clips {given.name} ({given.performer})",
                file=clip.path,
                remedy="Make a faceset of each performer",
            )
        given = found
    parts = (given.part("performer"),) if given else ()
    return Provenance(performers=parts, footage=tuple(sorted({clip.digest for clip in clips})))


def for_training(
    sets: Sequence[tuple[str, Provenance | None]],
    consent: Asked,
    out: Path,
    now: datetime | None = None,
) -> Provenance:
    """A model on facesets, each by its performer's name and what it says itself: all may be trained on still. Raises ConsentError.

    Of two, the first is the source. A faceset that says nothing, since an earlier Faceplate made it, is its performer's by its label.
    """
    project = _project(consent, out)
    book = current_book(project, now or clock.now()) if project else None
    roles: list[Role] = ["source", "target"] if len(sets) == 2 else ["performer"] * len(sets)
    parts = []
    for (name, said), role in zip(sets, roles, strict=True):
        if said is None or not said.performers:
            face = Face("train", "faceplate faceset --performer", name)
            given = permit(face, project, consent.production, now)
            parts.append(Provenance(performers=(given.part(role),)))
        else:
            check_shown(said, book, f"the faceset of {name}")
            allowed = [_still(p, "train", project, consent.production, now).part(role) for p in said.performers]
            parts.append(said.model_copy(update={"performers": tuple(allowed)}))
    return Provenance.joined(*parts)


def going_on(
    now_learned: Provenance,
    earlier: Provenance,
    file: Path,
    consent: Asked,
    out: Path,
    now: datetime | None = None,
) -> Provenance:
    """A training that begins where an earlier one, `file`, ended: nothing was revoked by which that was made. Raises ConsentError."""
    _check_made(earlier, file, _project(consent, out), now)
    return Provenance.joined(now_learned, earlier)


def faces_of(plate: Clip, source: Clip | None, model: Model | None, cast: AskedOfTwo) -> tuple[Face, Face]:
    """The faces that a shot uses: the one that is replaced, and the one that is put in."""
    taught = {role: part.id for role in _PAIR if model and (part := model.part(role))}
    return (
        Face("replaced", "--target-performer", cast.target_performer, plate.path, plate.digest, taught.get("target")),
        Face(
            "replacement",
            "--source-performer",
            cast.source_performer,
            source.path if source else None,
            source.digest if source else None,
            taught.get("source"),
        ),
    )


def for_swap(
    plate: Clip,
    source: Clip | None,
    model: Model | None,
    cast: AskedOfTwo,
    out: Path | None,
    now: datetime | None = None,
) -> Provenance:
    """A shot: its performer may be replaced, the source's face put in, and nothing was revoked by which the model was made.

    out: where the result goes, None if nowhere yet. A model that does not say whom it was trained on is noted under `unknown`. Raises
    ConsentError.
    """
    project = _project(cast, out, plate.path, source.path if source else None)
    target, put_in = (permit(face, project, cast.production, now) for face in faces_of(plate, source, model, cast))
    clips = [plate.digest, *([source.digest] if source else [])]
    own = Provenance(performers=(target.part("target"), put_in.part("source")), footage=tuple(clips))
    if model is None:
        return Provenance.joined(own)
    if model.provenance is None:
        return Provenance.joined(own, Provenance(unknown=(model.digest,)))
    taught = model.part("source")
    if taught is not None and taught.id != put_in.performer:
        raise ConsentError(
            f"puts in the face of {taught.id}, not of {put_in.name} ({put_in.performer})",
            file=model.path,
            remedy="Give the source's own footage, or the right performer with --source-performer",
        )
    _check_made(model.provenance, model.path, project, now)
    return Provenance.joined(own, model.provenance)


def still_given(
    made: Provenance, consent: Asked, *places: Path, file: Path | None = None, now: datetime | None = None
) -> Provenance:
    """What was made before and counts or goes out now: all in it may be used so still, and nothing was revoked by which it was made.

    file: what was made. Raises ConsentError.
    """
    project = _project(consent, *places)
    for part in made.performers:
        _still(part, _USE[part.role], project, consent.production, now)
    _check_made(made, file, project, now)
    return made


def _if_known(label: str, project: Path | None, now: datetime | None) -> str | None:
    """A label where it is a performer's name, or once was."""
    return label if project and current_book(project, now or clock.now()).named(label) else None


def _still(part: Part, use: Use, project: Path | None, production: str | None, now: datetime | None) -> ConsentGiven:
    if is_sample(part.id):
        return ConsentGiven(part.id, part.id.removeprefix("sample-"), (RECORD,))
    return require(use, part.id, project, production, now)


def _check_made(made: Provenance, file: Path | None, project: Path | None, now: datetime | None) -> None:
    """A consent that has ended allowed what was done before; one that was revoked allows nothing that was made by it."""
    consents = tuple(id for id in made.consents if id != RECORD)
    if consents and project is None:
        refuse_without_project("replacement", None)
    book = current_book(project, now or clock.now()) if project else None
    check_shown(made, book, "it", file)
    if book:
        not_revoked(book, consents, "it", file)


def _project(consent: Asked, *places: Path | None) -> Path | None:
    return find_project(*places, Path.cwd(), told=consent.project)
