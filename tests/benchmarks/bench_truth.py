"""How near Faceplate comes to the truth, on rendered people: run it as a script.

python tests/benchmarks/bench_truth.py --set FOLDER [TAKE ...] [--every N] [--swap OUT] [--rows FILE.jsonl]
python tests/benchmarks/bench_truth.py --real CLIP ... [--set FOLDER]

FOLDER is made by `python -m trainer.synthetic set`. The first table has one row for all and one for each person, place, size and
pose; --swap adds one for the swaps whose true result is in the set, made and kept in OUT. --real compares real clips
with the rendered ones in what both have: where they differ, the rendered ones do not stand in for real ones.

found: part of the frames in which the face is found; tracks: how many one face has; false: those of no face. mesh: error of the landmarks
that are visible and do not slide, in % of the eyes' distance; iris, likewise. coef: mean error of the coefficients times 100, read
from the smoothed landmarks; exact: read from the true ones, the error of the reader alone; follow: mean correlation of those that move.
gaze, pose: degrees. lids, lips: error of the gaps, pixels. IoU, edge: of the face's matte, without feather; edge in pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parent))

import realism
from bench_gallery import CHECKOUT, Pair, Run, Stages, swapper, table_line

from nodes.align import align
from nodes.align.pose import read_coefficients, take_performance
from nodes.definitions import MaskParameters
from nodes.detect import detect
from nodes.footage.footage import open_footage
from nodes.mask import mask
from nodes.report.measure import compare_expression, expression_error, measuring_unit
from nodes.subjects.subject import load_subject
from nodes.swap import in_plate
from nodes.types import Faces, Float, Track
from trainer.synthetic.assets import makehuman
from trainer.synthetic.render import Passes
from trainer.synthetic.suite import CUTS
from trainer.synthetic.truth.true_swap import colour_error, feature_distance, matte_error
from trainer.synthetic.truth.truth import Truth, face_area, face_matte, gaps, gaze_turns, landmark_places, read_truth

FACE = load_subject("face")
assert FACE.coefficients
NAMES = FACE.coefficients.names
MESH, IRISES = np.flatnonzero(landmark_places().fixed[:468]), np.arange(468, 478)
COLUMNS = ("frames", "found", "tracks", "false", "mesh", "iris", "coef", "exact", "follow", "gaze", "pose", "lids", "lips", "IoU", "edge")  # fmt: skip
SWAP_COLUMNS = ("frames", "lost", "ΔE", "ΔE p95", "gain ΔE", "gain p95", "look", "mesh", "coef", "gaze", "lids", "lips")

DIGITS = {"frames": 0, "false": 0, "found": 3, "presence": 3, "p5": 3, "look": 3, "IoU": 3}

SHOWN = 0.3  # least part of the landmarks that are visible in a frame that counts

Row = dict[str, Any]


@dataclass(frozen=True)
class RenderedTake:
    """A folder of the set."""

    folder: Path

    @property
    def plate(self) -> Path:
        """Its footage."""
        movies = (self.folder / name for name in ("plate.mp4", "plate.mkv"))
        return next((movie for movie in movies if movie.is_file()), self.folder / "plate.%04d.exr")

    @property
    def truth(self) -> Truth:
        """Its truth."""
        return read_truth(self.folder / "truth.npz")

    @property
    def people(self) -> list[str]:
        """Names of its people: their seeds."""
        return [f"person {cast['person']['seed']}" for cast in self._document["cast"]]

    @property
    def light(self) -> str:
        """Where it takes place, and from where its key light comes."""
        side = "the side" if abs(self._document["lighting"]["side"]) > 60 else "the front"
        return f"{self._document['place']}, light from {side}"

    @property
    def _document(self) -> Row:
        document: Row = json.loads((self.folder / "take.json").read_text("utf-8"))
        return document

    def frame(self, number: int) -> Passes:
        """Its passes."""
        return Passes(self.folder / "frames" / f"{number:04d}.exr")


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("takes", nargs="*", metavar="TAKE", help="names of takes; by default all of the set")
    parser.add_argument("--set", type=Path, metavar="FOLDER", help="folder of the set")
    parser.add_argument(
        "--every", type=int, default=8, help="frames between two whose mattes and pictures are compared"
    )
    parser.add_argument("--swap", type=Path, metavar="OUT", help="folder for swaps; those that are there are measured")
    parser.add_argument("--real", type=Path, nargs="+", default=[], metavar="CLIP", help="real clips to compare with")
    parser.add_argument("--rows", type=Path, help="write what the tables are made of, a line of JSON each")
    told = parser.parse_args()
    if not told.set and not told.real:
        parser.error("give --set, --real or both")
    folders = sorted(file.parent for file in told.set.glob("*/take.json")) if told.set else []
    if told.takes:
        folders = [folder for folder in folders if folder.name in told.takes]
    takes = [RenderedTake(folder.resolve()) for folder in folders if "-as-" not in folder.name]
    rows: list[Row] = []
    if told.real:
        rows += [row for take in takes for row in realism.look_at(take.plate, take.folder.name, "rendered")]
        rows += [row for clip in told.real for row in realism.look_at(clip, clip.stem, "real")]
        rows = realism.compared(rows)
        print(table(rows, ("kind", "clip"), realism.COLUMNS))
    else:
        for take in takes:
            print(f"{take.folder.name} …", file=sys.stderr, flush=True)
            rows += measure(take, told.every)
        print(table(rows, ("person", "light", "size", "view"), COLUMNS))
        for sentence in compare_cuts(told.set):
            print(f"\n{sentence}")
        if told.swap:
            swaps = list(measure_swaps(told.set, takes, told.swap.resolve(), told.every))
            for beside in (False, True):
                print(f"\n{table([row for row in swaps if (':' in row['swap']) is beside], ('swap',), SWAP_COLUMNS)}")
            rows += swaps
    if told.rows:
        told.rows.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def measure(take: RenderedTake, every: int) -> list[Row]:
    """Find and read the faces of a take, and return a row for each person and frame."""
    truth = take.truth
    with open_footage(take.plate) as plate:
        faces = detect(plate)
        owners = assign(faces, truth)
        crops = align(faces).crops
        mattes = mask(faces, crops, MaskParameters(grow=0, feather=0))
        plain = {t: patch for t, (_, patch) in enumerate(in_plate(mattes).patches(plate.frames())) if t % every == 0}
    rows = [row for person in range(len(truth.boxes)) for row in person_rows(take, truth, faces, owners, person)]
    first = {row["frame"]: row for row in reversed(rows)}
    if rows:
        rows[0]["false"] = sum(owner < 0 for owner in owners)
    for frame in plain.keys() & first.keys():
        patch = plain[frame]
        ours = np.zeros(truth.size[::-1], np.float32)
        ours[patch.roi.slices] = patch.rgba[..., 3]
        error = matte_error(ours, whole_face(take, truth, frame))
        first[frame] |= {"IoU": error.overlap, "edge": error.outline}
    return rows


def whole_face(take: RenderedTake, truth: Truth, frame: int) -> Float:
    """Return the true matte of all faces in a frame."""
    passes, area = take.frame(frame), face_area(makehuman())
    mattes = [face_matte(passes, landmarks[frame], person, area) for person, landmarks in enumerate(truth.landmarks)]
    return np.asarray(np.clip(sum(mattes), 0, 1), np.float32)


def assign(faces: Faces, truth: Truth) -> list[int]:
    """Return whose face each track follows: the person with the nearest landmarks; -1 if they are farther away than half a face."""
    owners = []
    for track in faces.tracks:
        true = truth.landmarks[:, track.frames]
        away = np.linalg.norm(true[..., :2] - track.landmarks[..., :2], axis=-1).mean(-1)
        away = np.median(away / (truth.boxes[:, track.frames, 2] - truth.boxes[:, track.frames, 0]), axis=1)
        owners.append(int(away.argmin()) if away.min() < 0.5 else -1)
    return owners


def person_rows(take: RenderedTake, truth: Truth, faces: Faces, owners: list[int], person: int) -> Iterator[Row]:
    """Yield a row for each frame in which a person's face is in the picture."""
    true, unit = truth.landmarks[person], unit_of(truth, person)
    own = [at for at, owner in enumerate(owners) if owner == person]
    errors = [read(faces.tracks[at], align(faces).crops[at].track, truth, person) for at in own]
    by_frame = {int(t): (e, k) for e in errors for k, t in enumerate(e["t"])}
    exact = expression_error(truth.coefficients[person], read_coefficients(true, FACE), NAMES)
    names = {"person": take.people[person], "light": take.light}
    shown = np.flatnonzero(truth.visible[person].mean(1) > SHOWN).tolist()
    for frame in shown:
        yaw, size = abs(float(truth.angles[person, frame, 0])), float(unit[frame])
        row: Row = {"take": take.folder.name, "frame": frame, **names, "found": 0.0, "exact": float(exact[frame])}
        row |= {
            "size": binned(size, (24, 48, 96), "px between the eyes"),
            "view": binned(yaw, (15, 35), "degrees aside"),
        }
        if frame == shown[0]:
            row["tracks"] = len(own)
        if frame in by_frame:
            figures, k = by_frame[frame]
            row |= {"found": 1.0, **{name: float(values[k]) for name, values in figures.items() if name != "t"}}
        yield row


