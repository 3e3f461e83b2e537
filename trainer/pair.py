"""Two facesets that are to be trained on together: whether they can be."""

from __future__ import annotations

from nodes.errors import FaceplateError
from nodes.subjects import load_subject
from trainer.faceset import Faceset

_ALIKE = ("subject", "template", "coverage")
_AGAIN = "Make one of them again with faceplate faceset"


def check_pair(source: Faceset, target: Faceset) -> None:
    """Raise FaceplateError unless both are of the same kind of crop, one this Faceplate makes, and of different performers."""
    for name in _ALIKE:
        mine, other = getattr(source, name), getattr(target, name)
        if mine != other:
            option = f" --coverage {mine:g}" if name == "coverage" else ""
            raise FaceplateError(
                f"its crops have the {name} {other}, those of {source.folder} have {mine}",
                file=target.folder,
                remedy=_AGAIN + option,
            )
    known = load_subject().template_id
    if source.template != known:
        raise FaceplateError(
            f"both facesets are made for the template {source.template}, this Faceplate has {known}",
            file=source.folder,
            remedy="Make both again with faceplate faceset",
        )
    if source.digest == target.digest or source.performer == target.performer:
        raise FaceplateError(
            f"source and target are the same performer, {source.performer}",
            file=target.folder,
            remedy="Give two facesets: first the one whose face is put in, then the one in the plate",
        )
