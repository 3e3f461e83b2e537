"""The folders of finished shots: which are there already, and which are free."""

from __future__ import annotations

from pathlib import Path

from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.run.work import SHOTS
from nodes.parts import DOCUMENT


def kept(out: Path, run: TimelineRun, key: str) -> ShotRecord | None:
    """The shot of a run with the same key, whatever it is called in the edit, if its results are there."""
    found = (s for s in run.shots if s.key == key and s.folder is not None)
    return next((s for s in found if (out / (s.folder or "") / DOCUMENT).is_file()), None)


class Folders:
    """Gives each shot a folder named after it, unless another one's results, which are kept, stand there."""

    def __init__(self) -> None:
        self._taken: set[Path] = set()

    def claim(self, run: TimelineRun) -> None:
        """Leave alone what the shots of a run have."""
        self._taken |= {s.folder for s in run.shots if s.folder is not None}

    def of(self, id: str, key: str) -> Path:
        """The folder of a shot, from the run's own."""
        plain = Path(SHOTS) / id
        folder = plain.with_name(f"{id}-{key[:8]}") if plain in self._taken else plain
        self._taken.add(folder)
        return folder
