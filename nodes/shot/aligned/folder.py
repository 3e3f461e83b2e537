"""Folder of aligned images: images and masks as PNG, a table, landmarks, a contact sheet and the transforms."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.align.pose import take_performance
from nodes.align.registration.register import Registration, at_size
from nodes.errors import FaceplateError, OutputError, SchemaError, writing
from nodes.footage.frame import Frame
from nodes.geometry.homography import apply_homography, stretch
from nodes.geometry.sampling import warp
from nodes.geometry.similarity import Double
from nodes.mask import check_regions, draw_regions
from nodes.shot.aligned.document import (
    DOCUMENT,
    AlignedBy,
    AlignedImage,
    AlignedTrack,
    LeftOutImage,
    PictureFolder,
    SourcePicture,
    Transforms,
    load_transforms,
)
from nodes.shot.sheet import write_png
from nodes.shot.worker import Worker
from nodes.shot_document import FootageInput, FrameSpan
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8, Roi

TABLE, LANDMARKS, SHEET = "images.csv", "landmarks.npy", "sheet.png"
_CELLS, _COLUMNS, _CELL = 40, 10, 128


@dataclass(frozen=True, slots=True)
class AlignedFolder:
    """The contents of the folder: tracks with their first and last frame numbers, and left-out frames with the reason."""

    tracks: list[AlignedTrack]
    left_out: list[LeftOutImage]


@dataclass
class Writer:
    """A writer that cuts images out of passing frames without keeping them; made by :func:`new_folder`."""

    folder: Path
    kind: ImageKind
    files: Worker[tuple[Path, Image8]]
    images: list[AlignedImage] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    landmarks: list[Float] = field(default_factory=list)
    left_out: list[LeftOutImage] = field(default_factory=list)
    shown: list[Image8] = field(default_factory=list)
    step: int = 1

    def cut(self, picture: Image8, placed: Iterable[Placed], name: str, number: int, source: str | None = None) -> None:
        """Cut the images of one picture [H, W, 3]. name: of the files. number: of the frame. source: the picture's name, not of a clip."""
        for item in placed:
            image = np.asarray(warp(picture, item.to_plate, Roi(0, 0, *item.size)), np.uint8)
            file, mask = (f"{folder}/{item.track}/{name}.png" for folder in ("images", "masks"))
            self.files.put((self.folder / file, image))
            self.files.put((self.folder / mask, self.kind.mask(item)))
            entry = AlignedImage(
                file=file,
                mask=mask,
                source=source,
                frame=number,
                track=item.track,
                size=item.size,
                mirrored=item.mirrored,
                to_plate=item.to_plate,
                to_crop=np.linalg.inv(item.to_plate),
                digest=digest(image),
            )
            self.images.append(entry)
            self.rows.append(_row(entry, item))
            if item.landmarks is not None:
                self.landmarks.append(item.landmarks)
            self._show(image)

    def leave_out(self, number: int, source: str | None, reason: str) -> None:
        """Note a frame, or a picture, without an image."""
        self.left_out.append(LeftOutImage(source=source, frame=number, reason=reason))

    def finish(
        self, footage: FootageInput | PictureFolder, span: FrameSpan | None, sources: Sequence[SourcePicture] = ()
    ) -> AlignedFolder:
        """Write the documents of all images. span: the clip's frames that were searched."""
        write_png(self.folder / SHEET, _sheet(self.shown))
        if self.landmarks:
            np.save(self.folder / LANDMARKS, np.stack(self.landmarks).astype(np.float32), allow_pickle=False)
        with (self.folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(self.rows[0]))
            table.writeheader()
            table.writerows(self.rows)
        Transforms(
            **dict(self.kind.by),
            footage=footage,
            range=span,
            sources=tuple(sources),
            left_out=tuple(self.left_out),
            images=tuple(self.images),
        ).save(self.folder)
        return AlignedFolder(self._tracks(), self.left_out)

    def _tracks(self) -> list[AlignedTrack]:
        frames: dict[int, list[int]] = {}
        for image in self.images:
            frames.setdefault(image.track, []).append(image.frame)
        return [AlignedTrack(id=i, first=min(f), last=max(f), images=len(f)) for i, f in sorted(frames.items())]

    def _show(self, image: Image8) -> None:
        """Keep a small copy of every n-th image; n doubles when there are too many, since their number is unknown."""
        if (len(self.rows) - 1) % self.step:
            return
        self.shown.append(_cell(image))
        if len(self.shown) > 2 * _CELLS:
            self.shown, self.step = self.shown[::2], self.step * 2


