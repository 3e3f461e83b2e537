"""OpenTimelineIO's own files: JSON, bundles, Kdenlive's dialect, and AAF through its adapter."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.model import REMEDY, EditDocument, add_note, check_size, seconds
from nodes.errors import MissingDependencyError, SchemaError
from nodes.files import whole_file

_log = logging.getLogger(__name__)
CONTENT = "content.otio"  # the document in a bundle
_KDENLIVE_SPEEDS = (
    "Kdenlive's export leaves speeds out: a clip that plays at another speed shows other frames than these"
)
_RATIO, _SMALL = 200, 64 << 20  # highest ratio of compression, for files above this many bytes
_AAF = "otio_aaf_adapter"
_AAF_SECONDS = 300
_SLOTS = {
    "children": otio.core.Item,
    "effects": otio.schema.Effect,
    "media_references": otio.core.MediaReference,
    "media_reference": otio.core.MediaReference,
    "markers": otio.schema.Marker,
}


def read_otio(document: EditDocument) -> Any:
    """Return the object that a document of OpenTimelineIO holds; raises SchemaError."""
    return parse(document.data, str(document.path))


# --- JSON ---


def parse(data: bytes, file: str) -> Any:
    """Return the object in a document, unknown schemas kept; raises SchemaError with the fault and its place."""
    check_size(len(data), file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SchemaError("is no OTIO document: it is not text", file=file, remedy="Choose an .otio file") from e
    try:
        if '"SerializableObjectRef.1"' in text:
            _check_references(json.loads(text), file)
        with suppress(ValueError, KeyError, otio.exceptions.OTIOError):
            return otio.core.deserialize_json_from_string(text)
        _register_unknown(json.loads(text))
        return otio.core.deserialize_json_from_string(text)
    except otio.exceptions.UnsupportedSchemaError as e:
        what = f"was written by a newer OpenTimelineIO ({' '.join(str(e).split())})"
        raise SchemaError(what, file=file, remedy="Export it for an older one") from e
    except (ValueError, KeyError, RecursionError, otio.exceptions.OTIOError) as e:
        what = f"is damaged, or no OTIO document: {' '.join(str(e).split())[:300]}"
        raise SchemaError(what, file=file, remedy=REMEDY) from e


def _schemas(root: Any) -> Iterator[tuple[str, str]]:
    """Yield the schema of every object, with the key of the list or object that contains it."""
    stack: list[tuple[Any, str, str]] = [(root, "", "")]
    while stack:
        node, slot, above = stack.pop()
        if isinstance(node, dict):
            yield str(node.get("OTIO_SCHEMA", "")), slot
            # The references of a clip are one level further down: {"media_references": {"DEFAULT_MEDIA": {…}}}.
            stack += [(v, slot if above == "media_references" else k, k) for k, v in node.items()]
        elif isinstance(node, list):
            stack += [(v, slot, above) for v in node]


def _check_references(root: Any, file: str) -> None:
    """Refuse an item that is in two places of the edit, or in itself: OpenTimelineIO would loop forever."""
    if any(name == "SerializableObjectRef.1" and slot in ("children", "tracks") for name, slot in _schemas(root)):
        raise SchemaError("has one element in two places of the edit", file=file, remedy=REMEDY)


def _register_unknown(root: Any) -> None:
    """Register unknown schemas as subclasses of the class expected in their place, so that they survive."""
    versions = otio.core.type_version_map()
    for schema, slot in set(_schemas(root)):
        name, _, version = schema.rpartition(".")
        if name.isidentifier() and name not in versions and version.isdecimal() and slot in _SLOTS:
            members = {"_serializable_label": schema, "faceplate_unknown": True}
            otio.core.register_type(type(name, (_SLOTS[slot],), members))


# --- bundles ---


def read_archive(path: Path, into: Path | None) -> bytes:
    """Return the document of an `.otioz` archive, with its media unpacked into a folder; existing files stay. into: None to leave media packed.

    Raises SchemaError for archives that are damaged, lead out of the folder, or expand beyond reason, OutputError when
    they cannot be unpacked.
    """
    remedy = "Make the bundle again"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                place, name = PurePosixPath(entry.filename.replace("\\", "/")), entry.filename[:80]
                if ".." in place.parts or place.is_absolute() or PureWindowsPath(entry.filename).drive:
                    what = f"holds a file that would be written outside its folder: '{name}'"
                    raise SchemaError(what, file=path, remedy=remedy)
                if entry.file_size > max(_SMALL, _RATIO * entry.compress_size):
                    what = f"grows beyond reason: '{name}' would be {entry.file_size >> 20} MB"
                    raise SchemaError(what, file=path, remedy=remedy)
            if CONTENT not in archive.namelist():
                raise SchemaError(f"is no OTIO bundle: it holds no {CONTENT}", file=path, remedy=remedy)
            check_size(archive.getinfo(CONTENT).file_size, f"{path}/{CONTENT}")
            media = [
                entry for entry in archive.infolist() if entry.filename.startswith("media/") and not entry.is_dir()
            ]
            if into is not None:
                for entry in media:
                    _unpack(archive, entry, into / entry.filename)
            return archive.read(CONTENT)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
        raise SchemaError(f"is no OTIO bundle, or is damaged: {e}", file=path, remedy=remedy) from e


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> None:
    """Unpack a file unless an equal one exists; a new bundle may hold another take of the same name and size."""
    if file.is_file() and file.stat().st_size == entry.file_size:
        crc = 0
        with file.open("rb") as stream:
            while part := stream.read(1 << 22):
                crc = zlib.crc32(part, crc)
        if crc == entry.CRC:
            return
    with whole_file(file, sync=False) as temporary, archive.open(entry) as packed, temporary.open("wb") as out:
        shutil.copyfileobj(packed, out, 1 << 20)  # at most the entry's own size; its checksum is verified


# --- AAF ---


def read_aaf(document: EditDocument) -> Any:
    """Return the object in an AAF; raises SchemaError, and MissingDependencyError without the adapter."""
    return parse(convert(document.path), str(document.path))


def convert(path: Path, limit: float = _AAF_SECONDS) -> bytes:
    """Return an AAF as OTIO's JSON, converted in its own process: a damaged file can make the adapter loop forever.

    limit: in seconds. Raises SchemaError, and MissingDependencyError without the adapter.
    """
    if importlib.util.find_spec(_AAF) is None:
        raise MissingDependencyError(
            f"is an AAF, whose reader ({_AAF.replace('_', '-')}) is not installed",
            file=path,
            remedy="Install it: pip install 'faceplate[timeline]'; or export the edit as OTIO",
        )
    remedy = "Export it again, as OTIO where the editor can"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "edit.otio"
        command = [sys.executable, "-m", "opentimelineio.console.otioconvert", "-i", str(path), "-o", str(out)]
        try:
            process = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired as e:
            what = f"could not be read as an AAF within {limit:g} s"
            raise SchemaError(what, file=path, remedy=remedy) from e
        if process.returncode or not out.is_file():
            lines = process.stderr.decode(errors="replace").strip().splitlines() or ["the adapter ended"]
            _log.error("the adapter ended with status %d\n%s", process.returncode, "\n".join(lines))
            raise SchemaError(f"could not be read as an AAF: {lines[-1][:300]}", file=path, remedy=remedy)
        return out.read_bytes()


# --- Kdenlive ---


def normalise_kdenlive(timeline: Any) -> None:
    """Convert a timeline of Kdenlive (26.08), in place, to standard OTIO; items keep their places.

    Kdenlive counts a clip's markers from the clip's first frame, writes a mix as a gap as long as it is before its transition, and
    leaves speeds out. Raises SchemaError for times that cannot be read.
    """
    if "kdenlive" not in timeline.metadata:
        return
    for clip in timeline.find_clips():
        add_note(clip, _KDENLIVE_SPEEDS)
        for marker in clip.markers if clip.source_range is not None else ():
            marked = marker.marked_range
            marker.marked_range = TimeRange(marked.start_time + clip.source_range.start_time, marked.duration)
    for track in timeline.tracks:
        if isinstance(track, otio.schema.Track) and track.source_range is not None:
            _empty_gaps_of_mixes(track)


def _empty_gaps_of_mixes(track: Any) -> None:
    """Empty the gaps before transitions if the track's own length is shorter by exactly these."""
    what, children = f"track '{track.name}'", list(track)
    lengths = [seconds(c.trimmed_range().duration, what) for c in children if isinstance(c, otio.core.Item)]
    gaps = [
        gap
        for gap, after in pairwise(children)
        if isinstance(gap, otio.schema.Gap) and isinstance(after, otio.schema.Transition)
    ]
    excess = sum(lengths) - seconds(track.source_range.duration, what)
    if gaps and excess == sum(seconds(gap.source_range.duration, what) for gap in gaps):
        for gap in gaps:
            empty = RationalTime(0, gap.source_range.duration.rate)
            gap.source_range = TimeRange(gap.source_range.start_time, empty)
