"""The performers of a training: their roles, and checks that their facesets go together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from nodes.errors import FaceplateError, ModelError
from nodes.subjects.subject import Subject
from trainer.faceset import Faceset


def roles(count: int) -> list[str]:
    """Name the performers of a training: source and target of a pair, numbers in a base over more."""
    return ["source", "target"] if count == 2 else [f"performer {k}" for k in range(count)]


def check_together(facesets: Sequence[Faceset]) -> None:
    """Raise FaceplateError unless all hold the same kind of crops, that of this Faceplate, of different performers."""
    first = facesets[0]
    for other in facesets:
        if not len(other):
            raise ModelError("has no crops", file=other.folder, remedy="Make it again from footage that shows the face")
        for name in ("subject", "template", "coverage"):
            mine, its = getattr(first, name), getattr(other, name)
            if mine != its:
                option = f" --coverage {mine:g}" if name == "coverage" else ""
                mine, its = (v.name if isinstance(v, Subject) else v for v in (mine, its))
                raise FaceplateError(
                    f"its crops have the {name} {its}, those of {first.folder} have {mine}",
                    file=other.folder,
                    remedy=f"Make one of them again with faceplate faceset{option}",
                )
    template_id = first.subject.template_id
    if first.template != template_id:
        raise FaceplateError(
            f"the facesets are made for the template {first.template}, this Faceplate has {template_id}",
            file=first.folder,
            remedy="Make them again with faceplate faceset",
        )
    for faceset, other in combinations(facesets, 2):
        if faceset.digest == other.digest or faceset.performer == other.performer:
            raise FaceplateError(
                f"it and {faceset.folder} are the same performer, {faceset.performer}",
                file=other.folder,
                remedy="Give a faceset of each performer; of two, first the one whose face is put in, then the one in the plate",
            )
