"""What the records of consent say of a shot before a run: what it would be refused for, and whether what is done already still counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.run.consent import check_allowed, still_counts
from host_bridge.timeline.run.work import Footing, Work, digest_of
from host_bridge.timeline.settings import RunSettings
from host_bridge.timeline.shots.shot import Shot
from nodes.definitions import Settings
from nodes.errors import ConsentError, FaceplateError
from trainer.settings import TrainSettings


class Consent:
    """The records around an edit's run in the folder `out`, as a run of today asks them. performers: footage of each whose face is put in."""

    def __init__(self, performers: Mapping[str, Sequence[Path]], out: Path) -> None:
        told = {name: tuple(footage) for name, footage in performers.items()}
        self._work = Work(out, told, RunSettings(), TrainSettings(), Settings(), Watch())
        self._refused: dict[object, str | None] = {}

    def refusal(self, shot: Shot) -> str | None:
        """Why a shot may not be made, and what to do; None where nothing forbids it, or its footage is not there to tell."""
        # All records are read and their signatures checked each time one asks; many shots of an edit ask the same.
        pair = shot.media.path, tuple((c.target, c.source) for c in shot.cast)
        if pair not in self._refused:
            self._refused[pair] = self._refusal(shot)
        return self._refused[pair]

    def counts(self, shot: Shot, folder: Path) -> bool:
        """Whether a result that was made before may still be used; a run makes it anew otherwise."""
        try:
            return still_counts(self._work, folder, _plate(shot), self._work.watch)
        except FaceplateError:  # the plate cannot be read; that is another problem
            return True

    def _refusal(self, shot: Shot) -> str | None:
        try:
            check_allowed(self._work, shot, _plate(shot))
        except ConsentError as e:
            return str(e)
        except (FaceplateError, KeyError, IndexError):
            return None
        return None


def _plate(shot: Shot) -> Footing:
    assert shot.media.path is not None
    return Footing(shot.media.path, digest_of(shot.media.path), "", shot.span, "")
