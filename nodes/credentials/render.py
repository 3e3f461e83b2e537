"""Sign what an artist rendered in another program with shots' results in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nodes.consent.provenance import Provenance
from nodes.credentials.claim import Claim
from nodes.credentials.identity import load_identity
from nodes.credentials.library import EMBEDS
from nodes.credentials.shot import claim_of
from nodes.credentials.sign import Signed, sign_file, sign_sequence
from nodes.credentials.trust import Trust
from nodes.credentials.verify import verify_file
from nodes.errors import CredentialsError, SchemaError
from nodes.footage.numbering import find_sequence
from nodes.shot import document


def sign_render(render: Path, shots: Sequence[Path]) -> Signed:
    """Sign a movie, a picture, or a sequence (name.%04d.exr, or its folder).

    shots: the folders of those that are in it, at least one. It is signed even where the project has switched that off for its own results:
    somebody asks for it. Raises CredentialsError, SchemaError, FootageError, OutputError; the file is then as it was.
    """
    claim, identity = _joined([_claim(shot) for shot in shots]), load_identity()
    sequence = find_sequence(render)
    if sequence is not None:
        return sign_sequence(sequence.files, claim, identity)
    if verify_file(render, Trust()).state != "none" and render.suffix.lower() in EMBEDS:
        raise CredentialsError(
            "carries Content Credentials already, which would be lost",
            file=render,
            remedy="Sign the file as it was rendered",
        )
    return sign_file(render, claim, identity)


def _claim(shot: Path) -> Claim:
    told = document.load(shot)
    try:
        return claim_of(told, "render")
    except (KeyError, TypeError, AttributeError) as e:
        raise SchemaError(f"lacks {e}", file=shot, remedy="Give a folder that `faceplate swap` has written") from e


def _joined(of: Sequence[Claim]) -> Claim:
    """One claim of those of several shots; whatever is in one of them is in it."""
    plates, placed, given, models, touched = (
        tuple(dict.fromkeys(one for claim in of for one in many(claim)))
        for many in (
            lambda c: (c.plate,),
            lambda c: c.placed,
            lambda c: c.given,
            lambda c: c.models,
            lambda c: c.touched,
        )
    )
    return replace(
        of[0],
        plate=plates[0],
        plates=plates[1:],
        placed=placed,
        given=given,
        models=models,
        provenance=Provenance.joined(*(claim.provenance for claim in of)),
        touched=(*touched, "finishing in another program"),
        carried=of[0].carried if len(plates) == 1 else None,
    )
