"""OpenTimelineIO's own files: its JSON, bundles, and what Kdenlive means by it.

The parser of OpenTimelineIO is recursive and in C++: depth and cycles are checked before it reads a document.
"""

from __future__ import annotations

import graphlib
import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.document import DEPTH, REMEDY, EditDocument, check_size
from host_bridge.timeline.read.model import add_note, seconds
from nodes.errors import SchemaError
from nodes.files import whole_file

CONTENT = "content.otio"  # the document in a bundle
KDENLIVE = "kdenlive"  # the key of its metadata
KDENLIVE_SPEEDS = (
    "Kdenlive's export leaves speeds out: a clip that plays at another speed shows other frames than these"
)
_RATIO, _SMALL = 200, 64 << 20  # how often larger a packed file may be, from how many bytes on
_NO_BRACE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^"\[\]{}]+', re.DOTALL)
_REF = "SerializableObjectRef.1"
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
    """Return the object that a document holds, unknown schemas kept; raises SchemaError that says what is wrong with it and where."""
    check_size(len(data), file)
    _check_depth(data, file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SchemaError("is no OTIO document: it is not text", file=file, remedy="Choose an .otio file") from e
    try:
        if _REF in text:
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


def _check_depth(data: bytes, file: str) -> None:
    codes = np.frombuffer(_NO_BRACE.sub(b"", data), np.uint8)
    opening, closing = np.isin(codes, list(b"{[")), np.isin(codes, list(b"}]"))
    depth = np.cumsum(opening.astype(np.int32) - closing)
    if depth.max(initial=0) > DEPTH:
        raise SchemaError(f"is nested more than {DEPTH} levels deep", file=file, remedy=REMEDY)


def _objects(root: Any) -> Iterator[tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Every JSON object: itself, the key of the list or object that it is in, and the ids of the objects around it."""
    waiting: list[tuple[Any, str, str, tuple[str, ...]]] = [(root, "", "", ())]
    while waiting:
        node, slot, above, ids = waiting.pop()
        if isinstance(node, dict):
            yield node, slot, ids
            if isinstance(id := node.get("OTIO_REF_ID"), str):
                ids = (*ids, id)
            # The references of a clip are one level further down: {"media_references": {"DEFAULT_MEDIA": {…}}}.
            waiting += [(v, slot if above == "media_references" else k, k, ids) for k, v in node.items()]
        elif isinstance(node, list):
            waiting += [(v, slot, above, ids) for v in node]


def _check_references(root: Any, file: str) -> None:
    """Refuse documents in which something holds itself, or is in two places of the edit."""
    holds: dict[str, set[str]] = {}
    for node, slot, ids in _objects(root):
        refers = node.get("OTIO_SCHEMA") == _REF
        if refers and slot in ("children", "tracks"):
            raise SchemaError("has one element in two places of the edit", file=file, remedy=REMEDY)
        id = node.get("id" if refers else "OTIO_REF_ID")
        for outer in ids if isinstance(id, str) else ():
            holds.setdefault(outer, set()).add(str(id))
    try:
        graphlib.TopologicalSorter(holds).prepare()
    except graphlib.CycleError as e:
        raise SchemaError(f"goes in a circle: '{e.args[1][0]}' holds itself", file=file, remedy=REMEDY) from e


def _register_unknown(root: Any) -> None:
    """Register schemas that OpenTimelineIO does not know as kinds of the class that stands in their place, so that they survive."""
    known = otio.core.type_version_map()
    unknown = {}
    for node, slot, _ in _objects(root):
        name, _, version = str(node.get("OTIO_SCHEMA", "")).rpartition(".")
        if name.isidentifier() and name not in known and version.isdecimal() and slot in _SLOTS:
            unknown[name] = (_SLOTS[slot], int(version))
    for name, (base, number) in unknown.items():
        members = {"_serializable_label": f"{name}.{number}", "faceplate_unknown": True}
        otio.core.register_type(type(name, (base,), members))


# --- bundles ---


def read_archive(path: Path, into: Path | None) -> bytes:
    """Return the document of an `.otioz` archive, with its media unpacked into a folder; files that are there already stay. into: None for nowhere.

    Raises SchemaError for archives that are damaged, that climb out of the folder, or that grow beyond reason, OutputError when
    they cannot be unpacked.
    """
    remedy = "Make the bundle again"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename[:80]
                if not _stays_inside(entry):
                    what = f"holds a file that would be written outside its folder: '{name}'"
                    raise SchemaError(what, file=path, remedy=remedy)
                if entry.file_size > max(_SMALL, _RATIO * entry.compress_size):
                    what = f"grows beyond reason: '{name}' would be {entry.file_size >> 20} MB"
                    raise SchemaError(what, file=path, remedy=remedy)
            if CONTENT not in archive.namelist():
                raise SchemaError(f"is no OTIO bundle: it holds no {CONTENT}", file=path, remedy=remedy)
            check_size(archive.getinfo(CONTENT).file_size, f"{path}/{CONTENT}")
            content = archive.read(CONTENT)
            if into is not None:
                _unpack_media(archive, into)
            return content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
        raise SchemaError(f"is no OTIO bundle, or is damaged: {e}", file=path, remedy=remedy) from e


def _stays_inside(entry: zipfile.ZipInfo) -> bool:
    """Tell whether a packed file stays in the folder that it is unpacked into; a link may lead anywhere."""
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    inside = bool(parts) and ".." not in parts and parts[0] != "/" and not re.match(r"[A-Za-z]:", parts[0])
    return inside and not stat.S_ISLNK(entry.external_attr >> 16)


def _unpack_media(archive: zipfile.ZipFile, into: Path) -> None:
    media = [entry for entry in archive.infolist() if entry.filename.startswith("media/") and not entry.is_dir()]
    for entry in media:
        if not _is_unpacked(into / entry.filename, entry):
            target = whole_file(into / entry.filename, sync=False)
            with target as temporary, archive.open(entry) as packed, temporary.open("wb") as out:
                shutil.copyfileobj(
                    packed, out, 1 << 20
                )  # zipfile reads no more than an entry's own size, and checks its sum


def _is_unpacked(file: Path, entry: zipfile.ZipInfo) -> bool:
    """Tell whether a file has the bytes of a packed one: a bundle that was made anew may hold another take of one name and size."""
    if not file.is_file() or file.stat().st_size != entry.file_size:
        return False
    crc = 0
    with file.open("rb") as stream:
        while part := stream.read(1 << 22):
            crc = zlib.crc32(part, crc)
    return crc == entry.CRC


# --- Kdenlive ---


def settle_kdenlive(timeline: Any) -> None:
    """Change a timeline that Kdenlive wrote (seen in 26.08), in place, to say what it meant; items keep their places.

    It counts a clip's markers from the clip's first frame, writes a mix as a gap as long as it is before its transition, and
    leaves speeds out. Raises SchemaError for times that cannot be read.
    """
    if KDENLIVE not in timeline.metadata:
        return
    for clip in timeline.find_clips():
        add_note(clip, KDENLIVE_SPEEDS)
        for marker in clip.markers if clip.source_range is not None else ():
            marked = marker.marked_range
            marker.marked_range = TimeRange(marked.start_time + clip.source_range.start_time, marked.duration)
    for track in timeline.tracks:
        if isinstance(track, otio.schema.Track) and track.source_range is not None:
            _empty_gaps_of_mixes(track)


def _empty_gaps_of_mixes(track: Any) -> None:
    """Empty the gaps before transitions, where the track says that it is shorter by just these."""
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
