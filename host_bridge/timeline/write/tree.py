"""An OpenTimelineIO document as the JSON that it is, and Faceplate's own blocks in it.

A clip with a result has metadata["faceplate"] = {"schema": "faceplate.clip/1", "result": {...}}. Earlier content, such as a cast, stays beside
`schema` and `result`; `result` records how to remove the result. Our tracks and the timeline have such blocks too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange
from pydantic import BaseModel, ConfigDict

from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.read.model import without_notes
from host_bridge.timeline.read.otio import CONTENT
from nodes.consent.provenance import Provenance

Node = dict[str, Any]
DEFAULT_KEY = "DEFAULT_MEDIA"
NAME = "faceplate"
CLIP, TRACK, MEDIA, EXPORT = "faceplate.clip/1", "faceplate.track/1", "faceplate.media/1", "faceplate.export/1"
ABSENT = object()
_FORMER = {"Sequence": "Track", "Filler": "Gap"}


def document_of(edit: Edit) -> Node:
    """Return an edit as JSON: an .otio timeline exactly as in its file, any other as it was read."""
    kind = edit.path.suffix.lower()
    if kind in (".otio", ".otiod"):
        document = json.loads((edit.path / CONTENT if kind == ".otiod" else edit.path).read_text("utf-8-sig"))
        if schema(document) == "Timeline":
            return dict(document)
    return dict(without_notes(json.loads(edit.timeline.to_json_string())))


def text_of(document: Node) -> str:
    """Return the text of a document's file."""
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"


def schema(node: object) -> str:
    """Name an object's schema, without its version and by its present name; empty for anything else."""
    name = str(node.get("OTIO_SCHEMA", "")).rpartition(".")[0] if isinstance(node, dict) else ""
    return _FORMER.get(name, name)


def at(document: Node, where: Sequence[int]) -> Node:
    """Return the item that child indices lead to, down from the timeline's tracks."""
    node: Node = document["tracks"]
    for index in where:
        node = node["children"][index]
    return node


def clips(node: object, kind: str = "Clip") -> Iterator[Node]:
    """Yield every clip, or every item of another schema, in the order of the document."""
    if schema(node) == kind:
        yield node  # type: ignore[misc]
    for child in node.get("children") or () if isinstance(node, dict) else ():
        yield from clips(child, kind)


def references(clip: Node) -> Iterator[tuple[list[str], Node]]:
    """Yield a clip's media references, each with the keys that lead to it."""
    many = clip.get("media_references")
    named = [(["media_references", key], r) for key, r in many.items()] if isinstance(many, dict) else []
    for path, reference in [*named, (["media_reference"], clip.get("media_reference"))]:
        if isinstance(reference, dict):
            yield path, reference


def active_reference(clip: Node) -> Node | None:
    """Return the media reference that a clip shows."""
    if "media_references" not in clip:
        return clip.get("media_reference")
    active: Node | None = (clip["media_references"] or {}).get(clip.get("active_media_reference_key", DEFAULT_KEY))
    return active


def copied(node: Any) -> Any:
    """Return a copy to put beside the original, without the document's object ids."""
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items() if key != "OTIO_REF_ID"}
    return [copied(value) for value in node] if isinstance(node, list) else node


def node_of(built: Any) -> Node:
    """Return an object of OpenTimelineIO as JSON."""
    node: Node = json.loads(otio.core.serialize_json_to_string(built))
    node.pop("color", None)  # unknown to OpenTimelineIO before 0.18
    return node


def time_range(start: float, duration: float, rate: float) -> TimeRange:
    """Return a TimeRange whose start and duration have one rate."""
    return TimeRange(RationalTime(start, rate), RationalTime(duration, rate))


def written_rate(reference: Node | None, rate: Fraction) -> float:
    """Return a rate as a media reference spells it: 23.976 has several spellings, and the existing one is kept."""
    spelt = (((reference or {}).get("available_range") or {}).get("duration") or {}).get("rate")
    same = isinstance(spelt, int | float) and math.isclose(spelt, float(rate), rel_tol=2e-5)
    return float(spelt) if same else float(rate)  # type: ignore[arg-type]


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a file's name, or a key, that is not taken, whatever the case: `faceplate`, `faceplate-2`; `a.mov`, `a-2.mov`."""
    low, path = {t.lower() for t in taken}, Path(name)
    numbered = (f"{path.stem}-{i}{path.suffix}" for i in count(2))
    return name if name.lower() not in low else next(n for n in numbered if n.lower() not in low)


