"""The four nodes, each defined once: ports, parameters and the function that computes it.

Command-line options, host interfaces, the JSON schema and the reference page are all generated from here. No heavy
imports, so that `faceplate --help` is instant; `compute` names a function that is imported when it is called.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import model_validator

from nodes.spec import Node, Parameters, Port, parameter


class Detector(StrEnum):
    """Face detectors."""

    SHORT = "short"
    FULL = "full"
    AUTO = "auto"
    S3FD = "s3fd"


class Landmarker(StrEnum):
    """Landmarkers."""

    MESH = "mesh"
    FAN = "fan"


class Method(StrEnum):
    """Methods of Swap to make the new face."""

    REFERENCE = "reference"
    MODEL = "model"


class ColourMatch(StrEnum):
    """Methods to match the new face's colours to the plate's."""

    NONE = "none"
    REINHARD = "reinhard"
    MKL = "mkl"


class Mouth(StrEnum):
    """Sources of the mouth between the new face's lips."""

    SOURCE = "source"
    PLATE = "plate"
    AUTO = "auto"


class Glasses(StrEnum):
    """Whose glasses are seen."""

    PLATE = "plate"
    SOURCE = "source"
    AUTO = "auto"


class MattePart(StrEnum):
    """Views of a matte: the whole, or one part of it."""

    MATTE = "matte"
    REGIONS = "regions"
    VISIBLE = "visible"
    HAIR = "hair"
    HAND = "hand"
    GLASSES = "glasses"


class Registrar(StrEnum):
    """Methods to find and place the aligned subject."""

    LANDMARKS = "landmarks"
    FEATURES = "features"
    ECC = "ecc"


class Transform(StrEnum):
    """Transforms of an object in the picture."""

    SIMILARITY = "similarity"
    HOMOGRAPHY = "homography"


class DetectParameters(Parameters):
    """Find and follow the faces of a shot, or another subject."""

    subject: str = parameter(
        "face", help="What is found and followed: face, hand, or the name or document of a subject of your own."
    )
    layer: str | None = parameter(
        None,
        help="Layer of an EXR that is the picture, of the plate and of other footage that has one of that name; by default the unnamed one, or the beauty.",
    )
    detector: Detector = parameter(
        Detector.AUTO,
        help="Face detector: short range (faces within about 2 m), full range (smaller faces), auto (short, then full where it finds nothing), or S3FD through face-alignment.",
        choices={
            "short": ("Short Range", "Faces within about 2 m"),
            "full": ("Full Range", "Smaller faces"),
            "auto": ("Automatic", "Short range, then full range where that finds nothing"),
            "s3fd": ("S3FD", "Through face-alignment, which is installed separately"),
        },
    )
    every: int = parameter(
        12,
        ge=1,
        le=250,
        unit="frames",
        label="Detect Every",
        help="Run the detector every N frames and follow the landmarks in between.",
    )
    min_score: float = parameter(
        0.5, ge=0, le=1, label="Minimum Score", help="Detections below this score are dropped."
    )
    min_size: float = parameter(
        0.02,
        ge=0,
        le=1,
        unit="of the frame's height",
        label="Minimum Size",
        help="Faces smaller than this are dropped.",
    )
    max_faces: int = parameter(
        8, ge=1, le=64, label="Maximum Faces", help="At most this many faces a frame, the largest first."
    )
    any_angle: bool = parameter(
        True, help="Where no upright face is found, look for faces lying sideways or upside down."
    )
    track_score: float | None = parameter(
        None,
        ge=0,
        le=1,
        help="Detect again as soon as the landmarker's presence score falls below this; by default the subject's own, 0.5 of a face, 0.8 of a hand.",
    )
    cut_threshold: float = parameter(
        27.0, ge=1, le=255, help="Change of content between two frames that counts as a cut; no track crosses one."
    )


def crop_coverage() -> Any:
    """Declare the coverage of crops."""
    return parameter(
        1.0,
        ge=0.3,
        le=3,
        unit="of the crop template",
        help="How much of the head the crop covers; 1 holds the whole face with the forehead.",
    )


class AlignParameters(Parameters):
    """Landmarks, a smoothed similarity transform and crops."""

    landmarker: Landmarker = parameter(
        Landmarker.MESH,
        help="478-point mesh with irises, or FAN through face-alignment.",
        choices={
            "mesh": ("Mesh", "478 points with irises"),
            "fan": ("FAN", "68 points, through face-alignment, which is installed separately"),
        },
    )
    smoothing: float = parameter(
        0.36, ge=0, le=2, unit="seconds", help="Window of the zero-phase smoothing of position, scale and rotation."
    )
    coverage: float = crop_coverage()
    size: int | None = parameter(
        None,
        ge=32,
        le=1024,
        multiple_of=8,
        unit="pixels",
        label="Crop Size",
        help="Side of the crop; by default as large as the face in the plate, 192 to 512.",
    )


