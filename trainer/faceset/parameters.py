"""Parameters of a faceset, defined once for the command line, the documents and the docs."""

from __future__ import annotations

from nodes.definitions import crop_coverage
from nodes.spec import Parameters, parameter


class FacesetParameters(Parameters):
    """Gather the crops of one performer, ready to train on."""

    size: int = parameter(192, ge=32, le=1024, multiple_of=8, unit="pixels", help="Side of the crops.")
    coverage: float = crop_coverage()
    most: int = parameter(
        2000, ge=1, le=100_000, unit="crops", help="At most this many crops are kept, as varied as can be."
    )
    least_change: float = parameter(
        1.0,
        ge=0.01,
        le=10,
        unit="of what the eye just sees",
        help="Crops that differ less than this from one that is kept, in pose, expression and light, are left out as duplicates.",
    )