def put(document: Node, place: Sequence[str | int], value: Any) -> Node:
    """Set the value at a path of keys and indices, or remove its key (ABSENT); returns the record that undoes it."""
    *path, last = place
    node: Any = document
    for key in path:
        node = node[key]
    exists = isinstance(node, list) or last in node
    record: Node = {"place": list(place)} | ({"before": json.dumps(node[last])} if exists else {})
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return record


# --- our blocks ---


class BlockPart(BaseModel):
    """A part of our blocks; unknown fields of a later Faceplate are ignored."""

    model_config = ConfigDict(extra="ignore")


class BlockCast(BlockPart):
    """A replacement, by ids, or by names that the edit itself has."""

    target: str | None = None
    source: str | None = None
    tracks: tuple[int, ...] = ()


class BlockModel(BlockPart):
    """A model used for a result. sha256: of its file. digest: Faceplate's own."""

    sha256: str | None = None
    digest: str = ""


class BlockMedia(BlockPart):
    """The media of a result."""

    kind: str = ""
    sha256: str | None = None


class BlockCredentials(BlockPart):
    """The signature of a result. by: SHA-256 of the certificate."""

    signed: bool = False
    by: str | None = None


class ClipBlock(BlockPart):
    """The result in a clip. span: positions in the plate's media. key: of the media reference, where it is one of the plate's clip."""

    shot: str
    mode: str = ""
    span: tuple[int, int]
    key: str = ""
    cast: tuple[BlockCast, ...] = ()
    media: BlockMedia = BlockMedia()
    provenance: Provenance = Provenance(version="unknown")
    models: tuple[BlockModel, ...] = ()
    credentials: BlockCredentials = BlockCredentials()


class ExportBlock(BlockPart):
    """The description of an export. edit, digest: name and SHA-256 of the original edit. adapted: changes, as `put` records them."""

    mode: str
    profile: str
    edit: str
    digest: str
    adapted: list[Node] = []


def mark(node: Node, kind: str, result: Node) -> None:
    """Put a result into an object's block; the former block is kept as text, to be restored."""
    metadata = node.setdefault("metadata", {})
    block = metadata.get(NAME)
    former = {"before": json.dumps(block)} if NAME in metadata else {}
    metadata[NAME] = (block if isinstance(block, dict) else {}) | {"schema": kind, "result": result | former}


def marked(node: object, kind: str) -> Node | None:
    """Return the result in an object's block of a kind; None without one."""
    metadata = node.get("metadata") if isinstance(node, dict) else None
    block = metadata.get(NAME) if isinstance(metadata, dict) else None
    if isinstance(block, dict) and block.get("schema") == kind and isinstance(block.get("result"), dict):
        return dict(block["result"])
    return None


def without_ours(document: Node) -> Node:
    """Return the document as it was before the last export added to it; unchanged if our blocks are damaged."""
    original = deepcopy(document)
    try:
        export = marked(original, EXPORT)
        _strip(original.get("tracks"))
        if export is not None:
            _unmark(original, export)
            for change in reversed(export["adapted"]):
                put(original, change["place"], json.loads(change["before"]) if "before" in change else ABSENT)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return deepcopy(document)
    return original


def _strip(node: object) -> None:
    if not isinstance(node, dict) or not isinstance(node.get("children"), list):
        return
    node["children"] = [child for child in node["children"] if marked(child, TRACK) is None]
    for child in node["children"]:
        _strip(child)
        if (result := marked(child, CLIP)) is not None:
            _unmark(child, result)
            _take_out(child, result)


def _take_out(clip: Node, result: Node) -> None:
    """Remove a media reference of ours from a clip."""
    references = clip["media_references"]
    del references[result["key"]]
    if "moved" in result:
        references[result["was_active"]] = references.pop(result["moved"])
    clip["active_media_reference_key"] = result["was_active"]
    if result.get("was") == "Clip.1":
        clip["OTIO_SCHEMA"] = "Clip.1"
        clip["media_reference"] = references[DEFAULT_KEY]
        del clip["media_references"], clip["active_media_reference_key"]


def _unmark(node: Node, result: Node) -> None:
    if "before" in result:
        node["metadata"][NAME] = json.loads(result["before"])
    else:
        del node["metadata"][NAME]
