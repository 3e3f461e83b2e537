"""OpenTimelineIO's own JSON, read without letting it hurt: bounded in size and depth, without cycles, unknown schemas kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import opentimelineio as otio

from host_bridge.timeline.read import limits
from nodes.errors import SchemaError

_REMEDY = "Export the edit again"
_NO_BRACE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^"\[\]{}]+', re.DOTALL)
_REF = "SerializableObjectRef.1"
_SLOTS = {
    "children": otio.core.Item,
    "effects": otio.schema.Effect,
    "media_references": otio.core.MediaReference,
    "media_reference": otio.core.MediaReference,
    "markers": otio.schema.Marker,
}


def parse(data: bytes, file: str) -> Any:
    """Return the object that a document holds; raises SchemaError that says what is wrong with it and where."""
    check_size(len(data), file)
    _check_depth(data, file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SchemaError("is no OTIO document: it is not text", file=file, remedy="Choose an .otio file") from e
    if _REF in text:
        _check_references(_json(text, file), file)
    try:
        return otio.core.deserialize_json_from_string(text)
    except (ValueError, KeyError, otio.exceptions.OTIOError) as e:
        if "UnknownSchema" not in str(e) or not _adopt(_json(text, file)):
            raise _refusal(e, file) from e
    try:
        return otio.core.deserialize_json_from_string(text)
    except (ValueError, KeyError, otio.exceptions.OTIOError) as e:
        raise _refusal(e, file) from e


def check_size(size: int, file: str, most: int = limits.DOCUMENT) -> None:
    """Refuse a document that no edit needs; raises SchemaError."""
    if size > most:
        raise SchemaError(
            f"is too large for an edit ({size >> 20} MB; up to {most >> 20} MB are read)", file=file, remedy=_REMEDY
        )


def _refusal(error: Exception, file: str) -> SchemaError:
    told = " ".join(str(error).split())
    if isinstance(error, otio.exceptions.UnsupportedSchemaError):
        return SchemaError(
            f"was written by a newer OpenTimelineIO ({told})", file=file, remedy="Export it for an older one"
        )
    return SchemaError(f"is damaged, or no OTIO document: {told[:300]}", file=file, remedy=_REMEDY)


def _check_depth(data: bytes, file: str) -> None:
    """The parser is recursive and in C++: what is nested too deeply would end the process."""
    codes = np.frombuffer(_NO_BRACE.sub(b"", data), np.uint8)
    step = np.zeros(len(codes), np.int32)
    step[(codes == ord("{")) | (codes == ord("["))] = 1
    step[(codes == ord("}")) | (codes == ord("]"))] = -1
    if len(step) and int(np.cumsum(step).max()) > limits.DEPTH:
        raise SchemaError(f"is nested more than {limits.DEPTH} levels deep", file=file, remedy=_REMEDY)


def _json(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        raise _refusal(e, file) from e


def _objects(root: Any) -> Iterator[tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Every JSON object: itself, the key of the list or object that it is in, and the ids of the objects around it."""
    todo: list[tuple[Any, str, str, tuple[str, ...]]] = [(root, "", "", ())]
    while todo:
        found, slot, above, ids = todo.pop()
        if isinstance(found, dict):
            yield found, slot, ids
            if isinstance(id := found.get("OTIO_REF_ID"), str):
                ids = (*ids, id)
            # The references of a clip are one level further down: {"media_references": {"DEFAULT_MEDIA": {…}}}.
            todo += [(v, slot if above == "media_references" else k, k, ids) for k, v in found.items()]
        elif isinstance(found, list):
            todo += [(v, slot, above, ids) for v in found]


def _check_references(root: Any, file: str) -> None:
    """Refuse documents in which something holds itself, or is in two places of the edit."""
    holds: dict[str, set[str]] = {}
    for found, slot, ids in _objects(root):
        told = found.get("id") if found.get("OTIO_SCHEMA") == _REF else found.get("OTIO_REF_ID")
        if found.get("OTIO_SCHEMA") == _REF and slot in ("children", "tracks"):
            raise SchemaError("has one element in two places of the edit", file=file, remedy=_REMEDY)
        if isinstance(told, str):
            for id in ids:
                holds.setdefault(id, set()).add(told)
    done: set[str] = set()
    for start in holds:
        path, trail = [(start, iter(holds[start]))], {start}
        while path:
            id, rest = path[-1]
            following = next((n for n in rest if n not in done), None)
            if following is None:
                path.pop()
                trail.discard(id)
                done.add(id)
            elif following in trail:
                raise SchemaError(f"goes in a circle: '{following}' holds itself", file=file, remedy=_REMEDY)
            else:
                trail.add(following)
                path.append((following, iter(holds.get(following, ()))))


def _adopt(root: Any) -> bool:
    """Make schemas that OpenTimelineIO does not know known as kinds of what stands in their place, so that they survive."""
    known = otio.core.type_version_map()
    found = {}
    for node, slot, _ in _objects(root):
        name, _, version = str(node.get("OTIO_SCHEMA", "")).rpartition(".")
        if name and name not in known and version.isdecimal() and slot in _SLOTS and name.isidentifier():
            found[name] = (slot, int(version))
    for name, (slot, number) in found.items():
        kind = type(name, (_SLOTS[slot],), {"_serializable_label": f"{name}.{number}", "faceplate_unknown": True})
        otio.core.register_type(kind)
    return bool(found)
