"""The document `faceplate.alignment/1`: transforms and smoothed landmarks of tracks, as one .npz.

`header` is JSON: schema, subject, crop template, crop size, coverage, and the id and length of each track. The other arrays hold all tracks end to
end: frames int64 [N], landmarks [N, L, 3], raw and smoothed [N, 4] (scale, angle, x, y), to_plate [N, 2, 3], all float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nodes.align import Alignment
from nodes.detect.files import save_document

SCHEMA = "faceplate.alignment/1"


def save_alignments(path: Path, alignments: Sequence[Alignment]) -> None:
    """Write at least one alignment to `path`; raises OutputError."""
    header = {
        "schema": SCHEMA,
        "subject": alignments[0].subject.name,
        "template": alignments[0].subject.template_id,
        "size": alignments[0].size,
        "coverage": alignments[0].coverage,
        "tracks": [{"id": a.track.id, "length": len(a.track)} for a in alignments],
    }
    arrays = {name: np.concatenate([getattr(a, name) for a in alignments]) for name in ("raw", "smoothed", "to_plate")}
    arrays |= {name: np.concatenate([getattr(a.track, name) for a in alignments]) for name in ("frames", "landmarks")}
    save_document(path, header, arrays)
