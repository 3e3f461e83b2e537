"""Measurement of a finished shot: faces are detected on plate and composite, both are read in step, and the source is sampled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodes.align.pose import read_coefficients
from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.errors import FootageError
from nodes.footage.footage import Footage, open_footage
from nodes.parts import DOCUMENT
from nodes.recognise import likeness
from nodes.report.pixels import COVERED, PixelMeasures, in_step
from nodes.report.samples import FaceSample, read_sources, sharpness
from nodes.shot_document import ShotDocument, load_shot
from nodes.subjects.subject import Subject, load_subject
from nodes.text import counted
from nodes.types import Bool, Faces, Float, Int

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """The sampled frames of a face, n of them, compared with the footage of its source.

    at: [n], positions in the face's frames. to_source, to_performer: [n], distance of the descriptor to the source's, and to those of the
    plate itself; NaN for other subjects. own: median distance of the source's frames among themselves. sharpness: region → [n].
    """

    at: Int
    to_source: Float
    to_performer: Float
    own: float
    sharpness: dict[str, Float]


@dataclass(frozen=True, slots=True)
class ReplacedFace:
    """One replaced face of the plate, over N consecutive frames, with its counterpart in the composite.

    frames: [N], positions in the shot. plate, composite: landmarks [N, L, 3], NaN where there is no face. plate_coefficients,
    composite_coefficients: [N, C], likewise. plate_score, composite_score: [N]. flicker_plate, flicker_composite: [N], NaN at the ends.
    covered: [N], share of the face under the matte. raw, smoothed: [N, 4] as scale in pixels, angle in radians, x, y. source: None without one.
    """

    track: int
    frames: Int
    plate: Float
    composite: Float
    plate_coefficients: Float
    composite_coefficients: Float
    plate_score: Float
    composite_score: Float
    flicker_plate: Float
    flicker_composite: Float
    covered: Float
    raw: Float
    smoothed: Float
    source: SourceComparison | None

    @property
    def lost(self) -> Bool:
        """Frames [N] on which the plate has the face and the composite does not."""
        return np.isfinite(self.plate[:, 0, 0]) & ~np.isfinite(self.composite[:, 0, 0])


@dataclass(frozen=True, slots=True)
class MeasuredShot:
    """The measurements of a shot of T frames. `first`: number of its first frame, as its files are numbered.

    faces_plate, faces_composite: faces per frame [T]. coverage: share of the picture under the matte [T], NaN without a
    matte file. outside: largest change of a code value where the matte is 0 [T], likewise. document: None without shot.json.
    """

    name: str
    subject: Subject
    faces: Faces
    first: int
    faces_plate: Int
    faces_composite: Int
    coverage: Float
    outside: Float
    replaced: tuple[ReplacedFace, ...]
    document: ShotDocument | None
    notes: tuple[str, ...]

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the subject's coefficients; empty for a subject without."""
        return self.subject.coefficients.names if self.subject.coefficients else ()


def gather(shot: Path, progress: Progress) -> MeasuredShot:
    """Read and measure a shot folder; `progress` receives 0..1. Raises FootageError for missing or mismatched files."""
    if not shot.is_dir():
        raise FootageError(
            "is no folder of a shot", file=shot, remedy="Give the folder that 'faceplate swap --out' wrote"
        )
    document = load_shot(shot) if (shot / DOCUMENT).exists() else None
    parameters = DetectParameters(subject=document.settings.detect.subject) if document else DetectParameters()
    with open_footage(shot / "plate.mkv") as plate, open_footage(shot / "composite.mkv") as composite:
        a, b = plate.info, composite.info
        if (a.frames, a.width, a.height) != (b.frames, b.width, b.height):
            raise FootageError(
                f"has {counted(b.frames, 'frame')} of {b.width}x{b.height}, the plate {a.frames} of {a.width}x{a.height}",
                file=b.path,
                remedy="Run 'faceplate swap' on this shot again",
            )
        mattes, first = find_mattes(shot, a.frames)
        faces, new_faces = _detect_both(plate, composite, parameters, lambda done: progress(0.7 * done))
        pixels = PixelMeasures(faces, new_faces)
        for i, (p, c, matte) in enumerate(in_step(plate, composite, mattes)):
            pixels.take(i, p, c, matte)
            progress(0.7 + 0.2 * (i + 1) / a.frames)
    chosen, notes = _replaced(faces, pixels)
    missing = sum(m is None for m in mattes)
    if missing:
        notes += (
            f"{missing} of {a.frames} frames have no matte file; nothing is said about what lies outside it there",
        )
    subject = load_subject(parameters.subject)
    sources: list[list[FaceSample]] = []
    source_notes: tuple[str, ...] = ()
    if chosen:
        sources, source_notes = read_sources(document, subject, lambda done: progress(0.9 + 0.1 * done))
    return MeasuredShot(
        shot.resolve().name,
        subject,
        faces,
        first,
        _per_frame(faces),
        _per_frame(new_faces),
        pixels.coverage,
        pixels.outside,
        tuple(_replacement(pixels, k, subject, sources) for k in chosen),
        document,
        notes + (document.plate.notes if document else ()) + source_notes,
    )


