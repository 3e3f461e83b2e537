"""The Swap node: plans either method, then paints patches; colour, light and placement are common to both."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, groupby, islice
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.align.alignment import fitting_size
from nodes.definitions import ColourMatch, Method, SwapParameters
from nodes.errors import FaceplateError, ModelError
from nodes.footage.footage import Footage, run_ahead
from nodes.footage.frame import Frame
from nodes.geometry.sampling import crop
from nodes.mask import Mattes
from nodes.mask.visibility import NEAR, is_clear, luma, refined, steady
from nodes.progress import Progress, quiet
from nodes.subjects.subject import Subject
from nodes.swap.colour import apply_colour, match_colours
from nodes.swap.light import take_light, unsharp_mask
from nodes.swap.model import SwapModel, load_model
from nodes.swap.place import merge, move, place, reduced
from nodes.swap.reference import ReferenceTrack, plan_reference
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.hidden import FrontFinder
from nodes.swap.reference.render import performed, premultiplied
from nodes.swap.reference.source import take_source
from nodes.swap.reference.surface import surface_of
from nodes.swap.runner import INPUTS
from nodes.types import Bool, Faces, Float, Image8, Patch

_log = logging.getLogger(__name__)
_BATCH = 8
_LOOKAHEAD = 12  # frames on either side over which the colour match is averaged
_COLOUR_SIGMA = 6.0  # frames
_THIN = 4  # every fourth pixel is enough to detect a blank crop
_FINER = 1.5  # crop pixels for one that a model sees, where it moves the reference: that is one resample more
_HIDDEN = 0.5  # coverage by something in front from which a pixel says nothing about the light on the face
_BLANK = 2 / 255  # standard deviation up to which a crop is blank: a black frame or a flash between others


@dataclass(frozen=True, slots=True)
class SwapTrack:
    """One track in crop space, T frames from `first` on.

    to_plate: [T, 2, 3], crop pixels → plate pixels. landmarks: the plate's face, [T, L, 3], in crop pixels, and vertices: of
    the new face's surface, [T, V, 3], where there is a `reference` to warp onto them.
    """

    subject: Subject
    first: int
    size: int
    to_plate: Float
    landmarks: Float
    vertices: Float | None = None
    reference: ReferenceTrack | None = None


@runtime_checkable
class PatchStream(Protocol):
    """The patches of a shot, with its mattes as their alpha: all is planned, and frames are painted on request."""

    @property
    def lookahead(self) -> int:
        """Frames on either side that a patch depends on."""

    def patches(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Patch]]:
        """Paint the patch of every frame, in order; a frame without a face gets an empty one."""


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """Everything decided before the first pixel. `tracks`: those that are swapped, in order of painting."""

    tracks: tuple[SwapTrack, ...]
    parameters: SwapParameters
    mattes: Mattes
    model: SwapModel | None = None
    lookahead: int = _LOOKAHEAD

    def patches(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Patch]]:
        """Paint the patch of every frame, in order; a frame without a face gets an empty one.

        Works up to `lookahead` frames and two batches of eight ahead of what it yields. To start at frame k, feed it from
        k - lookahead and drop the first results: from there on they are those of a whole run.
        """
        window: deque[_Shot] = deque(maxlen=2 * self.lookahead + 1)
        waiting = 0
        # Work that needs one frame alone runs on another thread, while this one finishes earlier frames.
        for begun in run_ahead((shot for batch in _batched(frames, _BATCH) for shot in _begin(batch, self)), _BATCH):
            window.append(begun)
            waiting += 1
            if waiting > self.lookahead:
                waiting -= 1
                yield _finish(window, len(window) - 1 - self.lookahead, self)
        for left in range(waiting, 0, -1):
            yield _finish(window, len(window) - left, self)


@dataclass(slots=True)
class _Face:
    """One face of one frame on its way through the node, in crop space."""

    subject: Subject
    plate: Float
    face: Float
    visible: Bool
    matte: Float
    landmarks: Float
    vertices: Float | None
    affine: Float
    to_plate: Float
    share: Float | None = None  # of the subject in each pixel of a small grid, and the luma there
    guide: Float | None = None


_Shot = tuple[Frame, dict[int, _Face]]
_IDENTITY = np.eye(3, 4, dtype=np.float32)


def swap(
    plate: Footage | None,
    crops: Sequence[Alignment],
    mattes: Mattes,
    parameters: SwapParameters | None = None,
    source: Footage | None = None,
    source_faces: Faces | None = None,
    progress: Progress = quiet,
    name: str = "prepare",
) -> SwapPlan:
    """Decide everything that needs the whole shot: references for every frame, or the model.

    plate: some of its frames are analysed for wrinkles and acting; skipped without it. crops: of the tracks to swap. source,
    source_faces: the performer's footage, for the method `reference` and for models that are given references. progress: as
    of `plan_reference`. Raises NoFaceError when the source shows no face, ModelError for a model that does not fit.
    """
    parameters, alignments = parameters or SwapParameters(), crops
    model = None
    if parameters.method is Method.MODEL:
        if parameters.model is None:
            raise ModelError("the method 'model' needs a model", remedy="Name an ONNX file with --model")
        model = load_model(parameters.model, subject=alignments[0].subject.name if alignments else None)
        alignments = [a.at(a.size if model.moves else model.size, model.coverage) for a in alignments]
    references: Sequence[ReferenceTrack | None] = [None] * len(alignments)
    if alignments and (model is None or model.needs_reference):
        if source is None or source_faces is None:
            raise FaceplateError("this method needs footage of the source", remedy="Name a clip with --source")
        source_frames = take_source(source, source_faces)
        if model is None or model.moves:
            # A crop finer than what the source's own frames hold would only cost time.
            finest, least = float(np.median(source_frames.performance.scale)), int(_FINER * model.size) if model else 0
            alignments = [
                a.at(min(a.size, max(least, fitting_size(a.subject, finest, a.coverage)))) for a in alignments
            ]
        front = FrontFinder(mattes, source_frames.subject)
        references = plan_reference(alignments, source_frames, parameters, plate, progress, name, front)
        mattes = replace(mattes, source_wears_glasses=front.wears_glasses)
    mattes = mattes.corrected(plate)
    tracks = tuple(_to_crop_space(a, r) for a, r in zip(alignments, references, strict=True))
    logged = parameters.model_dump(mode="json", exclude=parameters.having("consent"))  # no names
    _log.info("tracks %s, crops of %s, %s", [a.track.id for a in alignments], [t.size for t in tracks], logged)
    return SwapPlan(tracks, parameters, mattes, model)


def in_plate(mattes: Mattes, plate: Footage | None = None) -> SwapPlan:
    """Make patches that replace nothing: their alpha is the mattes in plate pixels. plate: the footage, needed where mattes were painted for some frames."""
    mattes = replace(mattes.corrected(plate), part=mattes.parameters.part)
    tracks = tuple(_to_crop_space(a, None) for a in mattes.crops)
    lookahead = NEAR if mattes.strength else 0
    return SwapPlan(tracks, SwapParameters(colour=ColourMatch.NONE, light=0, sharpen=0), mattes, lookahead=lookahead)


def _to_crop_space(alignment: Alignment, reference: ReferenceTrack | None) -> SwapTrack:
    vertices = alignment.to_crop(reference.vertices) if reference else None
    first = int(alignment.track.frames[0])
    return SwapTrack(
        alignment.subject, first, alignment.size, alignment.to_plate, alignment.landmarks, vertices, reference
    )


def _batched(frames: Iterable[Frame], count: int) -> Iterator[list[Frame]]:
    # By number, so that a run that starts later has the same batches: in another one a network's last bits may differ.
    for _, batch in groupby(frames, lambda frame: frame.index // count):
        yield list(batch)


def _begin(frames: list[Frame], plan: SwapPlan) -> list[_Shot]:
    """Run the steps that need no neighbouring frames, for a batch of frames."""
    faces = [
        (f, number, t)
        for f, frame in enumerate(frames)
        for number, track in enumerate(plan.tracks)
        if 0 <= (t := frame.index - track.first) < len(track.to_plate)
    ]
    shots: list[_Shot] = [(frame, {}) for frame in frames]
    crops = [_crop_face(frames[f], plan, plan.tracks[number], t) for f, number, t in faces]
    not_blank = [face.plate[::_THIN, ::_THIN].std((0, 1)).max() > _BLANK for face in crops]
    faces, crops = list(compress(faces, not_blank)), list(compress(crops, not_blank))
    if plan.model is not None and crops:
        _run_model(plan.model, crops)
    shares = None
    if crops:
        views = [(frames[f], face.to_plate) for (f, _, _), face in zip(faces, crops, strict=True)]
        shares = plan.mattes.plate_shares(
            [f.plate for f in crops], [f.landmarks for f in crops], crops[0].subject, views
        )
    for k, ((f, number, _), face) in enumerate(zip(faces, crops, strict=True)):
        matte = face.matte
        if shares is not None:
            face.share, face.guide = shares[k], luma(face.plate, len(shares[k]))
            matte = matte * cv2.resize(face.share, matte.shape, interpolation=cv2.INTER_LINEAR)
        face.affine = match_colours(face.face[None], face.plate[None], matte[None], plan.parameters.colour)[0]
        shots[f][1][number] = face
    return shots


def _crop_face(frame: Frame, plan: SwapPlan, track: SwapTrack, t: int) -> _Face:
    size, to_plate, landmarks = track.size, track.to_plate[t], track.landmarks[t]
    crop8 = crop(frame.rgb8(), to_plate[None], size)[0]
    plate = crop8.astype(np.float32) / 255
    matte = plan.mattes.draw(landmarks, track.subject, size)
    face, visible = plate, np.ones((size, size), bool)
    if track.reference is not None and track.vertices is not None:
        own = _own(crop8, landmarks, track.subject)
        face, defined = track.reference.render(t, track.vertices[t], size, own)
        matte, visible = matte * defined, defined > 0
    vertices = None if track.vertices is None else track.vertices[t]
    return _Face(track.subject, plate, face, visible, matte, landmarks, vertices, _IDENTITY, to_plate)


def _own(plate: Image8 | Float, landmarks: Float, subject: Subject) -> Reference:
    """Return the plate's own face as a picture of its surface."""
    return Reference(plate, surface_of(subject).extend(landmarks, picture=True)[:, :2])


