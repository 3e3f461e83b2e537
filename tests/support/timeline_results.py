"""Results as a swap leaves them, drawn: pictures that say their plate's number, a patch that is a soft disc."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from host_bridge.timeline.document import EditRecord, ShotRecord, TimelineRun, save
from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.shots.shot import Casting, Media
from nodes.cache import digest_footage
from nodes.consent.gate import Clip, of_swap, permit
from nodes.credentials.identity import load_identity
from nodes.credentials.sign import sign_shot
from nodes.definitions import Settings, SwapParameters
from nodes.footage.footage import open_footage
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import write_matte, write_patch
from nodes.footage.sequence import SequenceWriter
from nodes.shot_document import FootageInput, FrameSpan, ShotDocument, ShotResults
from nodes.types import Float, Patch, Roi


def soft_disc(size: int, colour: tuple[float, float, float] = (0.8, 0.3, 0.1)) -> Float:
    """A disc with a soft edge, premultiplied, float32 [size, size, 4]."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    alpha = np.clip((size / 2 - np.hypot(x, y)) / (size / 4), 0, 1).astype(np.float32)
    return np.dstack([*(alpha * np.float32(c) for c in colour), alpha]).astype(np.float32)


def swapped(folder: Path, plate: Path, span: tuple[int, int], *, rate: Fraction | None = None, disc: int = 24) -> Path:
    """Write what a swap of the plate's frames span (positions, both included) would have left, with a disc for a face."""
    folder.mkdir(parents=True, exist_ok=True)
    first, last = span
    with open_footage(plate, rate=rate) as footage:
        info = replace(footage.info, rate=rate or footage.info.rate)
        images = info.path.suffix in (".png", ".exr", ".tif")
        with (
            MovieWriter(folder / "plate.mkv", info) as plates,
            MovieWriter(folder / "composite.mkv", info) as composites,
            SequenceWriter(folder / "composite" / f"composite.%04d{info.path.suffix if images else '.png'}", info, info.first + first) as pictures,
        ):  # fmt: skip
            for frame in footage.frames(first, last):
                x, y = info.width // 2 - disc // 2, info.height - disc - 2
                patch = Patch(frame.index, Roi(x, y, x + disc, y + disc), soft_disc(disc))
                number = info.first + frame.index
                write_matte(
                    folder / "matte" / f"matte.{number:04d}.exr", patch.rgba[..., 3], patch.roi, info.width, info.height
                )
                write_patch(folder / "patch" / f"patch.{number:04d}.exr", patch, info.width, info.height)
                plates.write(frame)
                composites.write(frame.over(patch))
                if images:
                    pictures.write(frame.over(patch))
        shot = ShotDocument(
            inputs={"plate": FootageInput.of(info, digest_footage(plate))},
            range=FrameSpan(first=info.first + first, last=info.first + last),
            rate=info.rate,
            width=info.width,
            height=info.height,
            settings=Settings(),
            tracks=(),
            provenance=permit(
                of_swap(Clip(plate, digest_footage(plate)), None, None, SwapParameters()), SwapParameters(), folder
            ),
            results=ShotResults(frames=last - first + 1, frames_with_face=last - first + 1),
        )
    shot.model_copy(update={"credentials": sign_shot(folder, shot, load_identity())}).save(folder)
    return folder


def done_shot(
    id: str,
    where: tuple[int, ...],
    media: Media,
    span: tuple[int, int],
    folder: Path | None = None,
    name: str = "shot",
) -> ShotRecord:
    """A finished shot of a run."""
    cast = (Casting(target="Ann", source="Ben"),)
    return ShotRecord(
        id=id,
        name=name,
        where=where,
        media=media,
        span=span,
        cast=cast,
        state="done",
        folder=folder or Path("shots") / id,
    )


def run_of(edit: Edit, *shots: ShotRecord, out: Path | None = None) -> TimelineRun:
    """A run of an edit; written to `out` when given."""
    run = TimelineRun(edit=EditRecord(path=edit.path, digest=edit.digest), shots=shots)
    if out is not None:
        save(out, run)
    return run
