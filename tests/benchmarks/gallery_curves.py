"""Expression curves of plate, composite and source: measured, compared, and shown as a contact sheet and as plots.

python gallery_curves.py EXPRESSION PLATE COMPOSITE SOURCE --every N --kept FOLDER --out FILE

Run as a script, it needs the judge's packages (dlib, ONNX Runtime, OpenCV): it measures with the functions of EXPRESSION,
the expression judge `expression.py`, and prints the figures of that file's own `main`. `bench_gallery.py` calls it so, and
imports the rest.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]
TILE = 320  # pixels, side of one face on the sheet
CAPTION = 24  # pixels, height of a line of text
AROUND = 1.6  # side of the cut square over the larger side of the face
APART = 12  # frames between two of the worst
DIFFERS = 0.06  # mean difference of a group's coefficients from which the caption names it
BAND = 5  # frames beside each other


@dataclass(frozen=True)
class Curves:
    """The 52 coefficients (0 to 1) of n judged frames, of plate and composite; and those of the source's own frames.

    frames: n numbers; plate, composite: n x 52; points: n x k x 2, landmarks of the plate in pixels; source_frames: m numbers;
    source: m x 52; source_points: m x k x 2; names: of the 52; groups: of the 52, "" where it is in none.
    """

    frames: NDArray[np.integer[Any]]
    plate: Floats
    composite: Floats
    points: Floats
    source_frames: NDArray[np.integer[Any]]
    source: Floats
    source_points: Floats
    names: NDArray[np.str_]
    groups: NDArray[np.str_]

    def difference(self) -> Floats:
        """Mean absolute difference of all coefficients but the neutral one, frame by frame: n."""
        return np.asarray(np.abs(self.plate[:, 1:] - self.composite[:, 1:]).mean(1))

    def differing(self, at: int) -> list[tuple[str, float]]:
        """Groups that differ in the frame at this position, most first: name, mean absolute difference."""
        apart = np.abs(self.plate[at] - self.composite[at])
        means = {str(group): float(apart[self.groups == group].mean()) for group in np.unique(self.groups) if group}
        return sorted(((g, d) for g, d in means.items() if d >= DIFFERS), key=lambda item: -item[1])

    def nearest(self, at: int) -> int | None:
        """Position of the source's frame whose expression is nearest to the plate's at this position."""
        if not len(self.source):
            return None
        return int(np.abs(self.source[:, 1:] - self.plate[at, 1:]).mean(1).argmin())


def load_curves(file: Path) -> Curves:
    """Read what this file wrote as a script."""
    with np.load(file) as arrays:
        return Curves(**{name: arrays[name] for name in Curves.__dataclass_fields__})


def choose_frames(curves: Curves, worst: int = 4, even: int = 6) -> tuple[list[int], set[int]]:
    """Choose positions to show: the worst ones, APART frames from each other, and evenly spaced ones; and which are the worst."""
    chosen: list[int] = []
    for at in np.argsort(-curves.difference(), kind="stable"):
        if all(abs(int(curves.frames[at]) - int(curves.frames[other])) >= APART for other in chosen):
            chosen.append(int(at))
        if len(chosen) == worst:
            break
    marked = set(chosen)
    for at in np.linspace(0, len(curves.frames) - 1, even).round().astype(int):
        free = [other for other in range(len(curves.frames)) if other not in chosen]
        if free:
            chosen.append(min(free, key=lambda other: abs(other - int(at))))
    return sorted(chosen), marked


def write_sheet(curves: Curves, plate: Path, composite: Path, source: Path, file: Path, title: str) -> None:
    """Write a contact sheet: plate, composite and the source's nearest expression, frame by frame; the worst in red."""
    chosen, worst = choose_frames(curves)
    numbers = [int(curves.frames[at]) for at in chosen]
    nearest = [curves.nearest(at) for at in chosen]
    pictures = [read_frames(path, numbers) for path in (plate, composite)]
    from_source = read_frames(source, [int(curves.source_frames[n]) for n in nearest if n is not None])
    columns = []
    for at, number, near in zip(chosen, numbers, nearest, strict=True):
        differing = ", ".join(f"{group} {100 * apart:.0f}" for group, apart in curves.differing(at)[:3])
        text = f"{number}: {100 * curves.difference()[at]:.1f}  {differing}"
        rows = [caption(text, (0, 0, 200) if at in worst else (0, 0, 0))]
        rows += [cut_face(read[number], curves.points[at]) for read in pictures]
        if near is not None:
            number = int(curves.source_frames[near])
            rows += [caption(f"source {number}"), cut_face(from_source[number], curves.source_points[near])]
        columns.append(np.vstack(rows))
    while len(columns) % BAND:
        columns.append(np.full_like(columns[0], 255))
    bands = [np.hstack(columns[first : first + BAND]) for first in range(0, len(columns), BAND)]
    head = caption(
        f"{title}    Rows: plate, composite, the source's nearest expression. Above: frame, difference x 100, groups; "
        "the worst in red.",
        width=BAND * TILE,
    )
    cv2.imwrite(str(file), np.vstack([head, *bands]))


