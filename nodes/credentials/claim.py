"""What is said of a result, as plain data: which part of a shot it is, how it was made, from what, and by which consents.

Nothing personal: footage and models by their hashes, consents by the ids of their records; no names, no paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nodes.consent.provenance import Provenance

PartOfShot = Literal[
    "composite",
    "preview",
    "overlay",
    "still",
    "sheet",
    "patch",
    "matte",
    "over",
    "fusion",
    "plate",
    "render",
    "returned",
]
PARTS: dict[PartOfShot, str] = {
    "composite": "the finished picture",
    "preview": "plate and finished picture beside each other",
    "overlay": "the new face as a host lays it over the plate",
    "still": "one finished frame",
    "sheet": "some frames of plate and finished picture",
    "patch": "the new face alone",
    "matte": "where the new face is",
    "over": "the new face as a compositor lays it over the plate",
    "fusion": "the new face and where it is, as Fusion reads them",
    "plate": "a copy of the plate; no face was replaced in it",
    "render": "a finished picture, rendered in another program",
    "returned": "pictures that were cut out of the plate, put back as another program has left them",
}
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC: "Augmentation, correction or enhancement using a Generative AI model, such as with inpainting or outpainting operations".
WITH_MODEL = f"{_IPTC}compositeWithTrainedAlgorithmicMedia"
# IPTC: "Mix or composite of several elements, any of which may or may not be generative AI". The reference method generates nothing: it puts
# in what a camera saw of the source. That both clips are captures of real life (compositeCapture) is nothing that Faceplate can know, and
# algorithmicallyEnhanced is only for changes "without changing the main content of the media".
COMPOSITE = f"{_IPTC}composite"
# IPTC: "Augmentation, correction or enhancement by one or more humans using non-generative tools".
BY_HAND = f"{_IPTC}humanEdits"


@dataclass(frozen=True, slots=True)
class Claim:
    """One result. plate, placed, given: digests of footage as `shot.json` has them. models: SHA-256 of their files.

    placed: sources whose own pixels are put in, which is the method `reference`. given: sources that models were shown.
    touched: what an artist had a hand in, as "roto". plates: those of further shots, of a render of several. when: UTC, ISO 8601, by this machine's clock.
    carried: the plate's own Content Credentials, which go on with it (`nodes.credentials.library.carried`).
    """

    part: PartOfShot
    when: str
    plate: str
    placed: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    touched: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    carried: bytes | None = field(default=None, repr=False)

    @property
    def source_type(self) -> str:
        """IPTC's digital source type of what was done."""
        return WITH_MODEL if self.models else COMPOSITE
