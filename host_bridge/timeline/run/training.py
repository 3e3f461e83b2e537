"""Facesets and models of a run. Each pair's model is trained in full on its first shot, then briefly for each further one.

Each faceset lies in a folder named after a key of its inputs; a finished training leaves a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from host_bridge.reporting import Watch
from host_bridge.timeline.consent import records_of, source_of, target_of
from host_bridge.timeline.document import MARK, TrainingMark, TrainingResult, read_mark
from host_bridge.timeline.run.context import FACESETS, MODELS, PlateRange, RunContext, file_name
from host_bridge.timeline.shots.shot import Casting
from nodes.cache import digest_footage, key_of
from nodes.errors import FaceplateError
from nodes.files import whole_file
from nodes.footage.footage import open_beside, open_footage
from trainer.checkpoint import checkpoints
from trainer.faceset import Faceset, open_faceset
from trainer.faceset.build import build_faceset
from trainer.faceset.parameters import FacesetParameters
from trainer.settings import TrainSettings
from trainer.train import MODEL, train

NEW, FURTHER, AS_IT_IS = "a new model", "the model of an earlier shot, trained further", "the model of an earlier shot"


def model_for(context: RunContext, casting: Casting, plate: PlateRange, watch: Watch) -> tuple[Path, str]:
    """Train, resume, or reuse a model; return it and its origin. Raises FaceplateError, and KeyboardInterrupt when stopped."""
    settings = context.train
    built = key_of(
        **settings.model_dump(mode="json", include={"model", "size", "batch", "learning_rate", "seed", "base"})
    )
    home = context.out / MODELS / f"{file_name(casting.source)} on {file_name(casting.target)}"
    base = home / f"base-{built[:8]}"
    source = _faceset(context, casting.source, source_of(context, casting.source), watch)
    mark = _finished(base, settings)
    if mark and not context.run.fine_tune:
        return base / MODEL, AS_IT_IS
    target = _faceset(context, casting.target, target_of(context, casting, plate), watch, plate, casting.tracks)
    if mark is None:
        _train(context, base, settings, source, target, watch)
    if mark is None or mark.facesets == (source.digest, target.digest):
        return base / MODEL, NEW
    settings = _tuned(settings, context.run.fine_tune, mark.result.seconds).model_copy(update={"base": base})
    folder = home / f"{key_of(facesets=[source.digest, target.digest])[:8]}-{built[:8]}"
    if not _finished(folder, settings):
        _train(context, folder, settings, source, target, watch)
    return folder / MODEL, FURTHER


def _train(
    context: RunContext, folder: Path, settings: TrainSettings, source: Faceset, target: Faceset, watch: Watch
) -> None:
    """Train or resume in a folder, and write the mark of a finished training."""
    (folder / MARK).unlink(missing_ok=True)
    trained = train(
        [source, target],
        folder,
        settings,
        watch,
        resume=bool(checkpoints(folder)),
        consent=records_of(context),
    )
    if trained.reason.startswith("stopped by"):
        raise KeyboardInterrupt(trained.reason)
    result = TrainingResult(
        steps=trained.step, seconds=round(trained.seconds, 1), reason=trained.reason, loss=trained.loss
    )
    mark = TrainingMark(asked=_ends(settings), facesets=(source.digest, target.digest), result=result)
    with whole_file(folder / MARK) as temporary:
        temporary.write_text(mark.model_dump_json(indent=1) + "\n", "utf-8")


def _finished(folder: Path, settings: TrainSettings) -> TrainingMark | None:
    """Read the mark of a training that reached the requested end; None if it is unfinished."""
    mark = read_mark(folder / MARK)
    return mark if mark and mark.asked == _ends(settings) and (folder / MODEL).is_file() else None


def _ends(settings: TrainSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", include={"steps", "minutes", "until"})


def _tuned(settings: TrainSettings, share: float, seconds: float) -> TrainSettings:
    """Return settings of a further shot's training. seconds: of the pair's first one, used if neither steps nor minutes are set."""
    changes: dict[str, float | int | None] = {}
    if settings.steps is not None:
        changes["steps"] = max(round(settings.steps * share), 1)
    if settings.seconds is not None:
        changes["minutes"] = settings.seconds / 60 * share
    elif settings.steps is None:
        changes["minutes"] = max(seconds / 60 * share, 1 / 60)
    return settings.model_copy(update=changes)


def _faceset(
    context: RunContext,
    performer: str,
    who: str,
    watch: Watch,
    plate: PlateRange | None = None,
    tracks: Sequence[int] = (),
) -> Faceset:
    """Open a faceset, or build it if it is missing or damaged. Raises FaceplateError.

    who: the performer in the consent records. plate: build it from a shot's frames with their handles; without one,
    from all footage that the cast names.
    """
    clips = [plate.path] if plate else context.performers[performer]
    digests = [plate.digest] if plate else [digest_footage(path) for path in clips]
    detect, rate = context.settings.detect, plate.rate if plate else None
    parameters = FacesetParameters(size=max(context.train.size or 0, FacesetParameters().size))
    key = key_of(
        made_from=digests,
        performer=performer,
        rate=rate,
        ranges=[] if plate is None else [plate.range],
        tracks=list(tracks),
        faceset=parameters.model_dump(mode="json"),
        detect=detect.model_dump(mode="json"),
    )
    folder = context.out / FACESETS / f"{file_name(performer)}-{key[:8]}"
    try:
        return open_faceset(folder)
    except FaceplateError:
        with ExitStack() as stack:
            footage = [
                stack.enter_context(open_(path, rate=Fraction(rate) if rate else None, layer=detect.layer))
                for path, open_ in zip(clips, (open_footage, *[open_beside] * len(clips)), strict=False)
            ]
            build_faceset(
                footage,
                folder,
                performer,
                parameters,
                watch.progress,
                detect,
                None if plate is None else [plate.span],
                tracks=tracks,
                consent=records_of(context),
                named=who,
            )
        watch.preview(folder / "sheet.png")
        return open_faceset(folder)
