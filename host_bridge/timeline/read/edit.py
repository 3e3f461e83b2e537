"""Read an edit, whatever wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.document import default_folder
from host_bridge.timeline.read import bundle, limits
from host_bridge.timeline.read.convert import FORMATS, convert
from host_bridge.timeline.read.document import check_size, parse
from host_bridge.timeline.read.places import MediaRoot, Places
from host_bridge.timeline.read.xml import check_xml
from nodes.errors import SchemaError

NATIVE = (".otio", ".otioz", ".otiod")
_FORMATS = f"{', '.join((*NATIVE, *FORMATS))} are read"


@dataclass(frozen=True)
class Edit:
    """An edit as it was read. timeline: OpenTimelineIO's own object. digest: of the document's bytes. places: finds its media."""

    path: Path
    digest: str
    timeline: Any
    places: Places


def read_edit(path: Path | str, *, media_roots: Sequence[MediaRoot] = (), unpacked: Path | None = None) -> Edit:
    """Read .otio, .otioz, .otiod, and with their adapters .edl, .xml (Final Cut Pro 7), .fcpxml and .aaf.

    media_roots: where media were moved to. unpacked: where the media of an .otioz go, by default EDIT.faceplate/bundle.
    Raises SchemaError for what is damaged or no edit, MissingDependencyError without an adapter, OutputError when a bundle
    cannot be unpacked.
    """
    path = Path(path).absolute()
    kind, folder, inside = path.suffix.lower(), path.parent, False
    if not path.exists():
        raise SchemaError("does not exist", file=path, remedy="Check the path")
    if kind not in (*NATIVE, *FORMATS):
        raise SchemaError("is of no kind of edit that is read", file=path, remedy=f"{_FORMATS}; export one of them")
    if path.is_dir() != (kind == ".otiod"):
        what = "is a folder, not a file" if path.is_dir() else "is a file, but .otiod is a folder"
        raise SchemaError(what, file=path, remedy=_FORMATS)
    try:
        if kind == ".otiod":
            data, folder, inside = bundle.read_folder(path), path, True
        elif kind == ".otioz":
            folder, inside = unpacked or default_folder(path) / "bundle", True
            data = bundle.read_archive(path, folder)
        elif kind == ".otio":
            check_size(path.stat().st_size, str(path))
            data = path.read_bytes()
        else:
            check_size(path.stat().st_size, str(path), limits.TEXT if kind == ".edl" else limits.DOCUMENT)
            if kind in (".xml", ".fcpxml"):
                check_xml(path)
            data = convert(path)
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror or e}", file=path, remedy="Check the file's permissions") from e
    timeline = _one_timeline(parse(data, str(path)), path)
    return Edit(path, _digest(path, data), timeline, Places(folder, tuple(media_roots), inside))


def _digest(path: Path, data: bytes) -> str:
    """Of the file's own bytes; of a bundle, of its document, for its media have digests of their own."""
    return hashlib.sha256(path.read_bytes() if path.suffix.lower() in FORMATS else data).hexdigest()


def _one_timeline(found: Any, path: Path) -> Any:
    if isinstance(found, otio.schema.SerializableCollection):
        inside = [child for child in found if isinstance(child, otio.schema.Timeline)]
        if len(inside) == 1:
            found = inside[0]
        else:
            names = ", ".join(f"'{child.name}'" for child in inside[:5])
            raise SchemaError(
                f"holds {len(inside)} timelines{f' ({names})' if names else ''}", file=path, remedy="Export one of them"
            )
    if not isinstance(found, otio.schema.Timeline) or not isinstance(found.tracks, otio.schema.Stack):
        name = found.schema_name() if hasattr(found, "schema_name") else type(found).__name__
        what = "is a timeline without tracks" if isinstance(found, otio.schema.Timeline) else f"is no timeline: {name}"
        raise SchemaError(what, file=path, remedy="Export the timeline")
    return found
