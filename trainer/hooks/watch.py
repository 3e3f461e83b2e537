"""Notices facesets that change under a running training."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.errors import FaceplateError
from trainer.clock import Every
from trainer.faceset import Faceset
from trainer.loop import Hook, Loop


class Watch(Hook):
    """Looks every few seconds, and raises FaceplateError: what is learned from half-changed crops is worth nothing."""

    def __init__(self, facesets: Sequence[Faceset], seconds: float = 5.0) -> None:
        self._facesets, self._every = facesets, Every(seconds)

    def after_step(self, loop: Loop) -> None:
        """Look, if it is time."""
        if self._every.due:
            for faceset in self._facesets:
                if faceset.changed():
                    raise FaceplateError(
                        f"the faceset was changed while it was trained on, noticed after step {loop.step}; the last checkpoint is kept",
                        file=faceset.folder,
                        remedy="Go on from it with --resume once the faceset is complete",
                    )