def _row(entry: AlignedImage, image: Placed) -> dict[str, Any]:
    numbers = dict(zip(("x0", "y0", "x1", "y1"), image.box, strict=True))
    numbers |= dict(zip(("yaw", "pitch"), (None, None) if image.yaw_pitch is None else image.yaw_pitch, strict=True))
    return {
        **entry.model_dump(include={"file", "mask", "source", "frame", "track"}),
        "width": image.size[0],
        "height": image.size[1],
        "score": f"{image.score:.4f}",
        "mirrored": int(image.mirrored),
        **{key: None if n is None else f"{n:.7g}" for key, n in {**numbers, **image.figures()}.items()},
    }


@contextmanager
def new_folder(out: Path, kind: ImageKind) -> Iterator[Writer]:
    """Write into a hidden folder in `out`; when the block ends its files take their places, over an earlier run's.

    Other files in `out` stay. Raises OutputError, also for files by our names that `align` did not write.
    """
    check_replaceable(out)
    with hidden_folder(out) as folder:
        with Worker[tuple[Path, Image8]](lambda item: write_png(*item), depth=8) as files:
            yield Writer(folder, kind, files)
        _put_in_place(folder, out)


@contextmanager
def hidden_folder(out: Path) -> Iterator[Path]:
    """Yield a folder in `out` that is removed when the block ends; after an error `out` too, if empty. Raises OutputError."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(prefix=".aligned-", dir=out) as name:
                yield Path(name)
        except BaseException:
            with suppress(OSError):
                out.rmdir()
            raise


def check_replaceable(out: Path) -> None:
    """Raise OutputError unless `out` is free, without files by our names, or holds an earlier run's results."""
    ours = ("images", "masks", TABLE, LANDMARKS, SHEET, DOCUMENT)
    with writing(out):
        if not out.exists() or not any((out / name).exists() for name in ours):
            return
    try:
        load_transforms(out)
    except SchemaError as e:
        raise OutputError(
            "holds files that `faceplate align` did not write", file=out, remedy="Choose another folder with --out"
        ) from e


def digest(image: Image8) -> str:
    """Digest the pixels of an image [h, w, 3], to detect edits."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _put_in_place(new: Path, out: Path) -> None:
    if (out / DOCUMENT).is_file():
        for entry in load_transforms(out).images:
            for name in (entry.file, entry.mask):
                (out / name).unlink(missing_ok=True)
                with suppress(OSError):  # not empty yet, or it holds other files
                    (out / name).parent.rmdir()
        for name in (DOCUMENT, TABLE, LANDMARKS, SHEET):
            (out / name).unlink(missing_ok=True)
    files = [f for f in sorted(new.rglob("*")) if f.is_file()]
    for file in sorted(files, key=lambda f: f.name == DOCUMENT):  # the document last: with it the folder is complete
        target = out / file.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)


def _cell(image: Image8) -> Image8:
    height, width = image.shape[:2]
    scale = _CELL / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    cell = np.zeros((_CELL, _CELL, 3), np.uint8)
    x, y = (_CELL - size[0]) // 2, (_CELL - size[1]) // 2
    cell[y : y + size[1], x : x + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cell


def _sheet(images: list[Image8]) -> Image8:
    chosen = images[:: -(-len(images) // _CELLS)]
    cells = np.zeros((-(-len(chosen) // _COLUMNS) * _COLUMNS, _CELL, _CELL, 3), np.uint8)
    cells[: len(chosen)] = chosen
    rows = cells.reshape(-1, _COLUMNS, _CELL, _CELL, 3).swapaxes(1, 2)
    return rows.reshape(-1, _COLUMNS * _CELL, 3)


@dataclass(frozen=True, slots=True)
class Placed:
    """One image: index: position of its frame. size: width and height. to_plate: float64 [3, 3], image pixels → plate pixels.

    box: [4], x0, y0, x1, y1 of the subject in plate pixels. yaw_pitch: [2], degrees. landmarks: [L, 3] in image pixels.
    """

    track: int
    index: int
    size: tuple[int, int]
    to_plate: Double
    score: float
    box: Float
    mirrored: bool = False
    yaw_pitch: Float | None = None
    landmarks: Float | None = None

    def figures(self) -> dict[str, float]:
        """Scale (plate pixels an image pixel), angle (degrees, clockwise) and position x, y (plate pixels) of the image's centre."""
        centre = np.array([self.size], np.float64) / 2
        across, down = stretch(self.to_plate, centre)[0].T
        x, y = apply_homography(self.to_plate, centre)[0]
        # The axis that points down is the same in a mirror.
        angle = np.degrees(np.arctan2(-down[0], down[1]))
        return {"scale": float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0]))), "angle": angle, "x": x, "y": y}


