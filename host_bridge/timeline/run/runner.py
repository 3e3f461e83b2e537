"""The run itself: shot after shot, each recorded as soon as it stands, and none in the way of another."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from host_bridge.timeline import document
from host_bridge.timeline.consent import check_allowed, still_counts
from host_bridge.timeline.document import CastRecord, EditRecord, ErrorRecord, MediaRecord, ShotRecord, TimelineRun
from host_bridge.timeline.run.one import Done, do_shot, footing, key_of_shot
from host_bridge.timeline.run.order import in_order, wanted
from host_bridge.timeline.run.results import Folders, kept
from host_bridge.timeline.run.work import Footing, ShotWatch, Work
from host_bridge.timeline.shots.shot import Shot
from nodes.errors import FaceplateError
from nodes.files import only_one
from nodes.log import log_failure
from nodes.text import counted

_log = logging.getLogger(__name__)


def run_shots(work: Work, edit: EditRecord, shots: Sequence[Shot]) -> tuple[TimelineRun, dict[str, Done]]:
    """Train and swap all that is not done; the state as it is in the document, and by id what was done now.

    A shot that fails is recorded with its error. Raises OutputError where another run is at work in the folder or it cannot be
    written to, SchemaError for a state of a newer Faceplate, KeyboardInterrupt.
    """
    with only_one(work.out / ".timeline.lock", "run of a timeline", work.out):
        before = document.load(work.out) if document.document_path(work.out).exists() else None
        folders = Folders()
        todo = in_order(wanted(shots))
        begun = {shot.id: _begun(work, shot, before) for shot in todo}
        run = TimelineRun(
            edit=edit,
            performers={n: document.PerformerRecord(footage=f) for n, f in work.performers.items()},
            shots=tuple(begun[shot.id].record for shot in wanted(shots)),
        )
        document.save(work.out, run)
        folders.claim(run)
        waiting = [shot for shot in todo if begun[shot.id].record.state == "waiting"]
        _announce(work, run, waiting)
        together = _together(waiting, begun)
        done = {}
        for number, shot in enumerate(waiting, 1):
            watch, one = ShotWatch(work.watch, f"shot {number} of {len(waiting)}", shot.id), begun[shot.id]
            assert one.plate is not None
            told = None
            if same := kept(work.out, run, one.record.key):
                record = _as(same, one.record)
                watch.message(f"the same as {same.id}")
            else:
                folder, spans = folders.of(shot.id, one.record.key), together.pop(one.plate.digest, ())
                record, told = _tried(work, shot, one.record, spans, folder, watch)
            run = run.with_shot(record)
            document.save(work.out, run)
            if told:
                done[shot.id] = told
        return run, done


@dataclass(frozen=True, slots=True)
class _Begun:
    """A shot before the run has come to it. plate: None where it cannot be begun."""

    record: ShotRecord
    plate: Footing | None = None


def _begun(work: Work, shot: Shot, before: TimelineRun | None) -> _Begun:
    """The shot as done if an earlier run did the same, else as waiting, or as failed where it cannot even be begun."""
    record = _record(shot)
    old = next((s for s in before.shots if s.id == shot.id), None) if before else None
    try:
        plate = footing(shot, work.watch, work.settings.detect.layer)
        record = record.model_copy(update={"span": plate.span, "key": key_of_shot(work, shot, plate)})
        found = kept(work.out, before, record.key) if before else None
        old = found or old
        check_allowed(work, shot, plate)
    except FaceplateError as e:
        # Its media may only be away for now, or its consent: what was made before is not forgotten.
        stays = {"key": old.key, "model": old.model, "folder": old.folder} if old else {}
        return _Begun(_failed(record.model_copy(update=stays), e))
    if found and found.folder and still_counts(work, work.out / found.folder, plate, work.watch):
        record = _as(found, record)
    return _Begun(record, plate)


def _as(found: ShotRecord, record: ShotRecord) -> ShotRecord:
    """A shot that is done, since another one is just the same."""
    return record.model_copy(update={"state": "done", "model": found.model, "folder": found.folder})


def _together(shots: Sequence[Shot], begun: Mapping[str, _Begun]) -> dict[str, list[tuple[int, int]]]:
    """The spans that may be analysed together, by the media's digest: not those whose cast names tracks, which are of an analysis of their own."""
    found: dict[str, list[tuple[int, int]]] = {}
    for shot in shots:
        if (plate := begun[shot.id].plate) and not any(c.tracks for c in shot.cast):
            found.setdefault(plate.digest, []).append(plate.span)
    return found


def _record(shot: Shot) -> ShotRecord:
    media = shot.media
    path = None if media.path is None else media.path.absolute()
    return ShotRecord(
        id=shot.id,
        name=shot.name,
        where=shot.where,
        media=MediaRecord(url=media.url, path=path, rate=media.rate, start=media.start, frames=media.frames),
        span=shot.span,
        cast=tuple(CastRecord(target=c.target, source=c.source, tracks=c.tracks) for c in shot.cast),
    )


def _tried(
    work: Work, shot: Shot, record: ShotRecord, spans: Sequence[tuple[int, int]], folder: Path, watch: ShotWatch
) -> tuple[ShotRecord, Done | None]:
    """Do one shot; whatever is wrong with it is its own affair."""
    began = time.monotonic()
    who = " and ".join(f"{c.source} on {c.target}" for c in shot.cast)
    watch.message(f"{shot.name or shot.id}, {who}, {counted(shot.span[1] - shot.span[0] + 1, 'frame')}")
    try:
        done = do_shot(work, shot, spans, work.out / folder, watch)
    except FaceplateError as e:
        log_failure(_log, e)
        watch.message(f"failed: {e}")
        return _failed(record, e), None
    except Exception as e:  # ours to mend; meanwhile the other shots need not wait for that
        log_failure(_log, e)
        what = next(iter(str(e).splitlines()), "")
        return _failed(record, FaceplateError(f"internal error: {type(e).__name__}: {what}")), None
    watch.message(f"done in {time.monotonic() - began:.0f} s, {done.how}")
    model = done.model and done.model.relative_to(work.out)
    return record.model_copy(update={"state": "done", "folder": folder, "model": model}), done


def _failed(record: ShotRecord, error: FaceplateError) -> ShotRecord:
    where = f"{error.file}: " if error.file is not None else ""
    told = ErrorRecord(message=f"{where}{error.what}", remedy=error.remedy)
    return record.model_copy(update={"state": "failed", "error": told})


def _announce(work: Work, run: TimelineRun, waiting: Sequence[Shot]) -> None:
    counts: Mapping[str, int] = {s: sum(r.state == s for r in run.shots) for s in ("done", "failed")}
    said = [f"{len(waiting)} of {counted(len(run.shots), 'shot')} to do"]
    said += [f"{counts['done']} done before"] if counts["done"] else []
    said += [f"{counts['failed']} that cannot be begun"] if counts["failed"] else []
    work.watch.message(", ".join(said))