def cut_face(picture: Image, points: Floats) -> Image:
    """Cut the square around landmarks (k x 2, pixels) out of a picture, TILE pixels wide."""
    low, high = points.min(0), points.max(0)
    side = AROUND * float((high - low).max())
    scale = TILE / side
    corner = (low + high) / 2 - side / 2
    matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    if scale < 1:  # warpAffine itself does not average
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.asarray(small, np.uint8)
        matrix[:, :2] = np.eye(2)
    tile = cv2.warpAffine(picture, matrix, (TILE, TILE), flags=flags, borderValue=(128, 128, 128))
    return np.asarray(tile, np.uint8)


def caption(text: str, colour: tuple[int, int, int] = (0, 0, 0), width: int = TILE) -> Image:
    """Draw a line of text on white, CAPTION pixels high."""
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (4, CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return strip


def read_frames(path: Path, numbers: Sequence[int]) -> dict[int, Image]:
    """Read frames (BGR) by their numbers in the order of decoding, as the judges count."""
    movie, wanted, pictures = cv2.VideoCapture(str(path)), set(numbers), {}
    for number in range(max(wanted, default=-1) + 1):
        if not movie.grab():
            break
        if number in wanted:
            pictures[number] = np.asarray(movie.retrieve()[1], np.uint8)
    return pictures


def write_plots(curves: Curves, file: Path, title: str, count: int = 15) -> None:
    """Plot the curves that vary most on the plate, the composite's over the plate's; grey: mean difference of all."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    strongest = np.argsort(-curves.plate.std(0))[:count]
    figure, axes = plt.subplots(
        -(-count // 3), 3, figsize=(16, 2 * -(-count // 3)), sharex=True, constrained_layout=True
    )
    for axis, which in zip(axes.flat, strongest, strict=False):
        plate, composite = curves.plate[:, which], curves.composite[:, which]
        axis.fill_between(curves.frames, curves.difference(), color="0.85", linewidth=0)
        axis.plot(curves.frames, plate, color="black", linewidth=1, label="plate")
        axis.plot(curves.frames, composite, color="tab:red", linewidth=1, label="composite")
        like, gain = correlation_and_gain(plate, composite)
        axis.set_title(f"{curves.names[which]}: {like:.2f}, gain {gain:.2f}", fontsize=9)
        axis.set_ylim(0, max(0.5, float(max(plate.max(), composite.max()))))
    axes.flat[0].legend(fontsize=8)
    figure.suptitle(title)
    figure.savefig(file, dpi=80)
    plt.close(figure)


def correlation_and_gain(plate: Floats, composite: Floats) -> tuple[float, float]:
    """Correlation of two curves, and the slope of the composite's over the plate's; 0 where one does not move."""
    if plate.std() < 1e-6 or composite.std() < 1e-6:
        return 0.0, 0.0
    return float(np.corrcoef(plate, composite)[0, 1]), float(np.polyfit(plate, composite, 1)[0])


# From here on: run by the judge's interpreter.


class Recorder:
    """A session of ONNX Runtime that also keeps the landmarks it was asked about, one entry a judged frame."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.points: list[Floats] = []

    def get_inputs(self) -> Any:
        return self.session.get_inputs()

    def run(self, outputs: Any, feed: Mapping[str, Any]) -> Any:
        self.points.append(next(iter(feed.values()))[0])
        return self.session.run(outputs, feed)


@dataclass(frozen=True)
class Track:
    """One clip's judged frames: numbers (n), coefficients (n x 52), landmarks in pixels (n x k x 2)."""

    frames: NDArray[np.integer[Any]]
    coefficients: Floats
    points: Floats


def load_judge(file: Path) -> Any:
    """Import the expression judge from its file."""
    spec = importlib.util.spec_from_file_location("expression", file)
    assert spec and spec.loader
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    return judge


def track_clip(judge: Any, clip: Path, every: int) -> Track:
    """Follow the face in a clip with the judge's own `track`."""
    session = judge.BS
    judge.BS = recorder = Recorder(session)
    coefficients = judge.track(str(clip), every)
    judge.BS = session
    assert len(coefficients) == len(recorder.points)
    return Track(
        np.array(list(coefficients), np.int64),
        np.array(list(coefficients.values())).reshape(-1, len(judge.NAMES)),
        np.array(recorder.points).reshape(len(coefficients), -1, 2),
    )


def track_once(judge: Any, clip: Path, every: int, kept: Path) -> Track:
    """Follow the face in a clip, or read what was found in it before, with this judge, from the folder `kept`."""
    digest = hashlib.sha256(
        clip.read_bytes() + Path(str(judge.__file__)).read_bytes() + str(every).encode()
    ).hexdigest()
    file = kept / f"{digest[:24]}.npz"
    if file.is_file():
        with np.load(file) as arrays:
            return Track(**arrays)
    track = track_clip(judge, clip, every)
    kept.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part.npz")
    np.savez(partial, **vars(track))
    partial.replace(file)
    return track


def measure(judge: Any, tracks: Mapping[str, Track], every: int) -> dict[str, Any]:
    """Compute the judge's figures of `plate` and `composite` with its own `main`, from tracks that are there already."""
    judge.track = lambda name, _: dict(zip(tracks[name].frames.tolist(), tracks[name].coefficients, strict=True))
    return dict(judge.main("plate", "composite", every=every))


def main(arguments: Sequence[str]) -> None:
    """Measure, write the curves, and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("judge", "plate", "composite", "source"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    judge = load_judge(options.judge)
    tracks = {
        "plate": track_once(judge, options.plate, options.every, options.kept),
        "composite": track_clip(judge, options.composite, options.every),
        "source": track_once(judge, options.source, options.every, options.kept),
    }
    plate, composite, source = tracks["plate"], tracks["composite"], tracks["source"]
    _, in_plate, in_composite = np.intersect1d(plate.frames, composite.frames, return_indices=True)
    if not len(in_plate):
        sys.exit("no frame in which both plate and composite show a face")
    groups = [next((g for g, starts in judge.GROUP.items() if name.startswith(starts)), "") for name in judge.NAMES]
    curves = Curves(
        plate.frames[in_plate],
        plate.coefficients[in_plate],
        composite.coefficients[in_composite],
        plate.points[in_plate],
        source.frames,
        source.coefficients,
        source.points,
        np.array(judge.NAMES),
        np.array(groups),
    )
    np.savez(options.out, **vars(curves))
    print(json.dumps(measure(judge, tracks, options.every)))


if __name__ == "__main__":
    main(sys.argv[1:])