@dataclass(frozen=True, slots=True)
class ImageKind:
    """The common properties of a folder's images. mask: draws the mask [h, w] of one, 0..255."""

    by: AlignedBy
    mask: Callable[[Placed], Image8]


def by_landmarks(subject: Subject, coverage: float, regions: Sequence[str] | None) -> ImageKind:
    """Describe images of a subject; regions: of their masks, by default all. Raises FaceplateError for an unknown one."""
    check_regions(subject, regions)

    def draw(placed: Placed) -> Image8:
        assert placed.landmarks is not None
        mask = draw_regions(placed.landmarks[None], placed.size[0], subject, regions)[0]
        return np.asarray(np.rint(mask * 255), np.uint8)

    by = AlignedBy(
        method="landmarks",
        subject=subject.name,
        template=subject.template_id,
        coverage=coverage,
        transform="similarity",
    )
    return ImageKind(by, draw)


def by_reference(reference: Frame, method: str, transform: str, size: int | None) -> tuple[ImageKind, tuple[int, int]]:
    """Describe images of an object, and their size: the reference's own, or `size` pixels on the longer side.

    Transparent parts of the reference are not the object, and are left out of the masks.
    """
    scale = 1.0 if size is None else size / max(reference.width, reference.height)
    width, height = max(round(reference.width * scale), 1), max(round(reference.height * scale), 1)
    alpha = reference.alpha()
    if alpha is not None and not alpha.any():
        raise FaceplateError("is all transparent", file=reference.info.path, remedy="Give a picture of the object")
    whole = np.ones((reference.height, reference.width), np.float32) if alpha is None else alpha
    mask = np.rint(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
    by = AlignedBy(method=method, transform=transform, reference=reference.info.path.absolute())
    return ImageKind(by, lambda placed: mask), (width, height)


def place_alignment(alignment: Alignment) -> list[Placed]:
    """Place the images of one track, frame by frame."""
    track, side = alignment.track, (alignment.size, alignment.size)
    landmarks = alignment.landmarks
    pose = take_performance(track.landmarks, alignment.subject, mirrored=track.mirrored).yaw_pitch
    return [
        Placed(track.id, int(index), side, matrix, float(score), box, track.mirrored, turn, points)
        for index, matrix, score, box, turn, points in zip(
            track.frames, widened(alignment.to_plate), track.scores, track.boxes, pose, landmarks, strict=True
        )
    ]


def place_registration(registration: Registration, size: tuple[int, int]) -> list[Placed]:
    """Place the images of a registered object where it was found; one track, with the number 0."""
    found = registration.found
    corners = registration.corners[found]
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)
    return [
        Placed(0, int(index), size, matrix, float(score), box)
        for index, matrix, score, box in zip(
            registration.frames[found],
            at_size(registration.to_plate[found], registration.size, size),
            registration.scores[found],
            boxes,
            strict=True,
        )
    ]


def widened(matrices: Float) -> Double:
    """Widen affine transforms [..., 2, 3] of any precision to [..., 3, 3] in float64, for exact inverses."""
    last = np.broadcast_to(np.array([0, 0, 1], np.float64), (*matrices.shape[:-2], 1, 3))
    return np.concatenate([np.asarray(matrices, np.float64), last], axis=-2)
