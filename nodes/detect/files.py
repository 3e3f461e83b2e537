"""The documents `faceplate.faces/2` and `faceplate.tracker/2`: tracks, and an analysis under way, as one .npz each.

`header` is UTF-8 JSON. Of faces: schema, size, rate, range, cuts, subject, the id and length of each track and, when known, the
footage. The other arrays hold all tracks end to end: frames int64 [N], boxes float32 [N, 4], scores [N] and landmarks
[N, L, 3]. Version 1 had faces of 468 landmarks, without irises, and the luma at each landmark.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nodes.detect.track import TrackerState
from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file
from nodes.types import Faces, Track

FACES = "faceplate.faces/2"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class FacesFile:
    """Faces, and the path of the footage they were found in, as it was given; None if unknown."""

    faces: Faces
    footage: Path | None = None


def save_faces(path: Path | str, faces: Faces, footage: Path | None = None) -> None:
    """Write faces to `path`; raises OutputError."""
    tracks = faces.tracks
    header = {
        "schema": FACES,
        "width": faces.width,
        "height": faces.height,
        "rate": str(faces.rate),
        "first": faces.first,
        "count": faces.count,
        "cuts": list(faces.cuts),
        "subject": faces.subject,
        "tracks": [{"id": t.id, "length": len(t), "mirrored": t.mirrored} for t in tracks],
        "footage": None if footage is None else str(footage),
    }
    empty: Arrays = {
        "frames": np.zeros(0, np.int64),
        "boxes": np.zeros((0, 4), np.float32),
        "scores": np.zeros(0, np.float32),
        "landmarks": np.zeros((0, 0, 3), np.float32),
    }
    arrays = {name: np.concatenate([getattr(t, name) for t in tracks]) if tracks else empty[name] for name in empty}
    save_arrays(path, header, arrays)


def load_faces(path: Path | str) -> FacesFile:
    """Read faces; raises SchemaError for a file that is missing, damaged, of another kind or newer, or without irises."""
    header, arrays = load_arrays(path, FACES)
    if check_schema(header["schema"], FACES, path) == 1 and header.get("subject", "face") == "face":
        raise SchemaError(
            "holds faces without irises, as an earlier Faceplate found them",
            file=path,
            remedy="Find the faces again, or render the shot again",
        )
    try:
        ends = np.cumsum([t["length"] for t in header["tracks"]], dtype=np.int64)
        kinds = {"frames": np.int64, "boxes": np.float32, "scores": np.float32, "landmarks": np.float32}
        parts = [np.split(arrays[name].astype(kind, copy=False), ends[:-1]) for name, kind in kinds.items()]
        tracks = tuple(
            Track(int(t["id"]), frames, boxes, scores, landmarks, bool(t.get("mirrored")))
            for t, frames, boxes, scores, landmarks in zip(header["tracks"], *parts, strict=False)
        )
        faces = Faces(
            int(header["width"]),
            int(header["height"]),
            Fraction(header["rate"]),
            int(header["first"]),
            int(header["count"]),
            tuple(int(c) for c in header["cuts"]),
            tracks,
            str(header.get("subject", "face")),
        )
        if not all(_sound(t, faces) for t in tracks):
            raise ValueError("tracks do not fit the range")
        footage = header.get("footage")
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError) as e:
        raise _damaged(path) from e
    return FacesFile(faces, Path(footage) if footage else None)


def save_arrays(path: Path | str, header: dict[str, Any], arrays: Arrays) -> None:
    """Write a JSON header and arrays as one .npz; raises OutputError."""
    text = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8)
    with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, header=text, **cast(Any, arrays))


def load_arrays(path: Path | str, schema: str) -> tuple[dict[str, Any], Arrays]:
    """Read what :func:`save_arrays` wrote; raises SchemaError for a file that is missing, damaged, of another kind, or newer."""
    try:
        with np.load(Path(path), allow_pickle=False) as document:
            arrays: Arrays = {name: document[name] for name in document.files}
        header: dict[str, Any] = json.loads(arrays.pop("header").tobytes())
        written = header["schema"]
    except FileNotFoundError as e:
        raise SchemaError("does not exist", file=path, remedy="Check the path") from e
    except OSError as e:
        raise SchemaError(f"cannot be read ({e.strerror or e})", file=path, remedy="Check the path") from e
    except (KeyError, TypeError, ValueError, AttributeError, EOFError, zipfile.BadZipFile, NotImplementedError) as e:
        raise _damaged(path) from e
    check_schema(written, schema, path)
    return header, arrays


def _sound(track: Track, faces: Faces) -> bool:
    n = len(track.frames)
    return (
        n > 0
        and track.boxes.shape == (n, 4)
        and track.scores.shape == (n,)
        and track.landmarks.shape == (n, track.landmarks.shape[1], 3)
        and bool((np.diff(track.frames) == 1).all())
        and faces.first <= track.frames[0]
        and track.frames[-1] < faces.first + faces.count
        and bool(np.isfinite(track.landmarks).all())
    )


def _damaged(path: Path | str) -> SchemaError:
    return SchemaError("is damaged, or no document of Faceplate", file=path, remedy="Make it again")


TRACKER = "faceplate.tracker/2"  # version 1 had the luma at each landmark as well


_STATE_ARRAYS = ("frames", "scores", "right", "landmarks")


def save_state(path: Path, state: TrackerState) -> None:
    """Write the state of a tracker; raises OutputError."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    arrays = {name: fields.pop(name) for name in _STATE_ARRAYS}
    save_arrays(path, {"schema": TRACKER, **fields}, arrays)


def load_state(path: Path) -> TrackerState:
    """Read the state of a tracker; raises SchemaError for a missing or unusable one."""
    header, arrays = load_arrays(path, TRACKER)
    try:
        if header.pop("schema") != TRACKER:
            raise ValueError("of an earlier version")
        lists: dict[str, Any] = {name: tuple(header.pop(name)) for name in ("recent", "cuts", "lengths", "active")}
        state = TrackerState(**{**header, **lists, **arrays})
        if not state.recent or sum(state.lengths) != len(state.frames):
            raise ValueError("no frame to go on from, or tracks that are cut off")
        return state
    except (KeyError, TypeError, ValueError) as e:
        raise SchemaError("is damaged", file=path, remedy="Start the analysis again") from e
