"""Render a shot: plate and source in, a folder with composite, patches, mattes, pictures and a report out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from nodes.cache import digest_code, digest_file, digest_footage, key_of
from nodes.choice import check_range
from nodes.consent.gate import Clip, of_swap, permit
from nodes.credentials.binding import sha256
from nodes.credentials.sign import ready
from nodes.definitions import Method, Settings
from nodes.detect import main_tracks
from nodes.errors import FaceplateError, FootageError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.patch_files import half_rounded, read_patch
from nodes.graph import run
from nodes.progress import Progress, quiet
from nodes.shot import results
from nodes.shot.write import Rendered, ShotFolder, patch_files, write_shot
from nodes.shot_document import FootageInput, ModelInput, TrackSpan
from nodes.swap import PatchStream
from nodes.text import counted
from nodes.types import Patch


@dataclass(frozen=True)
class _RenderRequest:
    """What is rendered: the plate's frames first..last, by position."""

    plate: Footage
    source: Footage | None
    roto: Footage | None
    first: int
    last: int
    settings: Settings
    tracks: tuple[int, ...]


def render_shot(
    plate: Footage,
    source: Footage | None,
    out: Path | str,
    settings: Settings | None = None,
    first: int | None = None,
    last: int | None = None,
    *,
    roto: Footage | None = None,
    tracks: Sequence[int] = (),
    progress: Progress = quiet,
) -> Rendered:
    """Replace a face in the plate's frames first..last (inclusive positions) and write the results into the folder `out`.

    tracks: ids of the tracks to replace; by default one face at a time, see `nodes.choice`. Results of an earlier run
    are replaced when all is done. What is interrupted goes on with the patches that are there when it is called again with
    the same inputs and settings. Raises ConsentError, FootageError, NoFaceError, ModelError, OutputError; then
    nothing is left behind.
    """
    began = time.monotonic()
    out = Path(out).expanduser().resolve()
    settings = settings or Settings()
    last = plate.info.frames - 1 if last is None else last
    shot = _RenderRequest(plate, source, roto, first or 0, last, settings, tuple(tracks))
    _check(shot)
    results.check_writable(out)
    with results.only_run(out):
        return _rendered(shot, out, began, progress)


def _rendered(shot: _RenderRequest, out: Path, began: float, progress: Progress) -> Rendered:
    plate, source, settings, last, tracks = shot.plate, shot.source, shot.settings, shot.last, shot.tracks
    inputs = _inputs(shot)
    clips = {name: Clip(i.path, i.digest) for name, i in inputs.items()}
    model = clips.get("model") if settings.swap.method is Method.MODEL else None
    provenance = permit(of_swap(clips["plate"], clips.get("source"), model, settings.swap), settings.swap, out)
    by = ready(out, plate.info.path, source.info.path if source else None, told=settings.swap.project)
    given = {"plate": plate, "source": source, "roto": shot.roto}
    made = run(given, settings, tracks=tracks, first=shot.first, last=last, progress=progress)
    if source is not None:
        used = {track.id for track in made["source_faces"].tracks}
        others = [track for track in main_tracks(made["source_found"]) if track.id not in used]
        unused = tuple(TrackSpan.of(track, source.info.first) for track in others)
        inputs["source"] = inputs["source"].model_copy(update={"not_used": unused})
    folder = results.open_partial(out, _key(shot, inputs))
    written = ShotFolder(plate, shot.first, last, settings, made["found"], made["crops"], inputs, provenance, began, by)
    return write_shot(written, _patches(shot, made["patch"], folder), folder, out, progress)


def as_written(patch: Patch) -> Patch:
    """Round a patch to the half floats of its file, so that plate and file give exactly the composite."""
    if patch.roi.empty:
        return patch
    return Patch(patch.frame, patch.roi, half_rounded(patch.rgba))


def _check(shot: _RenderRequest) -> None:
    check_range(shot.plate.info, shot.first, shot.last)
    roto, info = shot.roto and shot.roto.info, shot.plate.info
    if roto and ((roto.width, roto.height) != (info.width, info.height) or roto.frames <= shot.last):
        raise FootageError(
            f"is {roto.width}x{roto.height} with {counted(roto.frames, 'frame')}; the plate is {info.width}x{info.height} "
            f"and frame {info.first + shot.last} is its {shot.last + 1}. one",
            file=roto.path,
            remedy="Give a matte that goes with the plate frame by frame, from its first one on",
        )
    method = shot.settings.swap.method
    if method is Method.REFERENCE and shot.source is None:
        raise FaceplateError("the method 'reference' needs a source", remedy="Give one with --source")
    if method is Method.MODEL and shot.settings.swap.model is None:
        raise FaceplateError("the method 'model' needs a model", remedy="Give one with --model")


def _inputs(shot: _RenderRequest) -> dict[str, FootageInput | ModelInput]:
    inputs: dict[str, FootageInput | ModelInput] = {}
    for name, footage in (("plate", shot.plate), ("source", shot.source), ("roto", shot.roto)):
        if footage is not None:
            inputs[name] = FootageInput.of(footage.info, digest_footage(footage.info.path))
    model = shot.settings.swap.model
    if model is not None and model.is_file():
        inputs["model"] = ModelInput(path=model.absolute(), digest=digest_file(model), sha256=sha256(model))
    return inputs


def _key(shot: _RenderRequest, inputs: dict[str, FootageInput | ModelInput]) -> str:
    """The key of the patches: whatever changes one of them changes it."""
    return key_of(
        inputs={name: (i.digest, str(i.rate) if isinstance(i, FootageInput) else None) for name, i in inputs.items()},
        range=(shot.first, shot.last),
        settings=shot.settings.model_dump(mode="json", exclude={"swap": shot.settings.swap.having("consent")}),
        tracks=shot.tracks,
        code=digest_code("nodes"),
    )


def _patches(shot: _RenderRequest, plan: PatchStream, folder: Path) -> Iterator[tuple[Frame, Patch, bool]]:
    """Yield each frame with its patch as written and whether that is new: first those on disk, then swap from there on."""
    frames = shot.plate.frames(shot.first, shot.last, prepare=Frame.rgb8)
    before: deque[Frame] = deque(maxlen=plan.lookahead)
    for frame in frames:
        patch = _kept(shot, folder, frame.index)
        if patch is None:
            rest: Iterable[Frame] = chain(tuple(before), (frame,), frames)
            for found, new in plan.patches(rest):
                if found.index >= frame.index:
                    yield found, as_written(new), True
            return
        before.append(frame)
        yield frame, patch, False


def _kept(shot: _RenderRequest, folder: Path, index: int) -> Patch | None:
    patch, matte = patch_files(folder, shot.plate.info.first + index)
    if not (patch.is_file() and matte.is_file()):
        return None
    try:
        return read_patch(patch)
    except FootageError:
        return None  # cut off by a power failure, say
