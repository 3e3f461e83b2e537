"""Whether a training has come to its end already, so that there is nothing to do but to use its model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from trainer.checkpoint import Facts, checkpoints
from trainer.faceset import Faceset
from trainer.performers import roles
from trainer.settings import TrainSettings
from trainer.train import MODEL


def finished_model(folder: Path, settings: TrainSettings, facesets: Sequence[Faceset]) -> Path | None:
    """The ONNX file of a training on these facesets that has all the steps or the time that are asked for, and was exported.

    None when there is still something to do; so too for a training until a plateau, which only its losses can tell.
    """
    model, found = folder / MODEL, checkpoints(folder)
    try:
        facts = Facts.model_validate(json.loads(found[0].read_bytes()))
        exported = model.stat().st_mtime_ns >= found[0].stat().st_mtime_ns
    except (OSError, ValueError, IndexError, ValidationError):
        return None
    digests = dict(zip(roles(len(facesets)), (s.digest for s in facesets), strict=True))
    asked = facts.model == settings.model and facts.facesets == digests
    enough = settings.steps is not None and facts.step >= settings.steps
    enough |= settings.seconds is not None and facts.seconds >= settings.seconds
    return model if asked and exported and enough else None
