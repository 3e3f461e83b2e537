"""Put edited aligned images back into their frames; unedited and deleted ones leave the plate as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodes.align.registration.register import inverse_warp
from nodes.cache import digest_footage
from nodes.credentials.identity import Identity
from nodes.credentials.sign import forget, ready, sign_returned
from nodes.definitions import MaskParameters
from nodes.errors import FootageError, OutputError
from nodes.footage.colour import to_linear
from nodes.footage.footage import Footage, open_footage
from nodes.footage.formats import WRITABLE
from nodes.footage.frame import Frame
from nodes.footage.images import channels_of, open_image, read_window
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.numbering import find_sequence
from nodes.footage.patch_files import read_matte
from nodes.footage.sequence import write_frame
from nodes.mask import grow_and_feather
from nodes.progress import Progress, quiet, stage
from nodes.shot.aligned.document import AlignedImage, Transforms, load_transforms
from nodes.shot.aligned.folder import digest, hidden_folder
from nodes.shot.aligned.images import names_of
from nodes.shot.worker import Worker
from nodes.shot_document import FootageInput, FrameSpan, SwitchedOff
from nodes.swap.place import merge
from nodes.text import counted
from nodes.types import Float, Patch

_EDGE = MaskParameters()
_MOVIE = ".mkv"
Edit = Callable[[Frame, str | int], Frame]


@dataclass
class Returned:
    """Counts of images that were put back or left the plate as it is, and of written frames."""

    edited: int = 0
    unchanged: int = 0
    deleted: int = 0
    frames: int = 0


def put_back(
    folder: Path,
    out: Path,
    plate: Path | None = None,
    edge: MaskParameters = _EDGE,
    progress: Progress = quiet,
) -> Returned:
    """Put the edited images of a folder that `align` wrote back, within their masks, and write the frames to `out`.

    out: a folder, for images in the plate's own kind where that can be written, else PNG; or, of a clip, a movie .mkv without
    loss. plate: the footage's path, if it has moved. edge: growth and feather of the masks. Outside the
    masks the pixels are the plate's. The results are signed. Raises SchemaError, OutputError, CredentialsError, ConsentError, and
    FootageError for images of another size than they were cut with, or for another plate; then `out` is as it was before.
    """
    transforms = load_transforms(folder)
    for entry in transforms.images:
        check_size(folder, entry)
    path = plate or transforms.footage.path
    _check_place(path, out, folder)
    by = ready(out, path)
    returned = Returned()
    edit = _editor(folder, transforms.images, edge, returned)
    if isinstance(transforms.footage, FootageInput) and transforms.range:
        _clip(transforms.footage, transforms.range, path, out, edit, by, progress)
    elif out.suffix.lower() == _MOVIE:
        raise OutputError("cannot hold pictures of several sizes", file=out, remedy="Name a folder with --out")
    else:
        files = _names(transforms, path)
        frames = _pictures(transforms, files, edit, stage(progress, "put back", len(files)))

        def sign(made: list[Path]) -> None:
            for one in made:
                sign_returned(one, files[one.name], digest_footage(files[one.name]), by)
                forget(out / one.name)

        _to_folder(frames, out, sign)
    return returned


def _editor(folder: Path, images: Iterable[AlignedImage], edge: MaskParameters, returned: Returned) -> Edit:
    entries: dict[str | int, list[AlignedImage]] = {}
    for entry in images:
        entries.setdefault(entry.key, []).append(entry)

    def edit(frame: Frame, key: str | int) -> Frame:
        patches = []
        for entry in entries.get(key, ()):
            if not (folder / entry.file).exists():
                returned.deleted += 1
            elif (patch := patch_of(frame, folder, entry, edge)) is None:
                returned.unchanged += 1
            else:
                patches.append(patch)
                returned.edited += 1
        returned.frames += 1
        return frame.over(merge(patches, frame.index))

    return edit


def _clip(
    was: FootageInput,
    span: FrameSpan,
    path: Path,
    out: Path,
    edit: Edit,
    by: Identity | SwitchedOff,
    progress: Progress,
) -> None:
    with open_footage(path, rate=was.rate, layer=was.layer) as footage:
        info = footage.info
        first, last = span.first - info.first, span.last - info.first
        size = was.width, was.height
        if (info.width, info.height) != size or not 0 <= first <= last < info.frames:
            raise FootageError(
                f"has {counted(info.frames, 'frame')} of {info.width}x{info.height}; the images are of another clip "
                f"({size[0]}x{size[1]}, frames {span.first}-{span.last})",
                file=path,
                remedy="Give the clip that was aligned with --plate",
            )
        tell = stage(progress, "put back", last - first + 1)

        def edited() -> Iterator[Frame]:
            for done, frame in enumerate(footage.frames(first, last), 1):
                yield edit(frame, info.first + frame.index)
                tell(done)

        if out.suffix.lower() != _MOVIE:

            def sign(made: list[Path]) -> None:
                sign_returned(made, path, digest_footage(path), by)
                forget([out / one.name for one in made])

            _to_folder(_named(edited(), footage), out, sign)
            return
        forget(out)
        sound = info.path if info.has_audio else None
        with MovieWriter(out, info, "ffv1", sound, first, last) as movie:
            for frame in edited():
                movie.write(frame)
    try:
        sign_returned(out, path, digest_footage(path), by)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _named(frames: Iterable[Frame], footage: Footage) -> Iterator[tuple[str, Frame]]:
    """Name frames as the files of their sequence, or after the movie and with their number."""
    info = footage.info
    sequence = find_sequence(info.path) if info.channels else None
    for frame in frames:
        if sequence is not None:
            yield _written_as(sequence.files[frame.index]), frame
        else:
            yield f"{info.path.stem}.{info.first + frame.index:04d}.png", frame


def _names(transforms: Transforms, folder: Path) -> dict[str, Path]:
    files = [folder / source.name for source in transforms.sources]
    return {_written_as(f, name): f for f, name in zip(files, names_of(files), strict=True)}


def _pictures(transforms: Transforms, files: Mapping[str, Path], edit: Edit, tell: Any) -> Iterator[tuple[str, Frame]]:
    sizes = {source.name: (source.width, source.height) for source in transforms.sources}
    for done, (name, file) in enumerate(files.items(), 1):
        with open_footage(file) as picture:
            found, wanted = (picture.info.width, picture.info.height), sizes[file.name]
            if found != wanted:
                raise FootageError(
                    "is {}x{}, and was {}x{} when it was aligned".format(*found, *wanted),
                    file=file,
                    remedy="Give the folder of pictures that was aligned with --plate",
                )
            yield name, edit(picture.frame(0), file.name)
        tell(done)


def _written_as(file: Path, name: str | None = None) -> str:
    """Return a file's name, or another, with its suffix if that can be written, else `.png`."""
    suffix = file.suffix if file.suffix.lower() in WRITABLE else ".png"
    return f"{file.stem if name is None else name}{suffix}"