class RegisterParameters(Parameters):
    """Align a rigid object without landmarks: a product, a sign, a prop."""

    method: Registrar = parameter(
        Registrar.FEATURES,
        help="landmarks: by those of the subject, which is meant where no --reference is given; features: by SIFT features that a picture shares with the reference, and a robust fit; ecc: the same, then refined by intensity to a fraction of a pixel, slower.",
    )
    model: Transform = parameter(
        Transform.HOMOGRAPHY,
        help="similarity: the object shifts, turns and changes size; homography: a flat object that also tilts.",
    )
    min_score: float = parameter(
        0.3,
        ge=0,
        le=1,
        option="least-likeness",
        help="Frames below this score count as frames without the object: the share of features that agree (features), or the correlation with the reference (ecc).",
    )
    smoothing: float = parameter(
        0.0,
        ge=0,
        le=2,
        unit="seconds",
        option="corner-smoothing",
        help="Window of the zero-phase smoothing of the object's corners; 0 for none.",
    )


class MaskParameters(Parameters):
    """Which pixels are face."""

    regions: tuple[str, ...] | None = parameter(
        None,
        help="Regions that are replaced: of a face face, forehead, brows, eyes and mouth; by default all that the subject has.",
    )
    grow: float = parameter(
        0.0,
        ge=-0.25,
        le=0.25,
        unit="of the crop",
        help="Grow (positive) or shrink (negative) the mask.",
    )
    feather: float = parameter(
        0.08,
        ge=0,
        le=0.5,
        unit="of the crop",
        help="Width of the soft edge, inside the mask's outline.",
    )
    occlusion: float = parameter(
        1.0,
        decides=True,
        ge=0,
        le=1,
        unit="of what is in front",
        help="How much of what is in front of the face stays in front of it, such as hands, hair and microphones; 0 switches it off.",
    )
    glasses: Glasses = parameter(
        Glasses.AUTO,
        decides=True,
        choices={
            "plate": ("Plate's", "Those of the plate's face stay"),
            "source": ("Source's", "The source's own, or none"),
            "auto": ("Automatic", "The source's where it wears some too, else the plate's"),
        },
        help="Whose glasses are seen where the plate's face wears some: the plate's, the source's own or none, or the source's where it wears some too.",
    )
    part: MattePart = parameter(
        MattePart.MATTE,
        label="Show",
        choices={
            "matte": ("Matte", "The matte that Swap takes"),
            "regions": ("Regions", "The regions as they are drawn"),
            "visible": ("Visible", "What is seen of the face"),
            "hair": ("Hair", "Hair in front of the face"),
            "hand": ("Hands", "Hands in front of the face"),
            "glasses": ("Glasses", "Glasses on the face"),
        },
        help="What Mask's own result shows: the matte, or alone the regions as drawn, what is visible of the face, hair, hands or glasses. Swap always takes the matte.",
    )
    painted: Path | None = parameter(
        None,
        decides=True,
        help="Folder of mattes that you have painted for a few frames, numbered as the plate's: white where the face is seen, black where something is in front. All other frames follow them.",
    )
    occluder: Path | None = parameter(
        None,
        decides=True,
        help="ONNX network that tells the face from what is in front of it, with its description beside it; by default the embedded one.",
    )


def project_parameter() -> Any:
    """Declare the project whose records of consent apply."""
    return parameter(
        None,
        consent=True,
        help="Folder of the project whose records of consent count; by default the nearest one around the result, else around the footage, else where you are.",
    )


def production_parameter() -> Any:
    """Declare the production that consent is needed for."""
    return parameter(
        None,
        consent=True,
        help="The production that this is for; by default the one that the project was made for.",
    )


class ConsentParameters(Parameters):
    """The project and production whose records of consent apply."""

    project: Path | None = project_parameter()
    production: str | None = production_parameter()


DEFAULT_CONSENT = ConsentParameters()


