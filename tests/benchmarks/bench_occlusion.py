"""How well the matte leaves out what stands in front of a face, on real clips with rendered things laid over them: run it as a script.

python tests/benchmarks/bench_occlusion.py --things FOLDER --footage FOLDER [CLIP ...] [--thing NAME ...] [--sheet OUT.png] [--rows FILE.jsonl]

CLIP is a number of the gallery; by default 04, 06, 08, 10 and 13. The things are rendered into --things when they are missing, which takes
minutes. The truth is known by construction: the matte of the clean clip without occlusion, times 1 - alpha of the thing. The clips show real
people: --sheet is for looking at, and no picture of them belongs into the checkout.

IoU: of the visible matte, on the pixels of the clean one. hidden: IoU of the part that the thing hides; 0 if nothing is left out. covered: part
of the clean matte that the thing covers. flicker: mean second difference in time of the matte in the face's crop, over the truth's.
lost: part of the frames without a face. removed: part of the clean matte that is left out though nothing is in front, in %; a man who wears
glasses has some. ms: what occlusion adds to the matte of one face, seconds of all cores times 1000; share: of detect + align.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

sys.path.insert(0, str(Path(__file__).parent))

from bench_gallery import CHECKOUT, find_clip
from bench_truth import table
from things_in_front import FRAMES, THINGS, Layer, gain_of, lay_over, load_thing, mean_colour, place

from nodes.align import Alignment, align
from nodes.align.pose import take_performance
from nodes.definitions import MaskParameters
from nodes.detect import detect, main_tracks
from nodes.footage.colour import to_srgb
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import warp
from nodes.mask import mask
from nodes.subjects.subject import load_subject
from nodes.swap import in_plate
from nodes.types import Float, Image8, Roi
from trainer.synthetic.acting.measured import head_angles
from trainer.synthetic.picture import eight_bits, write_movie

CLIPS = ("04", "06", "08", "10", "13")
WEARS_GLASSES = {"08"}
COLUMNS = ("IoU", "hidden", "covered", "flicker", "lost", "ms", "share")
CLEAN_COLUMNS = ("removed", "flicker", "ms", "share")
_SEARCHED = 120  # frames at the beginning of a clip
_SIDE = 256  # pixels: of the crops in which flicker is measured, and of a picture of the sheet
_OURS = np.array([[40, 200, 70], [40, 90, 255], [255, 50, 40]], np.float32)  # kept, wrongly left out, wrongly kept

Row = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """What is made of a clip. matte, bare: with and without occlusion, [T, H, W]. face: the alignment of its main track, if any.

    seconds: of detect + align, and those that occlusion adds. faces: the number of faces in all frames.
    """

    matte: Float
    bare: Float
    face: Alignment | None
    seconds: tuple[float, float]
    faces: int

    @property
    def cost(self) -> Row:
        """Milliseconds that occlusion adds to a face, and their share of detect + align."""
        found, added = self.seconds
        return {"ms": 1000 * added / max(self.faces, 1), "share": added / found}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP", default=CLIPS, help="numbers of clips of the gallery")
    parser.add_argument("--things", type=Path, required=True, metavar="FOLDER", help="rendered things")
    parser.add_argument("--footage", type=Path, required=True, metavar="FOLDER", help="the gallery's clips")
    parser.add_argument("--thing", nargs="+", choices=THINGS, default=THINGS, metavar="NAME", help=", ".join(THINGS))
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw a frame of each clip and thing")
    parser.add_argument("--rows", type=Path, metavar="JSONL", help="write the figures of each clip and thing")
    told = parser.parse_args()
    if told.sheet and told.sheet.resolve().is_relative_to(CHECKOUT):
        parser.error(f"--sheet {told.sheet} is inside the checkout: pictures of people do not belong there")
    layers = {name: load_thing(name, told.things.resolve()) for name in told.thing}
    rows: list[Row] = []
    pictures: dict[tuple[str, str], Image8] = {}
    for clip in told.clips:
        for row, picture in measure_clip(find_clip(clip, told.footage, Path()), clip, layers):
            print(json.dumps(row), file=sys.stderr, flush=True)
            rows.append(row)
            pictures[row["thing"], clip] = picture
    print(table([row for row in rows if row["thing"] != "none"], ("thing", "clip"), COLUMNS))
    print(f"\n{table([row for row in rows if row['thing'] == 'none'], ('clip',), CLEAN_COLUMNS)}")
    if told.rows:
        told.rows.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    if told.sheet:
        write_sheet(pictures, told.sheet)


def measure_clip(clip: Path, name: str, layers: Mapping[str, Layer]) -> Iterator[tuple[Row, Image8]]:
    """Measure the clean clip, and the clip with each of the things over it; yields figures and a picture of each."""
    with tempfile.TemporaryDirectory() as scratch:
        rate, shown = take_frames(clip)
        path = Path(scratch) / "clean.mp4"
        write_movie(map(encode, shown), path, rate, crf=0)
        clean = read(path)
        if clean.face is None or len(clean.face.track) != len(shown):
            raise SystemExit(f"{clip.name}: the face is not found in all frames")
        colour = mean_colour(shown[0], clean.bare[0])
        removed = 100 * left_out(clean.bare, clean.matte)
        to_plate = clean.face.at(_SIDE).to_plate
        flicker = unsteadiness(clean.matte, to_plate) / unsteadiness(clean.bare, to_plate)
        nothing = np.zeros_like(clean.bare)
        row = {"clip": name, "thing": "none", "removed": removed, "flicker": flicker, **clean.cost}
        yield row, draw(shown, clean, clean.face, nothing, len(shown) // 2)
        for thing, layer in layers.items():
            if thing == "glasses" and name in WEARS_GLASSES:
                continue
            ways, gain = place(layer, clean.face.track.landmarks), gain_of(layer, colour)
            over = [lay_over(*frame, gain) for frame in zip(shown, layer.rgba, ways, strict=True)]
            alpha = np.stack([alpha for _, alpha in over])
            path = Path(scratch) / f"{thing}.mp4"
            write_movie((encode(picture) for picture, _ in over), path, rate, crf=0)
            found = read(path)
            row = {"clip": name, "thing": thing, **compare(clean.bare, found.matte, alpha, to_plate)}
            row |= {"lost": 1 - found.faces / len(shown), **found.cost}
            most = int((clean.bare * alpha).sum((1, 2)).argmax())
            yield row, draw([picture for picture, _ in over], found, clean.face, alpha, most, clean.bare)


def take_frames(clip: Path) -> tuple[Fraction, list[Float]]:
    """Return the frames in a row of a clip's beginning on which the face is seen most from the front, scene-linear [H, W, 3], and its rate."""
    with open_footage(clip) as footage:
        track = max(main_tracks(detect(footage, last=min(_SEARCHED, footage.info.frames) - 1)), key=len)
        yaw, _, _ = head_angles(take_performance(track.landmarks, load_subject("face")).rotation)
        first = int(track.frames[sliding_window_view(np.abs(yaw), FRAMES).max(1).argmin()])
        return footage.info.rate, [frame.linear() for frame in footage.frames(first, first + FRAMES - 1)]


