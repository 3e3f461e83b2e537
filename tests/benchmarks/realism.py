"""What real and rendered clips are compared in: how sure the landmarker is, what the recogniser sees, sharpness and noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.distance import cdist, pdist

from nodes.align import align
from nodes.detect import detect, main_tracks
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop
from nodes.recognise import describe
from nodes.report.measure import flicker
from nodes.types import Float, Image8

COLUMNS = ("frames", "presence", "p5", "same", "same p95", "other", "sharp", "fine", "middle", "coarse", "noise")
_LOOKS = 16  # frames of a clip that the recogniser describes
_SIDE, _INNER = 256, slice(56, 200)  # pixels: of the cut around a face, and of the part that is all face
_BANDS = {
    "fine": (0.7, 1.4),
    "middle": (1.4, 2.8),
    "coarse": (2.8, 5.6),
}  # pixels: the two Gaussians between which a band lies

Row = dict[str, Any]


def look_at(clip: Path, name: str, kind: str) -> Iterator[Row]:
    """Yield rows of a clip's largest face: presence by frame, and of some frames a descriptor, sharpness and noise."""
    with open_footage(clip) as footage:
        faces = detect(footage)
        tracks = main_tracks(faces)
        if not tracks:
            return
        track = max(tracks, key=len)
        crops = next(crops for crops in align(faces).crops if crops.track.id == track.id).at(_SIDE)
        looks = set(np.linspace(1, max(len(track) - 2, 1), _LOOKS).astype(int).tolist())
        for row, (frame, score) in enumerate(zip(track.frames.tolist(), track.scores.tolist(), strict=True)):
            figures: Row = {"kind": kind, "clip": name, "presence": score}
            if row in looks and row + 1 < len(track):
                pictures = [footage.frame(frame + step).rgb8() for step in (-1, 0, 1)]
                figures["descriptor"] = describe(pictures[1], track.landmarks[row : row + 1])[0].tolist()
                figures |= _pixels(pictures, crops.to_plate[row])
            yield figures


def _pixels(pictures: Sequence[Image8], to_plate: Float) -> dict[str, float]:
    """Measure a face in three frames, cut by the middle one's transform: bands of its luma over its contrast, and what changes in time."""
    cuts = [crop(picture, to_plate[None], _SIDE)[:, _INNER, _INNER] for picture in pictures]
    luma = cv2.cvtColor(np.asarray(cuts[1][0], np.float32), cv2.COLOR_RGB2GRAY)
    blurred = {s: cv2.GaussianBlur(luma, (0, 0), s) for s in sorted({s for band in _BANDS.values() for s in band})}
    contrast = max(float(luma.std()), 1e-3)
    bands = {name: float((blurred[a] - blurred[b]).std()) / contrast for name, (a, b) in _BANDS.items()}
    return {**bands, "sharp": bands["fine"] / bands["coarse"], "noise": float(flicker(cuts[0], cuts[1], cuts[2])[0])}


def compared(rows: Sequence[Row]) -> list[Row]:
    """Return rows of clips with what takes several: distances of descriptors within each clip and to the nearest other one of its kind, and low scores."""
    clips: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        clips.setdefault((row["kind"], row["clip"]), []).append(row)
    seen = {key: np.array([row["descriptor"] for row in own if "descriptor" in row]) for key, own in clips.items()}
    clips = {key: own for key, own in clips.items() if len(seen[key]) > 1}
    for key, own in clips.items():
        within = pdist(seen[key])
        beside = [np.median(cdist(seen[key], seen[k])) for k in clips if k[0] == key[0] and k != key]
        own[0]["p5"] = float(np.percentile([row["presence"] for row in own], 5))
        own[0] |= {"same": float(np.median(within)), "same p95": float(np.percentile(within, 95))}
        own[0] |= {"other": float(min(beside))} if beside else {}
    return [
        {name: value for name, value in row.items() if name != "descriptor"} for own in clips.values() for row in own
    ]