def _to_folder(frames: Iterable[tuple[str, Frame]], out: Path, sign: Callable[[list[Path]], None]) -> None:
    with hidden_folder(out) as hidden:
        with Worker[tuple[str, Frame]](lambda item: write_frame(hidden / item[0], item[1])) as files:
            for item in frames:
                files.put(item)
        sign(sorted(hidden.iterdir()))
        for file in sorted(hidden.iterdir()):
            file.replace(out / file.name)


def _check_place(plate: Path, out: Path, folder: Path) -> None:
    inputs = {p.resolve() for p in (plate, folder)} | (
        {plate.parent.resolve()} if "%" in plate.name or "#" in plate.name else set()
    )
    if out.resolve() in inputs:
        raise OutputError("is where the plate or the aligned images are", file=out, remedy="Choose another --out")


def check_size(folder: Path, entry: AlignedImage) -> None:
    """Raise FootageError for an existing image, or its mask, of another size than it was cut with."""
    if not (folder / entry.file).exists():
        return
    for file in (folder / entry.file, folder / entry.mask):
        image = open_image(file)
        try:
            size = image.spec().full_width, image.spec().full_height
        finally:
            image.close()
        if size != entry.size:
            raise FootageError(
                "is {}x{}, and was cut as {}x{}".format(*size, *entry.size),
                file=file,
                remedy="Scale it back to that size, or delete the image to leave the plate as it is",
            )


def patch_of(frame: Frame, folder: Path, entry: AlignedImage, edge: MaskParameters) -> Patch | None:
    """Warp an image back to its place in the frame; None for an unedited one. Raises FootageError.

    The image is display-referred sRGB, 8 or 16 bits; its own alpha limits its mask.
    """
    image, alpha = _read(folder / entry.file, entry)
    if image is None:
        return None
    mask = read_matte(folder / entry.mask)
    matte = grow_and_feather(mask[None], edge.grow, edge.feather)[0] * alpha
    roi, colour, cover = inverse_warp(image, entry.to_plate, (frame.width, frame.height), matte)
    linear = np.maximum(to_linear(np.ascontiguousarray(np.clip(colour, 0, 1)), "srgb"), 0)
    return Patch(frame.index, roi, np.dstack([linear * cover[..., None], cover]).astype(np.float32))


def _read(file: Path, entry: AlignedImage) -> tuple[Float | None, Float]:
    """Read the colours [h, w, 3] and the alpha [h, w] of an image, 0..1; no colours for an unedited one."""
    header, pixels = read_window(file)
    white = np.float32(1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max)
    channels = channels_of(header)
    colour = np.ascontiguousarray(pixels[..., channels.rgb])
    alpha = np.ones(colour.shape[:2], np.float32)
    if channels.alpha is not None:
        alpha = pixels[..., channels.alpha].astype(np.float32) / white
    if colour.dtype == np.uint8 and digest(colour) == entry.digest:
        return None, alpha
    return colour.astype(np.float32) / white, alpha
