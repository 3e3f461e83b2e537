"""Rendering of a shot, from plate and source to a folder with composite, patches, mattes and report; several merged, or mattes alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path

from nodes.cache import digest_code, digest_file, digest_footage, key_of
from nodes.choice import check_fits, check_range
from nodes.consent.gate import Clip, of_swap, permit, still
from nodes.consent.known import known_footage
from nodes.credentials.binding import sha256
from nodes.credentials.sign import ready
from nodes.definitions import ALIGN, MASK, Method, Settings
from nodes.detect import main_tracks
from nodes.detect.files import load_faces
from nodes.errors import FaceplateError, FootageError
from nodes.footage.footage import Footage, open_beside
from nodes.footage.frame import Frame
from nodes.footage.info import FootageInfo
from nodes.footage.patch_files import half_rounded, read_patch, write_matte
from nodes.graph import run
from nodes.mask import check_regions, digest_files
from nodes.parts import DOCUMENT, frame_file
from nodes.progress import Progress, quiet, stage
from nodes.shot import results
from nodes.shot.write import Rendered, ShotFolder, write_shot
from nodes.shot_document import FootageInput, ModelInput, TrackSpan, load_shot
from nodes.subjects.subject import load_subject
from nodes.swap import PatchStream, in_plate
from nodes.swap.place import merge
from nodes.text import counted
from nodes.types import Patch

Inputs = dict[str, FootageInput | ModelInput]


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
    are replaced at the end. An interrupted run resumes with its finished patches when it is called again with
    the same inputs and settings. Raises ConsentError, FootageError, NoFaceError, ModelError, OutputError; then
    nothing is left behind.
    """
    began = time.monotonic()
    out = Path(out).expanduser().resolve()
    settings = settings or Settings()
    swap, first, last = settings.swap, first or 0, plate.info.frames - 1 if last is None else last
    check_range(plate.info, first, last)
    if roto is not None:
        _check_roto(roto.info, plate.info, last)
    if swap.method is Method.REFERENCE and source is None:
        raise FaceplateError("the method 'reference' needs a source", remedy="Give one with --source")
    if swap.method is Method.MODEL and swap.model is None:
        raise FaceplateError("the method 'model' needs a model", remedy="Give one with --model")
    results.check_writable(out)
    with results.only_run(out):
        inputs: Inputs = {
            name: FootageInput.of(footage.info, digest_footage(footage.info.path))
            for name, footage in (("plate", plate), ("source", source), ("roto", roto))
            if footage is not None
        }
        if swap.model is not None and swap.model.is_file():
            model = swap.model
            inputs["model"] = ModelInput(path=model.absolute(), digest=digest_file(model), sha256=sha256(model))
        clips = {name: Clip(i.path, i.digest) for name, i in inputs.items()}
        used_model = clips.get("model") if swap.method is Method.MODEL else None
        provenance = permit(of_swap(clips["plate"], clips.get("source"), used_model, swap), swap, out)
        by = ready(out, plate.info.path, source.info.path if source else None, given=swap.project)
        given = {"plate": plate, "source": source, "roto": roto}
        known = known_footage(provenance, swap, out, plate.info.path, source.info.path if source else None)
        with ExitStack() as stack:
            given |= {f"{role}_known": stack.enter_context(open_beside(path)) for role, path in known.items()}
            values = run(given, settings, tracks=tracks, first=first, last=last, progress=progress)
        if source is not None:
            used = {track.id for track in values["source_faces"].tracks}
            others = [track for track in main_tracks(values["source_found"]) if track.id not in used]
            unused = tuple(TrackSpan.of(track, source.info.first) for track in others)
            inputs["source"] = inputs["source"].model_copy(update={"not_used": unused})
        # Anything that changes a patch changes the key.
        key = key_of(
            inputs={n: (i.digest, str(i.rate) if isinstance(i, FootageInput) else None) for n, i in inputs.items()},
            range=(first, last),
            settings=settings.model_dump(mode="json", exclude={"swap": swap.having("consent")}),
            tracks=tuple(tracks),
            known={role: digest_footage(path) for role, path in known.items()},
            mask=digest_files(settings.mask),
            code=digest_code("nodes"),
        )
        folder = results.open_partial(out, key)
        shot_folder = ShotFolder(
            plate, first, last, settings, values["found"], values["crops"], inputs, provenance, began, by
        )
        return write_shot(shot_folder, _patches(plate, first, last, values["patch"], folder), folder, out, progress)


