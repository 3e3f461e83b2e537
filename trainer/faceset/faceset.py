"""A faceset on disk: `faceset.json`, arrays that are memory-mapped, and `entries.npz` with a few numbers a crop."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodes.consent.provenance import Provenance
from nodes.consent.provenance import read_document as provenance_of
from nodes.errors import FootageError, SchemaError
from nodes.files import check_schema
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Float, Image8, Int

SCHEMA = "faceplate.faceset/2"  # version 1 had `tones.npy` as well, the luma at each landmark
DOCUMENT, ENTRIES = "faceset.json", "entries.npz"
FILES = ("crops.npy", "masks.npy", "landmarks.npy", ENTRIES)
_MAKE = "Make the faceset again with faceplate faceset"
# name → type and shape of one crop's entry
_ENTRIES: dict[str, tuple[str, tuple[int, ...]]] = {
    "clip": ("i8", ()),
    "frame": ("i8", ()),
    "track": ("i8", ()),
    "to_plate": ("f4", (2, 3)),
    "yaw_pitch": ("f4", (2,)),
    "sharpness": ("f4", ()),
    "score": ("f4", ()),
}


@dataclass(frozen=True, eq=False)
class Faceset:
    """The usable crops of one performer, N of them, in the order of clips and frames.

    crops: uint8 [N, S, S, 3], display-referred RGB. masks: uint8 [N, S, S], coverage of the face. landmarks: float32
    [N, L, 3] in crop pixels, smoothed over the clip, z in the same scale. These three are memory-mapped, read-only. clip: [N], number of the clip in `clips`. frame: [N], position in it. track: [N].
    to_plate: [N, 2, 3]. yaw_pitch: [N, 2], degrees. sharpness: [N], comparable within one clip. score: [N]. rates: frames a
    second, of each clip. digest: of all that training depends on; independent of its folder. provenance: None if the document has none.
    """

    folder: Path
    performer: str
    subject: Subject
    template: str
    coverage: float
    size: int
    clips: tuple[str, ...]
    rates: tuple[float, ...]
    crops: Image8
    masks: Image8
    landmarks: Float
    clip: Int
    frame: Int
    track: Int
    to_plate: Float
    yaw_pitch: Float
    sharpness: Float
    score: Float
    digest: str
    provenance: Provenance | None = None

    def __len__(self) -> int:
        return len(self.crops)


def read_document(folder: Path | str) -> dict[str, Any]:
    """Read `faceset.json`: parameters, clips and counts of a faceset; errors as of :func:`open_faceset`."""
    path = Path(folder) / DOCUMENT
    try:
        document = json.loads(path.read_bytes())
        check_schema(document["schema"], SCHEMA, path)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise FootageError(
            "holds no faceset", file=folder, remedy="Make one with faceplate faceset CLIP --performer NAME --out DIR"
        ) from e
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError(f"is damaged ({e})", file=path, remedy=_MAKE) from e
    return dict(document)


def open_faceset(folder: Path | str) -> Faceset:
    """Open a faceset without reading its pixels. Raises SchemaError when it is damaged or newer, FootageError when there is none."""
    folder = Path(folder)
    document = read_document(folder)
    try:
        sizes = {name: int(document["files"][name]["bytes"]) for name in FILES}
        count, size, clips = int(document["count"]), int(document["size"]), document["clips"]
        points = int(document["landmarks"])
        facts: dict[str, Any] = {
            "performer": str(document["performer"]),
            "subject": load_subject(str(document["subject"])),
            "template": str(document["template"]),
            "coverage": float(document["coverage"]),
            "clips": tuple(str(c["path"]) for c in clips),
            "rates": tuple(float(c["rate"]) for c in clips),
            "provenance": provenance_of(document),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise SchemaError(f"is damaged ({type(e).__name__}: {e})", file=folder / DOCUMENT, remedy=_MAKE) from e
    if points != len(facts["subject"].template):
        raise SchemaError(
            f"holds {points} landmarks a face, and the subject '{facts['subject'].name}' now has "
            f"{len(facts['subject'].template)}",
            file=folder / DOCUMENT,
            remedy=_MAKE,
        )
    shapes = {
        "crops": ("u1", (count, size, size, 3)),
        "masks": ("u1", (count, size, size)),
        "landmarks": ("f4", (count, points, 3)),
    }
    for name, expected in sizes.items():
        try:
            actual = (folder / name).stat().st_size
        except OSError as e:
            raise SchemaError("is missing", file=folder / name, remedy=_MAKE) from e
        if actual != expected:
            raise SchemaError(f"is damaged: {actual} bytes instead of {expected}", file=folder / name, remedy=_MAKE)
    arrays = {name: _map_array(folder / f"{name}.npy", *like) for name, like in shapes.items()}
    arrays |= _entries(folder / ENTRIES, count, len(clips))
    return Faceset(folder, size=size, digest=digest_of(document), **facts, **arrays)


def digest_of(document: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of all that training depends on, from the digests in the document."""
    parts = [document[key] for key in ("schema", "subject", "template", "coverage", "size")]
    parts += [(name, facts["sha256"]) for name, facts in sorted(document["files"].items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _map_array(path: Path, kind: str, shape: tuple[int, ...]) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise SchemaError(f"is damaged ({e})", file=path, remedy=_MAKE) from e
    _compare(array, kind, shape, path)
    return array


def _entries(path: Path, count: int, clips: int) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in _ENTRIES}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as e:
        raise SchemaError(f"is damaged ({e})", file=path, remedy=_MAKE) from e
    for name, (kind, shape) in _ENTRIES.items():
        _compare(arrays[name], kind, (count, *shape), path)
    if count and not 0 <= arrays["clip"].min() <= arrays["clip"].max() < clips:
        raise SchemaError("is damaged: names a clip that is not there", file=path, remedy=_MAKE)
    return arrays


def _compare(array: Any, kind: str, shape: tuple[int, ...], path: Path) -> None:
    if array.shape != shape or array.dtype != np.dtype(kind):
        raise SchemaError(
            f"is damaged: holds {array.dtype} {array.shape} instead of {np.dtype(kind)} {shape}",
            file=path,
            remedy=_MAKE,
        )