def encode(linear: Float) -> Image8:
    """Encode scene-linear light as 8-bit sRGB."""
    return eight_bits(to_srgb(np.ascontiguousarray(np.clip(linear, 0, 1)), "scene_linear"))


def read(path: Path) -> Reading:
    """Find the faces of a clip, and draw their mattes in plate pixels with and without occlusion, without feather."""
    with open_footage(path) as plate:
        began = time.process_time()
        faces, crops = align(detect(plate))
        found = time.process_time() - began

        def mattes(parameters: MaskParameters) -> tuple[Float, float]:
            began = time.process_time()
            drawn = np.zeros((plate.info.frames, plate.info.height, plate.info.width), np.float32)
            for frame, patch in in_plate(mask(faces, crops, parameters)).patches(plate.frames()):
                drawn[frame.index][patch.roi.slices] = patch.rgba[..., 3]
            return drawn, time.process_time() - began

        bare, without = mattes(MaskParameters(grow=0, feather=0, occlusion=0))
        matte, seconds = mattes(MaskParameters(grow=0, feather=0))
    main = main_tracks(faces)
    longest = max(main, key=len, default=None)
    face = next((a for a in crops if longest is not None and a.track.id == longest.id), None)
    return Reading(matte, bare, face, (found, seconds - without), sum(map(len, main)))