def merge_shots(
    plate: Footage, shots: Sequence[Path], out: Path, first: int, last: int, *, progress: Progress = quiet
) -> Rendered:
    """Write a shot of the plate's frames first..last (inclusive positions) that holds the patches of `shots`, the later ones above.

    shots: folders that `render_shot` has written of the same frames, found with the same parameters of Detect; each keeps its own patches and
    mattes. Settings in the new document are the first one's. Raises ConsentError, FootageError, SchemaError,
    OutputError.
    """
    with results.only_run(out):
        began, documents = time.monotonic(), [load_shot(folder) for folder in shots]
        faces = load_faces(shots[0] / "faces.npz").faces
        check_fits(faces, plate.info)
        settings = documents[0].settings
        tracks = [track.id for document in documents for track in document.tracks]
        crops = run({"plate": plate, "found": faces}, settings, upto=ALIGN, tracks=tracks)["crops"]
        inputs = dict(documents[0].inputs)
        for number, document in enumerate(documents[1:], 2):
            inputs |= {f"{name}_{number}": item for name, item in document.inputs.items() if name != "plate"}
        materials = [
            each
            for document, shot in zip(documents, shots, strict=True)
            for each in still(document.provenance, shot, "Render it again")
        ]
        provenance = permit(materials, settings.swap, out)
        by = ready(out, given=settings.swap.project)
        key = key_of(shots=[digest_file(folder / DOCUMENT) for folder in shots], range=(first, last))
        folder = results.open_partial(out, key)
        shot_folder = ShotFolder(plate, first, last, settings, faces, crops, inputs, provenance, began, by)
        return write_shot(shot_folder, _merged(plate, shots, first, last), folder, out, progress)


def write_mattes(
    plate: Footage,
    out: Path,
    settings: Settings,
    first: int,
    last: int,
    *,
    roto: Footage | None = None,
    tracks: Sequence[int] = (),
    progress: Progress = quiet,
) -> int:
    """Write mattes alone, `matte/matte.NNNN.exr` of frames first..last (inclusive positions), into the folder `out`; returns how many show the subject.

    Frames without it get an empty matte. The same call resumes an interrupted run. Raises FootageError, NoFaceError, OutputError.
    """
    info = plate.info
    check_range(info, first, last)
    check_regions(load_subject(settings.detect.subject), settings.mask.regions)
    results.check_writable(out)
    with results.only_run(out):
        given = {"plate": plate, "roto": roto}
        values = run(given, settings, upto=MASK, tracks=tracks, first=first, last=last, progress=progress)
        key = key_of(
            plate=digest_footage(info.path),
            roto=None if roto is None else digest_footage(roto.info.path),
            range=(first, last),
            settings=settings.model_dump(mode="json", exclude={"swap"}),
            tracks=sorted(track.id for track in values["faces"].tracks),
            mask=digest_files(settings.mask),
            code=digest_code("nodes"),
        )
        folder = results.open_partial(out, key)
        report, visible = stage(progress, "mask", last - first + 1), 0
        for done, (frame, patch) in enumerate(in_plate(values["mattes"], plate).patches(plate.frames(first, last)), 1):
            file = frame_file(folder, "matte", info.first + frame.index)
            if not file.is_file():
                write_matte(file, patch.rgba[..., 3], patch.roi, info.width, info.height, whole=True)
            visible += not patch.roi.empty
            report(done)
        results.publish(folder, out)
        return visible


def as_written(patch: Patch) -> Patch:
    """Round a patch to the half floats of its file, so that plate and file give exactly the composite."""
    return patch if patch.roi.empty else Patch(patch.frame, patch.roi, half_rounded(patch.rgba))


def _check_roto(roto: FootageInfo, plate: FootageInfo, last: int) -> None:
    if (roto.width, roto.height) != (plate.width, plate.height) or roto.frames <= last:
        raise FootageError(
            f"is {roto.width}x{roto.height} with {counted(roto.frames, 'frame')}; the plate is {plate.width}x{plate.height} "
            f"and frame {plate.first + last} is its {last + 1}. one",
            file=roto.path,
            remedy="Give a matte that goes with the plate frame by frame, from its first one on",
        )


def _patches(
    plate: Footage, first: int, last: int, stream: PatchStream, folder: Path
) -> Iterator[tuple[Frame, Patch, bool]]:
    """Yield each frame with its patch as written and whether it is new: first those on disk, then new ones from Swap."""
    frames = plate.frames(first, last, prepare=Frame.rgb8)
    before: deque[Frame] = deque(maxlen=stream.lookahead)
    for frame in frames:
        patch = _kept(folder, plate.info.first + frame.index)
        if patch is None:
            rest: Iterable[Frame] = chain(tuple(before), (frame,), frames)
            for done, new in stream.patches(rest):
                if done.index >= frame.index:
                    yield done, as_written(new), True
            return
        before.append(frame)
        yield frame, patch, False


def _kept(folder: Path, number: int) -> Patch | None:
    patch = frame_file(folder, "patch", number)
    if patch.is_file() and frame_file(folder, "matte", number).is_file():
        with suppress(FootageError):  # cut off by a power failure, say
            return read_patch(patch)
    return None


def _merged(plate: Footage, shots: Sequence[Path], first: int, last: int) -> Iterator[tuple[Frame, Patch, bool]]:
    for frame in plate.frames(first, last, prepare=Frame.rgb8):
        number = plate.info.first + frame.index
        patches = [read_patch(frame_file(folder, "patch", number)) for folder in shots]
        yield frame, as_written(merge(patches, frame.index)), True