def unit_of(truth: Truth, person: int) -> Float:
    """Return the distance of the eyes in each frame, pixels, as if seen from the front."""
    return np.asarray(take_performance(truth.landmarks[person], FACE).scale * measuring_unit(FACE), np.float32)


def read(track: Track, steady: Track, truth: Truth, person: int) -> dict[str, Float]:
    """Return the errors of one track by frame, and its frames, `t`. steady: the track with smoothed landmarks."""
    there = truth.visible[person, track.frames].mean(1) > SHOWN
    t = track.frames[there]
    true, found, unit = truth.landmarks[person, t], track.landmarks[there], unit_of(truth, person)[t]
    seen, open_eyes = truth.visible[person, t], truth.gaps[person, t, :2] > 0.1 * unit[:, None]
    performance = take_performance(steady.landmarks[there], FACE)
    turn = Rotation.from_matrix(performance.rotation) * Rotation.from_matrix(truth.rotation[person, t]).inv()
    gaze = np.linalg.norm(gaze_turns(found, FACE) - gaze_turns(true, FACE), axis=-1)
    apart = np.abs(gaps(found, FACE) - truth.gaps[person, t])
    acted = truth.coefficients[person, t]
    fits = compare_expression(acted, performance.coefficients, NAMES)
    follow = np.nanmean([fit.correlation for fit in fits]) if fits else np.nan
    return {
        "t": t.astype(np.float32),
        "mesh": 100 * distance(found, true, seen, MESH) / unit,
        "iris": 100 * distance(found, true, seen, IRISES) / unit,
        "coef": expression_error(acted, performance.coefficients, NAMES),
        "follow": np.full(len(t), follow),
        "gaze": np.nanmean(np.where(open_eyes, gaze, np.nan), 1) if len(t) else gaze,
        "pose": np.degrees(turn.magnitude()),
        "lids": apart[:, :2].mean(1),
        "lips": apart[:, 2],
    }