def compare(clean: Float, matte: Float, alpha: Float, to_plate: Float) -> Row:
    """Compare mattes [T, H, W] with the truth: clean ones, without occlusion, behind a thing of this alpha. to_plate: [T, 2, 3], of the face's crops."""
    true, face = clean * (1 - alpha), clean > 0
    still = unsteadiness(true, to_plate)
    return {
        "IoU": overlap(np.where(face, matte, 0), true),
        "hidden": overlap(np.clip(clean - matte, 0, 1), clean * alpha),
        "covered": float((clean * alpha).sum() / clean.sum()),
        "flicker": unsteadiness(matte, to_plate) / max(still, 1e-9),
    }


def overlap(found: Float, true: Float) -> float:
    """Return intersection over union of soft mattes, all pixels together; NaN if both are empty."""
    union = float(np.maximum(found, true).sum())
    return float(np.minimum(found, true).sum()) / union if union else float("nan")


def left_out(bare: Float, matte: Float) -> float:
    """Return the part of mattes [T, H, W] that is missing in others, as a mean over the frames."""
    missing = np.maximum(bare - matte, 0).sum((1, 2)) / np.maximum(bare.sum((1, 2)), 1e-6)
    return float(missing.mean())


def unsteadiness(mattes: Float, to_plate: Float) -> float:
    """Return the mean absolute second difference in time of mattes [T, H, W], each seen in its own crop. to_plate: [T, 2, 3], from crops of 256 pixels."""
    crops = np.stack([in_crop(matte, way) for matte, way in zip(mattes, to_plate, strict=True)])
    return float(np.abs(crops[:-2] - 2 * crops[1:-1] + crops[2:]).mean())


def in_crop(picture: Float, to_plate: Float) -> Float:
    """Cut a crop of 256 pixels out of a picture [H, W] or [H, W, C]; 0 beyond its border. to_plate: [2, 3]."""
    to = np.vstack([to_plate.astype(np.float64), [0, 0, 1]])
    return warp(picture, to, Roi(0, 0, _SIDE, _SIDE), border=cv2.BORDER_CONSTANT, interpolation=cv2.INTER_LINEAR)


def draw(
    shown: Sequence[Float], found: Reading, face: Alignment, alpha: Float, at: int, clean: Float | None = None
) -> Image8:
    """Draw a frame beside itself with the matte over it: kept in green, wrongly left out in blue, wrongly kept in red."""
    picture = encode(shown[at]).astype(np.float32)
    true = (found.bare if clean is None else clean)[at] * (1 - alpha[at])
    matte = found.matte[at]
    parts = np.stack([np.minimum(matte, true), np.maximum(true - matte, 0), np.maximum(matte - true, 0)], -1)
    laid = picture * (1 - 0.5 * parts.sum(-1, keepdims=True)) + 0.5 * parts @ _OURS
    to_plate = face.at(_SIDE, 1.3 * face.coverage).to_plate[at]
    return np.hstack([np.clip(in_crop(p, to_plate), 0, 255).astype(np.uint8) for p in (picture, laid)])


def write_sheet(pictures: Mapping[tuple[str, str], Image8], path: Path) -> None:
    """Write pictures by thing and clip as a sheet: a row for each thing, a column for each clip."""
    things, clips = (list(dict.fromkeys(names)) for names in zip(*pictures, strict=True))
    blank = np.zeros((_SIDE, 2 * _SIDE, 3), np.uint8)
    sheet = np.vstack([np.hstack([pictures.get((thing, clip), blank) for clip in clips]) for thing in things])
    cv2.imwrite(str(path), sheet[..., ::-1])


if __name__ == "__main__":
    main()