def find_mattes(shot: Path, count: int) -> tuple[list[Path | None], int]:
    """List the matte files of a shot by frame, None where one is missing, and the number of the first frame (0 without any)."""
    files = {int(m[1]): f for f in (shot / "matte").glob("matte.*.exr") if (m := re.search(r"\.(-?\d+)\.exr$", f.name))}
    if not files:
        return [None] * count, 0
    # A shot whose first mattes are missing still ends with its last one.
    first = max(min(files), max(files) - count + 1) if max(files) - min(files) >= count else min(files)
    return [files.get(first + i) for i in range(count)], first


def _detect_both(
    plate: Footage, composite: Footage, parameters: DetectParameters, progress: Progress
) -> tuple[Faces, Faces]:
    """Detect on both movies at once, each on its own thread: the networks release the interpreter's lock."""
    done = [0, 0]

    def count(which: int) -> Callable[[int], None]:
        def report(frames: int) -> None:
            done[which] = frames
            progress(sum(done) / (2 * plate.info.frames))

        return report

    with ThreadPoolExecutor(2, "faceplate-report") as pool:
        jobs = [pool.submit(detect, movie, parameters, progress=count(i)) for i, movie in enumerate((plate, composite))]
        return jobs[0].result(), jobs[1].result()


def _replaced(faces: Faces, pixels: PixelMeasures) -> tuple[list[int], tuple[str, ...]]:
    """Choose the tracks that the matte covers, by their place in `faces`; the longest where it covers none."""
    if not faces.tracks:
        return [], ("no face was found in the plate",)
    shares = [float(np.nanmedian(c)) if np.isfinite(c).any() else 0.0 for c in pixels.covered]
    chosen = [k for k, share in enumerate(shares) if share >= COVERED]
    if chosen:
        others = len(faces.tracks) - len(chosen)
        return chosen, (f"{others} further face track(s) lie outside the matte and are not measured",) if others else ()
    return [0], ("the matte covers no face of the plate; the longest face track is measured",)


def _replacement(
    pixels: PixelMeasures, k: int, subject: Subject, sources: Sequence[Sequence[FaceSample]]
) -> ReplacedFace:
    track, (other, scores) = pixels.tracks[k], pixels.others[k]
    points = np.where((track.scores > 0)[:, None, None], track.landmarks, np.float32(np.nan))
    return ReplacedFace(
        track.id,
        track.frames - pixels.first,
        points,
        other,
        _coefficients(points, subject),
        _coefficients(other, subject),
        track.scores,
        scores,
        pixels.flicker[k][0],
        pixels.flicker[k][1],
        pixels.covered[k],
        pixels.alignments[k].raw,
        pixels.alignments[k].smoothed,
        _compare_with_source(pixels.samples[k], sources, subject),
    )


def _coefficients(landmarks: Float, subject: Subject) -> Float:
    visible = np.isfinite(landmarks[:, 0, 0])
    coefficients = read_coefficients(landmarks[visible], subject)
    out = np.full((len(landmarks), coefficients.shape[1]), np.nan, np.float32)
    out[visible] = coefficients
    return out


def _compare_with_source(
    samples: dict[int, tuple[FaceSample, FaceSample]], sources: Sequence[Sequence[FaceSample]], subject: Subject
) -> SourceComparison | None:
    """Compare the samples of a face with its source; of several sources, with the most similar one."""
    if not samples or not sources:
        return None
    plates, composites = zip(*samples.values(), strict=True)
    nothing = np.full(len(samples), np.nan, np.float32)
    source, to_source, to_performer, own = sources[0], nothing, nothing, float("nan")
    if subject.name == "face":
        composite_descriptors, plate_descriptors, *galleries = map(_descriptors, (composites, plates, *sources))
        distances = [likeness(composite_descriptors, gallery) for gallery in galleries]
        nearest = int(np.argmin([np.median(d) for d in distances]))
        source, to_source, to_performer = (
            sources[nearest],
            distances[nearest],
            likeness(composite_descriptors, plate_descriptors),
        )
        own = float(np.median(likeness(galleries[nearest], galleries[nearest])))
    names = subject.coefficients.names if subject.coefficients else ()
    sharp = sharpness(composites, source, subject, names)
    return SourceComparison(np.array(list(samples), np.int64), to_source, to_performer, own, sharp)


def _descriptors(samples: Sequence[FaceSample]) -> Float:
    return np.stack([s.descriptor for s in samples])


def _per_frame(faces: Faces) -> Int:
    """Count faces per frame [T]; a frame that a track merely bridges does not count."""
    detected_frames = [t.frames[t.scores > 0] - faces.first for t in faces.tracks]
    return np.bincount(
        np.concatenate([np.empty(0, np.int64), *detected_frames]).astype(np.int64), minlength=faces.count
    )
