"""Read an edit, whatever wrote it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.document import default_folder
from host_bridge.timeline.read import bundle, limits
from host_bridge.timeline.read.convert import FORMATS, convert
from host_bridge.timeline.read.document import check_size, parse
from host_bridge.timeline.read.edl import read_edl
from host_bridge.timeline.read.fcp7 import read_fcp7
from host_bridge.timeline.read.fcpxml import read_fcpxml
from host_bridge.timeline.read.kdenlive import settle
from host_bridge.timeline.read.notes import add_note, notes_of
from host_bridge.timeline.read.places import MediaRoot, Places
from host_bridge.timeline.read.xml import check_xml
from nodes.errors import SchemaError

_log = logging.getLogger(__name__)
NATIVE = (".otio", ".otioz", ".otiod")
EDL, FCP7, FCPXML = ".edl", ".xml", (".fcpxml", ".fcpxmld")
FOLDERS = (".otiod", ".fcpxmld")
_FORMATS = f"{', '.join((*NATIVE, EDL, FCP7, *FCPXML, *FORMATS))} are read"


@dataclass(frozen=True)
class Edit:
    """An edit as it was read. timeline: OpenTimelineIO's own object. digest: of the document's bytes. places: finds its media."""

    path: Path
    digest: str
    timeline: Any
    places: Places

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the whole edit: how its rate was chosen, and what could not be read."""
        return notes_of(self.timeline)


def read_edit(
    path: Path | str,
    *,
    media_roots: Sequence[MediaRoot] = (),
    unpacked: Path | None = None,
    rate: Fraction | None = None,
) -> Edit:
    """Read .otio, .otioz, .otiod, .edl, .fcpxml, .fcpxmld, .xml (Final Cut Pro 7), and with its adapter .aaf.

    media_roots: where media were moved to. unpacked: where the media of an .otioz go, by default EDIT.faceplate/bundle.
    rate: of an EDL, in frames per second; by default its media say it. Other edits say their own.
    Raises SchemaError for what is damaged or no edit, MissingDependencyError without an adapter, OutputError when a bundle
    cannot be unpacked.
    """
    path = Path(path).absolute()
    kind = _kind(path)
    into = unpacked or default_folder(path) / "bundle"
    folder = path if kind in FOLDERS else into if kind == ".otioz" else path.parent
    data = document_of_edit(path, into)
    places = Places(folder, tuple(media_roots), kind in (".otioz", ".otiod"))
    if kind == EDL:
        found = read_edl(data, path, places, rate)
    elif kind in FCPXML:
        check_xml(_fcpxml(path))
        found = read_fcpxml(data, path)
    elif kind == FCP7:
        check_xml(path)
        found = read_fcp7(data, path)
    else:
        found = parse(data if kind in NATIVE else _converted(path, kind), str(path))
    timeline = _one_timeline(found, path)
    settle(timeline)
    _tell_empty(timeline)
    edit = Edit(path, hashlib.sha256(data).hexdigest(), timeline, places)
    _log.info("%s: %s; %s", path, kind, "; ".join(edit.notes) or "nothing to note")
    return edit


def document_of_edit(path: Path, unpacked: Path | None = None) -> bytes:
    """The bytes whose SHA-256 an edit is known by: its file's own; of a bundle, its document's, for its media have digests of their own.

    unpacked: where the media of an .otioz go; None for nowhere. Raises SchemaError, OutputError.
    """
    kind = _kind(path)
    with _reading(path):
        if kind == ".otiod":
            return bundle.read_folder(path)
        if kind == ".otioz":
            return bundle.read_archive(path, unpacked)
        file = _fcpxml(path) if kind in FCPXML else path
        if not file.exists():
            raise SchemaError(f"holds no {file.name}", file=path, remedy="Export it from Final Cut Pro again")
        check_size(file.stat().st_size, str(file), limits.TEXT if kind == EDL else limits.DOCUMENT)
        return file.read_bytes()


def _fcpxml(path: Path) -> Path:
    """The document itself: what Final Cut Pro exports as a bundle is a folder."""
    return path / "Info.fcpxml" if path.suffix.lower() == ".fcpxmld" else path


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if not path.exists():
        raise SchemaError("does not exist", file=path, remedy="Check the path")
    if kind not in (*NATIVE, EDL, FCP7, *FCPXML, *FORMATS):
        raise SchemaError("is of no kind of edit that is read", file=path, remedy=f"{_FORMATS}; export one of them")
    if path.is_dir() != (kind in FOLDERS):
        what = "is a folder, not a file" if path.is_dir() else f"is a file, but {kind} is a folder"
        raise SchemaError(what, file=path, remedy=_FORMATS)
    return kind


def _converted(path: Path, kind: str) -> bytes:
    with _reading(path):
        return convert(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror or e}", file=path, remedy="Check the file's permissions") from e


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


def _tell_empty(timeline: Any) -> None:
    """Leave a note at the timeline where it, or something in it that lasts, holds no clip."""
    if not any(True for _ in timeline.tracks.find_clips()):
        add_note(timeline, "the edit holds no clip")
        return
    for item in timeline.tracks.find_children():
        lasts = item.source_range if isinstance(item, otio.schema.Stack | otio.schema.Track) else None
        if lasts is not None and lasts.duration.value > 0 and not item.find_clips():
            add_note(
                timeline,
                f"{type(item).__name__.lower()} '{item.name}' lasts {lasts.duration.value:g} frames and holds no clip",
            )
