"""Reader of an edit in any format: bytes, a checked document, one OpenTimelineIO timeline.

A new format is one file beside this one, with a function from an EditDocument to a timeline or a collection of them, and one entry in FORMATS.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.document import default_folder
from host_bridge.timeline.read.edl import read_edl
from host_bridge.timeline.read.fcp7 import read_fcp7
from host_bridge.timeline.read.fcpxml import read_fcpxml
from host_bridge.timeline.read.model import EditDocument, add_note, check_size, notes_of
from host_bridge.timeline.read.otio import CONTENT, normalise_kdenlive, read_aaf, read_archive, read_otio
from host_bridge.timeline.read.places import MediaRoot, Places
from nodes.errors import SchemaError

_log = logging.getLogger(__name__)
NATIVE = (".otio", ".otioz", ".otiod")  # OpenTimelineIO's own
EDL = ".edl"
FORMATS: dict[str, Callable[[EditDocument], Any]] = {
    ".otio": read_otio,
    ".otioz": read_otio,
    ".otiod": read_otio,
    EDL: read_edl,
    ".xml": read_fcp7,
    ".fcpxml": read_fcpxml,
    ".fcpxmld": read_fcpxml,
    ".aaf": read_aaf,
}
_FOLDERS = {".otiod": CONTENT, ".fcpxmld": "Info.fcpxml"}  # bundles that are folders, with their documents


@dataclass(frozen=True)
class Edit:
    """An edit in memory. timeline: OpenTimelineIO's own object. digest: of the document's bytes. places: finds its media."""

    path: Path
    digest: str
    timeline: Any
    places: Places

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the whole edit: the choice of its rate, and unreadable parts."""
        return notes_of(self.timeline)


def read_edit(
    path: Path | str,
    *,
    media_roots: Sequence[MediaRoot] = (),
    unpacked: Path | None = None,
    rate: Fraction | None = None,
) -> Edit:
    """Read .otio, .otioz, .otiod, .edl, .fcpxml, .fcpxmld, .xml (Final Cut Pro 7), and with its adapter .aaf.

    media_roots: where media were moved to. unpacked: folder for the media of an .otioz, by default EDIT.faceplate/bundle.
    rate: of an EDL, in frames per second; by default taken from its media. Other edits store their rate.
    Raises SchemaError for a damaged edit or another kind of file, MissingDependencyError without an adapter, OutputError when a bundle
    cannot be unpacked.
    """
    path = Path(path).absolute()
    kind, into = path.suffix.lower(), unpacked or default_folder(path) / "bundle"
    data = document_of_edit(path, into)
    folder = path if kind in _FOLDERS else into if kind == ".otioz" else path.parent
    places = Places(folder, tuple(media_roots), inside=kind in (".otioz", ".otiod"))
    timeline = _one_timeline(FORMATS[kind](EditDocument(path, data, places, rate)), path)
    normalise_kdenlive(timeline)
    _note_emptiness(timeline)
    edit = Edit(path, hashlib.sha256(data).hexdigest(), timeline, places)
    _log.info("%s: %s; %s", path, kind, "; ".join(edit.notes) or "nothing to note")
    return edit


def document_of_edit(path: Path, unpacked: Path | None = None) -> bytes:
    """Return the bytes whose SHA-256 identifies an edit: its file, or a bundle's document, whose media have digests of their own.

    unpacked: folder for the media of an .otioz; None to leave them packed. Raises SchemaError, OutputError.
    """
    kind, formats = path.suffix.lower(), f"{', '.join(FORMATS)} are read"
    if not path.exists():
        raise SchemaError("does not exist", file=path, remedy="Check the path")
    if kind not in FORMATS:
        raise SchemaError("is not in a format that can be read", file=path, remedy=f"{formats}; export one of them")
    if path.is_dir() != (kind in _FOLDERS):
        what = "is a folder, not a file" if path.is_dir() else f"is a file, but {kind} is a folder"
        raise SchemaError(what, file=path, remedy=formats)
    try:
        if kind == ".otioz":
            return read_archive(path, unpacked)
        file = path / _FOLDERS.get(kind, "")
        if not file.exists():
            raise SchemaError(f"is no bundle: it holds no {file.name}", file=path, remedy="Export it again")
        check_size(file.stat().st_size, file)
        return file.read_bytes()
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror or e}", file=path, remedy="Check the file's permissions") from e


def _one_timeline(edit: Any, path: Path) -> Any:
    """Return the timeline, or the only one of a collection; raises SchemaError for anything else."""
    if isinstance(edit, otio.schema.SerializableCollection):
        timelines = [child for child in edit if isinstance(child, otio.schema.Timeline)]
        if len(timelines) != 1:
            names = ", ".join(f"'{timeline.name}'" for timeline in timelines[:5])
            what = f"holds {len(timelines)} timelines{f' ({names})' if names else ''}"
            raise SchemaError(what, file=path, remedy="Export one of them")
        edit = timelines[0]
    if not isinstance(edit, otio.schema.Timeline):
        name = edit.schema_name() if hasattr(edit, "schema_name") else type(edit).__name__
        raise SchemaError(f"is no timeline: {name}", file=path, remedy="Export the timeline")
    if not isinstance(edit.tracks, otio.schema.Stack):
        raise SchemaError("is a timeline without tracks", file=path, remedy="Export the timeline")
    return edit


def _note_emptiness(timeline: Any) -> None:
    """Add a note to a timeline that holds no clip, or a composition of some length without one."""
    if not timeline.find_clips():
        add_note(timeline, "the edit holds no clip")
        return
    for item in timeline.tracks.find_children(descended_from_type=otio.core.Composition):
        lasts = item.source_range.duration.value if item.source_range is not None else 0
        if lasts > 0 and not item.find_clips():
            add_note(timeline, f"{type(item).__name__.lower()} '{item.name}' lasts {lasts:g} frames and holds no clip")
