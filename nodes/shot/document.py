"""The document `faceplate.shot/1`: what a rendered shot was made from, how, and what came out."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nodes.consent.provenance import KEY, Provenance
from nodes.definitions import Settings
from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file
from nodes.footage.info import FootageInfo
from nodes.types import Track

SCHEMA = "faceplate.shot/1"
_PACKAGES = ("faceplate", "numpy", "opencv-python-headless", "onnxruntime", "av", "OpenImageIO", "opencolorio")


def describe_input(info: FootageInfo, digest: str) -> dict[str, Any]:
    """Describe footage: where it is, what it is, and the digest of what it holds."""
    return {
        "path": str(info.path.absolute()),
        "digest": digest,
        "width": info.width,
        "height": info.height,
        "rate": str(info.rate),
        "frames": info.frames,
        "first": info.first,
        "bit_depth": info.bit_depth,
        "colour": info.colour,
        "layer": info.layer or None,
        "notes": list(info.notes),
    }


def describe_tracks(tracks: Sequence[Track], number: int) -> list[dict[str, int]]:
    """List tracks with the plate's own frame numbers; number: the one of position 0."""
    return [
        {"id": t.id, "first": int(number + t.frames[0]), "last": int(number + t.frames[-1]), "frames": len(t)}
        for t in tracks
    ]


def versions() -> dict[str, str]:
    """Versions of what has a part in the result."""
    packages = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "unknown"
    return packages


def build(
    *,
    inputs: dict[str, Any],
    number_range: tuple[int, int],
    info: FootageInfo,
    settings: Settings,
    tracks: Sequence[Track],
    results: dict[str, Any],
    provenance: Provenance,
) -> dict[str, Any]:
    """Put the document together. number_range: the plate's own numbers of the first and the last frame."""
    return {
        "schema": SCHEMA,
        "inputs": inputs,
        "range": {"first": number_range[0], "last": number_range[1]},
        "rate": str(info.rate),
        "width": info.width,
        "height": info.height,
        "settings": settings.model_dump(mode="json"),
        "tracks": describe_tracks(tracks, info.first),
        "versions": versions(),
        KEY: provenance.document(),
        "results": results,
    }


def remarks(document: dict[str, Any], *, tracks_given: bool) -> Iterator[str]:
    """Yield sentences about a finished shot: a model of unknown origin, notes on the plate, and people who are not replaced or not used.

    tracks_given: the user chose who is replaced.
    """
    if document[KEY]["unknown"]:
        yield "The model does not say whom it was trained on; the result is marked so."
    for note in document["inputs"]["plate"]["notes"]:
        yield f"{note[0].upper()}{note[1:]}."
    if tracks_given:
        return
    if others := document["results"]["not_replaced"]:
        ids = sorted(t["id"] for t in (*document["tracks"], *others))
        yield (
            f"The plate shows several people. Replaced: {_listed(document['tracks'])}; as they were: {_listed(others)}. "
            f"To replace all of them, add {' '.join(f'--track {id}' for id in ids)}"
        )
    if others := document["inputs"].get("source", {}).get("not_used"):
        yield f"The source shows several people. Not used: {_listed(others)}"


def _listed(tracks: Sequence[dict[str, int]]) -> str:
    return ", ".join(f"track {t['id']} (frames {t['first']}-{t['last']})" for t in tracks)


def save(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document; raises OutputError."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def load(folder: Path) -> dict[str, Any]:
    """Read `shot.json` of a shot's folder; raises SchemaError when it is missing, damaged, or newer."""
    path = folder / "shot.json" if folder.is_dir() else folder
    remedy = "Give a folder that `faceplate swap` has written"
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        found = document["schema"]
    except (FileNotFoundError, NotADirectoryError) as e:
        raise SchemaError("does not exist", file=path, remedy=remedy) from e
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=path, remedy=remedy) from e
    check_schema(found, SCHEMA, path)
    return document
