"""Find the faces of footage once: results are kept by the content of the footage and the parameters that matter."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.detect.track import Tracker, TrackerState
from nodes.errors import OutputError, SchemaError
from nodes.footage import Footage
from nodes.runtime import read_manifest
from nodes.shot.cache import cache_folder, keep_within, limit
from nodes.shot.digest import digest_code, digest_footage, key_of
from nodes.shot.faces_files import SCHEMA, load_faces, save_faces
from nodes.shot.progress import Progress, quiet, stage
from nodes.shot.tracker_files import load_state, save_state
from nodes.subjects import load_subject
from nodes.types import Faces

CHECKPOINT_SECONDS = 15.0


def analyse(
    footage: Footage,
    parameters: DetectParameters | None = None,
    first: int = 0,
    last: int | None = None,
    progress: Progress = quiet,
    name: str = "detect",
) -> Faces:
    """Find and follow the faces of frames first..last (inclusive), or return what was found in the same frames before.

    An analysis that was interrupted goes on from its last checkpoint. A cache that cannot be read or written is no error.
    Raises FootageError, as `detect` does.
    """
    parameters = parameters or DetectParameters()
    info = footage.info
    last = info.frames - 1 if last is None else last
    key = key_of(
        footage=digest_footage(info.path),
        rate=info.rate,
        range=(first, last),
        parameters=parameters.model_dump(mode="json"),
        subject=load_subject(parameters.subject).digest,
        schema=SCHEMA,
        weights={name: model["sha256"] for name, model in read_manifest().items()},
        code=digest_code("nodes.detect", "nodes.geometry", "nodes.footage"),
    )
    kept = cache_folder() / "faces" / f"{key}.npz"
    tell = stage(progress, name, last - first + 1)
    with suppress(SchemaError):
        faces = load_faces(kept).faces
        with suppress(OSError):
            kept.touch()  # the oldest are dropped first
        tell(last - first + 1)
        return faces
    checkpoint = _Checkpoint(kept.with_suffix(".part.npz"))
    faces = detect(footage, parameters, first, last, tell, checkpoint)
    with suppress(OutputError):
        save_faces(kept, faces)
    checkpoint.discard()
    keep_within(limit())
    return faces


@dataclass
class _Checkpoint:
    """Keeps a tracker's state beside the result to come, so that an interrupted analysis does not start over."""

    path: Path
    last: float = 0.0

    def load(self) -> TrackerState | None:
        self.last = time.monotonic()
        try:
            return load_state(self.path)
        except SchemaError:
            return None

    def offer(self, tracker: Tracker) -> None:
        if time.monotonic() - self.last >= CHECKPOINT_SECONDS:
            with suppress(OutputError):
                save_state(self.path, tracker.state())
            self.last = time.monotonic()

    def discard(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
