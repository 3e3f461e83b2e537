"""The models of a run: of each pair one that is trained in full on its first shot, and from that a short training for each further one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.jobs import train
from host_bridge.reporting import Watch
from host_bridge.timeline.consent import records_of
from host_bridge.timeline.run.facesets import of_source, of_target
from host_bridge.timeline.run.work import MODELS, Footing, Work, file_name
from host_bridge.timeline.shots.shot import Casting
from nodes.cache import key_of
from nodes.files import whole_file
from trainer.faceset import Faceset
from trainer.settings import TrainSettings
from trainer.train import MODEL

SCHEMA = "faceplate.timeline-training/1"
NEW, FURTHER, AS_IT_IS = "a new model", "the model of an earlier shot, trained further", "the model of an earlier shot"
_MARK = "finished.json"


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, and how it came about for this shot. took: what its training told, if it was trained now."""

    file: Path
    how: str
    took: dict[str, Any] | None = None


def model_for(work: Work, casting: Casting, plate: Footing, watch: Watch) -> Model:
    """Train, go on, or take what is finished. Raises FaceplateError, and KeyboardInterrupt when it is stopped."""
    asked = work.train
    built = key_of(**asked.model_dump(mode="json", include={"model", "size", "batch", "learning_rate", "seed", "base"}))
    home = work.out / MODELS / f"{file_name(casting.source)} on {file_name(casting.target)}"
    base = home / f"base-{built[:8]}"
    source, mark = of_source(work, casting.source, watch), _finished(base, asked)
    share = work.run.fine_tune
    if mark and not share:
        return Model(base / MODEL, AS_IT_IS)
    target = of_target(work, casting, plate, watch)
    if mark is None:
        return Model(base / MODEL, NEW, _trained(work, base, asked, source, target, watch))
    if mark["facesets"] == [source.digest, target.digest]:
        return Model(base / MODEL, NEW)
    settings = _tuned(asked, share, mark["result"]["seconds"]).model_copy(update={"base": base})
    folder = home / f"{key_of(facesets=[source.digest, target.digest])[:8]}-{built[:8]}"
    took = None if _finished(folder, settings) else _trained(work, folder, settings, source, target, watch)
    return Model(folder / MODEL, FURTHER, took)


def _trained(
    work: Work, folder: Path, settings: TrainSettings, source: Faceset, target: Faceset, watch: Watch
) -> dict[str, Any]:
    """Train in a folder, or go on there, and leave the mark that it is finished."""
    (folder / _MARK).unlink(missing_ok=True)
    sets = source.folder, target.folder
    request = train.TrainRequest(facesets=sets, out=folder, train=settings, consent=records_of(work))
    told = train.train_model(train.resumed(request), watch).model_dump(mode="json")
    if told["reason"].startswith("stopped by"):
        raise KeyboardInterrupt(told["reason"])
    mark = {
        "schema": SCHEMA,
        "asked": _ends(settings),
        "facesets": [source.digest, target.digest],
        "result": told,
    }
    with whole_file(folder / _MARK) as temporary:
        temporary.write_text(json.dumps(mark, indent=1, default=str) + "\n", "utf-8")
    return told


def _finished(folder: Path, settings: TrainSettings) -> dict[str, Any] | None:
    """What the mark says of a training that came to the end that is asked for; None when there is something left to do."""
    try:
        mark: dict[str, Any] = json.loads((folder / _MARK).read_bytes())
        sound = mark["schema"] == SCHEMA and mark["asked"] == _ends(settings) and (folder / MODEL).is_file()
        return mark if sound and len(mark["facesets"]) == 2 and float(mark["result"]["seconds"]) >= 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ends(settings: TrainSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", include={"steps", "minutes", "until"})


def _tuned(settings: TrainSettings, share: float, seconds: float) -> TrainSettings:
    """Settings of a further shot's training. seconds: what the pair's first one took, the measure where no end by number is asked for."""
    changes: dict[str, float | int | None] = {}
    if settings.steps is not None:
        changes["steps"] = max(round(settings.steps * share), 1)
    if settings.seconds is not None:
        changes["minutes"] = settings.seconds / 60 * share
    elif settings.steps is None:
        changes["minutes"] = max(seconds / 60 * share, 1 / 60)
    return settings.model_copy(update=changes)