class SwapParameters(Parameters):
    """Put the source's face into the plate, as a patch with a matte."""

    method: Method = parameter(
        Method.REFERENCE,
        decides=True,
        per_shot=True,
        choices={
            "reference": ("Reference", "The source's own frames, chosen and warped; needs no training"),
            "model": ("Model", "A trained network"),
        },
        help="reference: retrieve and warp the source's own frames, no training; model: run an ONNX model, the default where one is given.",
    )
    model: Path | None = parameter(
        None, decides=True, per_shot=True, help="ONNX model (.onnx or .dfm) for the method 'model'."
    )
    shape: float = parameter(
        0.7,
        decides=True,
        ge=0,
        le=1,
        help="Face shape: 0 keeps the target's proportions, 1 gives the source's own.",
    )
    expression: float = parameter(
        1.0, decides=True, ge=0, le=1.5, help="Gain of the plate's expression on the source's face."
    )
    steadiness: float = parameter(
        0.5,
        decides=True,
        ge=0,
        le=1,
        help="How strongly the choice of reference frames resists jumping from frame to frame.",
    )
    wrinkles: float = parameter(
        0.5,
        decides=True,
        ge=0,
        le=1.5,
        help="How much of the wrinkles and folds of the plate's expression the new face shows, where its references lack them.",
    )
    mouth: Mouth = parameter(
        Mouth.AUTO,
        decides=True,
        choices={
            "source": ("Source's", "The source's teeth and tongue"),
            "plate": ("Plate's", "The plate's own"),
            "auto": ("Automatic", "The plate's where the source never opened its mouth like that"),
        },
        help="What is seen between the lips: the source's teeth and tongue, the plate's, or the plate's where the source never opened its mouth like that.",
    )
    colour: ColourMatch = parameter(
        ColourMatch.MKL,
        label="Match Colors",
        choices={
            "none": ("None", "The source's colors"),
            "reinhard": ("Mean and Spread", "Mean and spread of each channel become the plate's"),
            "mkl": ("Full", "Mean, spread and the relation of the channels become the plate's"),
        },
        help="Color match to the plate, inside the matte only.",
    )
    light: float = parameter(
        0.15,
        ge=0,
        le=1,
        help="How much of the plate's own light, shade and tint the new face takes on.",
    )
    sharpen: float = parameter(0.0, ge=0, le=2, help="Unsharp mask on the new face.")
    opacity: float = parameter(1.0, ge=0, le=1, keyframeable=True, live=True, help="Opacity of the patch.")
    target_performer: str | None = parameter(
        None,
        consent=True,
        per_shot=True,
        help="Performer in the plate, by name or id; not needed where the footage is registered, or only one may be replaced.",
    )
    source_performer: str | None = parameter(
        None,
        consent=True,
        per_shot=True,
        help="Performer whose face is put in, by name or id; not needed where the footage is registered, the model says it, or only one may be put in.",
    )
    project: Path | None = project_parameter()
    production: str | None = production_parameter()

    @model_validator(mode="before")
    @classmethod
    def _model_implies_method(cls, request: Any) -> Any:
        """Let a request that names a model but no method mean the method `model`."""
        if isinstance(request, dict) and request.get("model") is not None and "method" not in request:
            return {**request, "method": Method.MODEL}
        return request


DETECT = Node(
    name="Detect",
    inputs=(Port("plate", "footage"),),
    outputs=(Port("faces", "faces"),),
    parameters=DetectParameters,
    compute="nodes.detect.kept:analyse",
)
ALIGN = Node(
    name="Align",
    inputs=(Port("plate", "footage"), Port("faces", "faces")),
    outputs=(Port("faces", "faces"), Port("crops", "crops")),
    parameters=AlignParameters,
    compute="nodes.align:align",
)
MASK = Node(
    name="Mask",
    inputs=(Port("faces", "faces"), Port("crops", "crops"), Port("roto", "matte", optional=True)),
    outputs=(Port("mattes", "matte"),),
    parameters=MaskParameters,
    compute="nodes.mask:mask",
)
SWAP = Node(
    name="Swap",
    inputs=(
        Port("plate", "footage"),
        Port("crops", "crops"),
        Port("mattes", "matte"),
        Port("source", "footage", optional=True),
        Port("source_faces", "faces", optional=True),
    ),
    outputs=(Port("patch", "patch"), Port("matte", "matte")),
    parameters=SwapParameters,
    compute="nodes.swap:swap",
)
NODES = (DETECT, ALIGN, MASK, SWAP)


class Settings(Parameters):
    """The parameters of all nodes for one shot."""

    detect: DetectParameters = DetectParameters()
    align: AlignParameters = AlignParameters()
    mask: MaskParameters = MaskParameters()
    swap: SwapParameters = SwapParameters()