def _run_model(model: SwapModel, faces: list[_Face]) -> None:
    """Replace the faces so far, plate or reference, by the model's outputs."""

    def points(which: Callable[[_Face], Float]) -> Float:
        return np.stack([which(f)[: len(f.landmarks), :2] / np.float32(len(f.plate)) for f in faces])

    ask: dict[str, Callable[[], Float]] = {
        "crop": lambda: np.stack([reduced(f.plate, model.size) for f in faces]),
        "reference": lambda: np.stack([reduced(premultiplied(f.face, f.visible), model.size) for f in faces]),
        "landmarks": lambda: points(lambda f: f.landmarks),
        "vertices": lambda: points(_vertices),
        "performance": lambda: np.stack([_performance(f, model.size) for f in faces]),
    }
    results = model.run(*(ask[name]() if name in model.inputs else None for name in INPUTS))
    for face, first, second in zip(faces, *results, strict=True):
        if model.moves:
            face.face = move(face.face, first, second)
        else:
            face.face, face.visible, face.matte = first, np.ones_like(face.visible), face.matte * second


def _performance(face: _Face, size: int) -> Float:
    vertices = _vertices(face) * np.float32(size / len(face.plate))
    return performed(_own(face.plate, face.landmarks, face.subject), vertices, face.subject, size)


