"""The run itself: one shot after another, each recorded as soon as it is done; a failure does not stop the others."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from host_bridge.timeline.cast_edit import CastEdit
from host_bridge.timeline.consent import check_allowed, still_counts
from host_bridge.timeline.document import (
    EditRecord,
    ErrorRecord,
    PerformerFootage,
    RunResult,
    ShotRecord,
    ShotResult,
    TimelineRun,
    document_path,
    load,
    save,
)
from host_bridge.timeline.run.context import SHOTS, RunContext, ShotWatch
from host_bridge.timeline.run.shot import do_shot, key_of_shot, plate_range
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.shot import Shot
from nodes.errors import FaceplateError
from nodes.files import only_one
from nodes.log import log_failure
from nodes.parts import DOCUMENT
from nodes.report.document import Report
from nodes.text import counted

_log = logging.getLogger(__name__)
_FRAMES = 3  # of a shot that the result lists as worth a look


def cast_shots(shots: Iterable[Shot]) -> list[Shot]:
    """Return the enabled shots with a cast."""
    return [shot for shot in shots if shot.cast and shot.enabled]


def in_order(shots: Iterable[Shot]) -> list[Shot]:
    """Sort shots by pair, in the edit's order, and within a pair the longest first.

    The other shots of a pair then start from the model with the most training data.
    """

    def pair(shot: Shot) -> tuple[str, str]:
        return shot.cast[0].source, shot.cast[0].target

    shots = list(shots)
    first: dict[tuple[str, str], int] = {}
    for number, shot in enumerate(shots):
        first.setdefault(pair(shot), number)
    return sorted(shots, key=lambda shot: (first[pair(shot)], shot.span[0] - shot.span[1]))


def run_shots(context: RunContext, cast_edit: CastEdit) -> RunResult:
    """Train and swap all unfinished shots. A shot that fails is recorded with its error.

    Raises FaceplateError if no shot has a cast, OutputError if another run uses the folder or it cannot be written, SchemaError for
    a state of a newer Faceplate, KeyboardInterrupt.
    """
    edit, shots, out = cast_edit.edit, cast_shots(cast_edit.shots), context.out
    if not shots:
        raise FaceplateError(
            f"has {counted(len(cast_edit.shots), 'shot')}, and nobody is said to be replaced in any that is seen",
            file=edit.path,
            remedy="Say whose face is put in with --source FOOTAGE, with a cast file, or with markers: FACE target=NAME source=NAME",
        )
    origins: dict[str, str] = {}  # of the models, by the shots that this run does
    with only_one(out / ".timeline.lock", "run of a timeline", out):
        before = load(out) if document_path(out).exists() else None
        records = {shot.id: _initial_record(context, shot, before) for shot in in_order(shots)}
        run = TimelineRun(
            edit=EditRecord(path=edit.path, digest=edit.digest, rate=sequence_rate(edit.timeline)),
            performers={n: PerformerFootage(footage=f) for n, f in context.performers.items()},
            shots=tuple(records[shot.id] for shot in shots),
        )
        save(out, run)
        folders = {s.folder for s in run.shots if s.folder is not None}
        waiting = [shot for shot in in_order(shots) if records[shot.id].state == "waiting"]
        _announce(context, run)
        together: dict[Path | None, list[tuple[int, int]]] = {}  # spans to analyse together, by their media
        for shot in waiting:
            if not any(c.tracks for c in shot.cast):  # chosen tracks need an analysis of their own
                together.setdefault(shot.media.path, []).append(records[shot.id].span)
        for number, shot in enumerate(waiting, 1):
            record, watch = records[shot.id], ShotWatch(context.watch, f"shot {number} of {len(waiting)}", shot.id)
            if same := _finished_with(out, run, record.key):
                record = _done_as(same, record)
                watch.message(f"the same as {same.id}")
            else:
                folder = Path(SHOTS) / shot.id
                if folder in folders:  # it holds another shot's results, which are kept
                    folder = folder.with_name(f"{shot.id}-{record.key[:8]}")
                folders.add(folder)
                record, model = _try_shot(context, shot, record, together.pop(shot.media.path, ()), folder, watch)
                origins |= {shot.id: model} if model else {}
            run = run.with_shot(record)
            save(out, run)
    notes = {shot.id: list(shot.notes) for shot in cast_edit.shots}
    return RunResult(
        document=document_path(out),
        notes=list(edit.notes),
        shots=[_result(shot, origins.get(shot.id), out, notes[shot.id]) for shot in run.shots],
        done=sum(shot.state == "done" for shot in run.shots),
        failed=sum(shot.state == "failed" for shot in run.shots),
    )


def _initial_record(context: RunContext, shot: Shot, before: TimelineRun | None) -> ShotRecord:
    """Return the shot as done if an earlier run did it, as failed if it cannot begin, else as waiting."""
    path = None if shot.media.path is None else shot.media.path.absolute()
    media = replace(shot.media, path=path)
    record = ShotRecord(id=shot.id, name=shot.name, where=shot.where, media=media, span=shot.span, cast=shot.cast)
    old = next((s for s in before.shots if s.id == shot.id), None) if before else None
    try:
        plate = plate_range(shot, context.watch, context.settings.detect.layer)
        record = record.model_copy(update={"span": plate.span, "key": key_of_shot(context, shot, plate)})
        finished = _finished_with(context.out, before, record.key) if before else None
        old = finished or old
        check_allowed(context, shot, plate)
    except FaceplateError as e:
        # Its media or its consent may be missing only for now: keep the earlier result on record.
        earlier = {"key": old.key, "model": old.model, "folder": old.folder} if old else {}
        return _failed(record.model_copy(update=earlier), e)
    if finished and finished.folder and still_counts(context, context.out / finished.folder, plate, context.watch):
        record = _done_as(finished, record)
    return record


def _finished_with(out: Path, run: TimelineRun, key: str) -> ShotRecord | None:
    """Return the shot of a run with the same key, under any id, if its results exist."""
    same = (s for s in run.shots if s.key == key and s.folder is not None)
    return next((s for s in same if (out / (s.folder or "") / DOCUMENT).is_file()), None)


def _done_as(same: ShotRecord, record: ShotRecord) -> ShotRecord:
    """Return a shot as done, with the results of an identical one."""
    return record.model_copy(update={"state": "done", "model": same.model, "folder": same.folder})


def _try_shot(
    context: RunContext,
    shot: Shot,
    record: ShotRecord,
    spans: Sequence[tuple[int, int]],
    folder: Path,
    watch: ShotWatch,
) -> tuple[ShotRecord, str | None]:
    """Do one shot; return its record and the origin of its model. Any error is recorded, not raised."""
    began = time.monotonic()
    who = " and ".join(f"{c.source} on {c.target}" for c in shot.cast)
    watch.message(f"{shot.name or shot.id}, {who}, {counted(shot.span[1] - shot.span[0] + 1, 'frame')}")
    try:
        finished = do_shot(context, shot, spans, context.out / folder, watch)
    except FaceplateError as e:
        log_failure(_log, e)
        watch.message(f"failed: {e}")
        return _failed(record, e), None
    except Exception as e:  # our own bug; the other shots go on
        log_failure(_log, e)
        what = next(iter(str(e).splitlines()), "")
        return _failed(record, FaceplateError(f"internal error: {type(e).__name__}: {what}")), None
    watch.message(f"done in {time.monotonic() - began:.0f} s, {finished.how}")
    model = finished.model and finished.model.relative_to(context.out)
    return record.model_copy(update={"state": "done", "folder": folder, "model": model}), finished.how


def _failed(record: ShotRecord, error: FaceplateError) -> ShotRecord:
    where = f"{error.file}: " if error.file is not None else ""
    fault = ErrorRecord(message=f"{where}{error.what}", remedy=error.remedy)
    return record.model_copy(update={"state": "failed", "error": fault})


def _announce(context: RunContext, run: TimelineRun) -> None:
    counts = Counter(shot.state for shot in run.shots)
    parts = [f"{counts['waiting']} of {counted(len(run.shots), 'shot')} to do"]
    parts += [f"{counts['done']} done before"] if counts["done"] else []
    parts += [f"{counts['failed']} that cannot be begun"] if counts["failed"] else []
    context.watch.message(", ".join(parts))


def _result(shot: ShotRecord, how: str | None, out: Path, notes: list[str]) -> ShotResult:
    report = None
    if shot.folder is not None:
        with suppress(OSError, ValueError):  # an older report, or a failed shot
            report = Report.model_validate_json((out / shot.folder / "report.json").read_bytes())
    return ShotResult(
        id=shot.id,
        name=shot.name,
        cast=shot.cast,
        frames=shot.span[1] - shot.span[0] + 1,
        state=shot.state,
        now=how is not None,
        how=how,
        folder=None if shot.folder is None else out / shot.folder,
        verdict=report.verdict if report else None,
        summary=report.summary if report else None,
        look_first=report.look_first[:_FRAMES] if report else [],
        error=shot.error,
        notes=notes,
    )
