"""The parameters of alignment to a reference picture; nothing heavy is imported."""

from __future__ import annotations

from enum import StrEnum

from nodes.spec import Parameters, parameter


class Registrar(StrEnum):
    """How the object is found and placed."""

    FEATURES = "features"
    ECC = "ecc"


class Transform(StrEnum):
    """What the object may do in the picture."""

    SIMILARITY = "similarity"
    HOMOGRAPHY = "homography"


class RegisterParameters(Parameters):
    """Align a rigid object without landmarks: a product, a sign, a prop."""

    method: Registrar = parameter(
        Registrar.FEATURES,
        help="features: SIFT features and a robust fit; ecc: the same, then refined by intensity to a fraction of a pixel, slower.",
    )
    model: Transform = parameter(
        Transform.HOMOGRAPHY,
        help="similarity: the object shifts, turns and changes size; homography: a flat object that also tilts.",
    )
    min_score: float = parameter(
        0.3,
        ge=0,
        le=1,
        help="Frames below this score count as frames without the object: the share of features that agree (features), or the correlation with the reference (ecc).",
    )
    smoothing: float = parameter(
        0.0, ge=0, le=2, unit="seconds", help="Window of the zero-phase smoothing of the object's corners; 0 for none."
    )