def _vertices(face: _Face) -> Float:
    if face.vertices is None:
        raise ValueError("a face without a reference has no vertices")
    return face.vertices


def _finish(window: deque[_Shot], at: int, plan: SwapPlan) -> tuple[Frame, Patch]:
    """Match colours, over the neighbours in the window, and put the faces of one frame back into the plate."""
    frame, faces = window[at]
    p = plan.parameters
    patches = []
    for number, face in faces.items():
        affine = _average_affine(window, at, number)
        image = apply_colour(face.face[None], affine[None])[0]
        in_front = _in_front(window, at, number, plan.mattes.strength)
        matte = face.matte if in_front is None else face.matte * (1 - in_front)
        if p.colour is not ColourMatch.NONE:
            seen = face.visible if in_front is None else face.visible & (in_front < _HIDDEN)
            image = take_light(image, face.plate, matte, seen, p.light)
        image = unsharp_mask(image[None], matte[None], p.sharpen)[0]
        # Off the mesh there is nothing to show: the plate, so that resampling at the matte's edge finds no foreign colour.
        image = np.asarray(cv2.copyTo(image, face.visible.astype(np.uint8), face.plate.copy()), np.float32)
        patches.append(place(frame.index, image, matte * p.opacity, face.to_plate, frame.width, frame.height))
    return frame, plan.mattes.limit(merge(patches, frame.index))


def _in_front(window: deque[_Shot], at: int, number: int, strength: float) -> Float | None:
    """Find what is in front of a face, as coverage of its crop [S, S], 0..1; None where nothing is, or nobody asks."""
    face = window[at][1][number]
    if face.share is None:
        return None
    first = max(at - NEAR, 0)
    near = [faces[number] for _, faces in islice(window, first, at + NEAR + 1) if number in faces]
    shares = [f.share for f in near if f.share is not None]
    guides = [f.guide for f in near if f.guide is not None]
    middle = next(i for i, f in enumerate(near) if f is face)
    share = steady(shares, guides, middle)
    return None if is_clear(share, face.matte) else np.float32(strength) * (1 - refined(share, face.plate))


def _average_affine(window: deque[_Shot], at: int, number: int) -> Float:
    """Average one track's colour matches around `at` by a Gaussian."""
    frames = islice(window, max(at - _LOOKAHEAD, 0), at + _LOOKAHEAD + 1)
    near = [
        (abs(i - min(at, _LOOKAHEAD)), faces[number].affine) for i, (_, faces) in enumerate(frames) if number in faces
    ]
    weight = np.exp(-0.5 * (np.array([d for d, _ in near]) / _COLOUR_SIGMA) ** 2)
    mean: Float = np.tensordot(weight / weight.sum(), np.stack([a for _, a in near]), 1).astype(np.float32)
    return mean