def distance(found: Float, true: Float, seen: Float, points: Sequence[int]) -> Float:
    """Return the mean distance of points that are seen, pixels, [T]; NaN where none is."""
    away = np.linalg.norm(found[:, points, :2] - true[:, points, :2], axis=-1)
    weight = seen[:, points].astype(np.float64)
    return np.where(weight.sum(1) > 0, (away * weight).sum(1) / np.maximum(weight.sum(1), 1), np.nan)


def binned(value: float, edges: Sequence[float], unit: str) -> str:
    """Name the part of a range in which a value lies."""
    low = max((edge for edge in edges if value >= edge), default=0)
    high = min((edge for edge in edges if value < edge), default=None)
    return f"{low} to {high} {unit}" if high else f"from {low} {unit}"


def compare_cuts(folder: Path) -> Iterator[str]:
    """Say of the takes that are cut together where cuts were found, and where they are."""
    for name, parts in CUTS.items():
        if (folder / name / "plate.mp4").is_file():
            ends = np.cumsum([read_truth(folder / part / "truth.npz").landmarks.shape[1] for part in parts])
            with open_footage(folder / name / "plate.mp4") as footage:
                yield f"{name}: cuts at {list(detect(footage).cuts)}, in truth at {ends[:-1].tolist()}"


def measure_swaps(folder: Path, takes: Sequence[RenderedTake], out: Path, every: int) -> Iterator[Row]:
    """Swap each pair whose true result is in the set, and yield a row for each frame that is compared; also of the plate, and of the true result itself: the least error that can be measured."""
    found = [tuple(path.parent.name.split("-as-")) for path in sorted(folder.glob("*-as-*/take.json"))]
    (out / "clips").mkdir(parents=True, exist_ok=True)
    known = {take.folder.name: out / "clips" / f"{take.folder.name}{take.plate.suffix}" for take in takes}
    for take in takes:  # a performer is named after the file
        known[take.folder.name].unlink(missing_ok=True)
        known[take.folder.name].symlink_to(take.plate)
    pairs = [
        Pair(f"{source}-{plate}", known[source], known[plate])
        for plate, source in found
        if {source, plate} <= known.keys()
    ]
    python, nothing = Path(sys.executable), Path()
    run = Run(out, CHECKOUT, python, nothing, nothing, every, every, True, False, ())
    missing = [pair for pair in pairs if not (out / pair.name / "composite.mkv").is_file()]
    with tempfile.TemporaryDirectory(prefix="consent-", dir=out) as scratch:
        swap = swapper(missing, run, Path(scratch))
        for pair in missing:
            swap(pair, Stages())
    for pair in pairs:
        true = RenderedTake(folder / f"{pair.plate.stem}-as-{pair.source.stem}")
        clips = {"": out / pair.name / "composite.mkv", ": plate as it was": pair.plate, ": true result": true.plate}
        for name, clip in clips.items():
            yield from ({"swap": pair.name + name} | row for row in compare_swap(clip, true, every))


