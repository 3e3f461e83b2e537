"""The document `faceplate.tracker/2`: the state of an analysis that is under way, so that it can go on later."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nodes.detect.track import ThreadState, TrackerState
from nodes.errors import SchemaError
from nodes.shot.faces_files import load_document, save_document

SCHEMA = "faceplate.tracker/2"  # version 1 had the luma at each landmark as well


def save_state(path: Path, state: TrackerState) -> None:
    """Write the state of a tracker; raises OutputError."""
    threads = state.threads
    header = {
        "schema": SCHEMA,
        "recent": list(state.recent),
        "last_detection": state.last_detection,
        "cuts": list(state.cuts),
        "lengths": [len(t.frames) for t in threads],
        "active": [t.active for t in threads],
    }
    arrays = {
        "frames": np.concatenate([t.frames for t in threads]) if threads else np.zeros(0, np.int64),
        "scores": np.concatenate([t.scores for t in threads]) if threads else np.zeros(0),
        "right": np.concatenate([t.right for t in threads]) if threads else np.zeros(0),
        "landmarks": np.concatenate([t.landmarks for t in threads]) if threads else np.zeros((0, 0, 3), np.float32),
    }
    save_document(path, header, arrays)


def load_state(path: Path) -> TrackerState:
    """Read the state of a tracker; raises SchemaError when there is none that can be used."""
    header, arrays = load_document(path, SCHEMA)
    try:
        if header["schema"] != SCHEMA:
            raise ValueError("of an earlier version")
        ends = np.cumsum(header["lengths"], dtype=np.int64)[:-1]
        parts = [np.split(arrays[name], ends) for name in ("frames", "scores", "right", "landmarks")]
        threads = tuple(
            ThreadState(frames, scores, right, landmarks, bool(active))
            for frames, scores, right, landmarks, active in zip(*parts, header["active"], strict=False)
        )
        recent, cuts = (tuple(map(int, header[name])) for name in ("recent", "cuts"))
        if not recent:
            raise ValueError("no frame to go on from")
        return TrackerState(recent, int(header["last_detection"]), cuts, threads)
    except (KeyError, TypeError, ValueError) as e:
        raise SchemaError("is damaged", file=path, remedy="Start the analysis again") from e
