"""How the shots of an edit are trained: what the trainer itself is told stands in `trainer.settings`. Nothing heavy is imported."""

from __future__ import annotations

from nodes.definitions import Method
from nodes.spec import Parameters, parameter
from trainer.settings import TrainSettings


class RunSettings(Parameters):
    """How the shots of an edit are done. A pair is a source and the target that it replaces."""

    method: Method = parameter(
        Method.MODEL, help="model: train a model for each pair; reference: train nothing, warp the source's own frames."
    )
    fine_tune: float = parameter(
        0.25,
        ge=0,
        le=1,
        unit="of the first shot's training",
        help="How long each further shot of a pair is trained, from the model of its first; 0 takes that as it is.",
    )


def tuned(settings: TrainSettings, share: float, seconds: float) -> TrainSettings:
    """Settings of a further shot's training. seconds: what the pair's first one took, the measure where no end by number is asked for."""
    changes: dict[str, float | int | None] = {}
    if settings.steps is not None:
        changes["steps"] = max(round(settings.steps * share), 1)
    if settings.seconds is not None:
        changes["minutes"] = settings.seconds / 60 * share
    elif settings.steps is None:
        changes["minutes"] = max(seconds / 60 * share, 1 / 60)
    return settings.model_copy(update=changes)