def compare_swap(clip: Path, true: RenderedTake, every: int) -> Iterator[Row]:
    """Compare a swapped clip with the true result, every few frames; the first person of the take is the one that is swapped."""
    truth = true.truth
    with open_footage(clip) as composite, open_footage(true.plate) as wanted:
        faces = detect(composite)
        owners = assign(faces, truth)
        errors = [
            read(t, a.track, truth, 0)
            for t, a, o in zip(faces.tracks, align(faces).crops, owners, strict=True)
            if o == 0
        ]
        by_frame = {int(t): (e, k) for e in errors for k, t in enumerate(e["t"])}
        for ours, theirs in zip(composite.frames(), wanted.frames(), strict=True):
            if ours.index % every:
                continue
            matte = face_matte(true.frame(ours.index), truth.landmarks[0, ours.index], 0, face_area(makehuman()))
            colour = colour_error(ours.rgb(), theirs.rgb(), matte)
            row: Row = {"frame": ours.index, "lost": float(ours.index not in by_frame)}
            row |= {"ΔE": colour.mean, "ΔE p95": colour.p95}
            row |= {"gain ΔE": colour.mean_after_gain, "gain p95": colour.p95_after_gain}
            row["look"] = feature_distance(ours.rgb8(), theirs.rgb8(), truth.landmarks[0, ours.index])
            if ours.index in by_frame:
                figures, k = by_frame[ours.index]
                row |= {name: float(figures[name][k]) for name in SWAP_COLUMNS if name in figures}
            yield row


def table(rows: Sequence[Row], groups: Sequence[str], columns: Sequence[str]) -> str:
    """Make a Markdown table of means: of all rows, and of those alike in each of the groups."""
    lines = [table_line(["", *columns]), table_line(["---", *["---:"] * len(columns)]), line("all", rows, columns)]
    for group in groups:
        for name in sorted({row[group] for row in rows}):
            lines.append(line(name, [row for row in rows if row[group] == name], columns))
    return "\n".join(lines)


def line(name: str, rows: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """Make a line of the table."""
    cells = []
    for column in columns:
        values = np.array([row[column] for row in rows if column in row], np.float64)
        values = values[np.isfinite(values)]
        number = {"frames": len(rows), "false": values.sum()}.get(column, values.mean() if len(values) else None)
        cells.append("" if number is None else f"{number:.{DIGITS.get(column, 2)}f}")
    return table_line([name, *cells])


if __name__ == "__main__":
    main()
