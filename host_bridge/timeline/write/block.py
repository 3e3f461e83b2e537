"""Our own block in an object's metadata, and the edit as it was before we added to it.

On a clip: metadata["faceplate"] = {"schema": "faceplate.clip/1", "result": {...}}. What was there before, such as a cast, stays beside
`schema` and `result`; `result` says how to take the result out again. A track of ours, and the timeline, have such blocks too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from host_bridge.timeline.write.tree import DEFAULT_KEY, Node

ABSENT = object()
NAME = "faceplate"
CLIP, TRACK, MEDIA, EXPORT = "faceplate.clip/1", "faceplate.track/1", "faceplate.media/1", "faceplate.export/1"


def mark(node: Node, kind: str, result: Node) -> None:
    """Put a result into an object's block; what was in it is kept as text, to be put back."""
    metadata = node.setdefault("metadata", {})
    there = metadata.get(NAME)
    kept = {"before": json.dumps(there)} if NAME in metadata else {}
    metadata[NAME] = (there if isinstance(there, dict) else {}) | {"schema": kind, "result": result | kept}


def marked(node: object, kind: str) -> Node | None:
    """What an object's block says of our result, None where it has none of that kind."""
    metadata = node.get("metadata") if isinstance(node, dict) else None
    there = metadata.get(NAME) if isinstance(metadata, dict) else None
    if isinstance(there, dict) and there.get("schema") == kind and isinstance(there.get("result"), dict):
        return dict(there["result"])
    return None


def without_ours(document: Node) -> Node:
    """Return the document as it was before the last export added to it; one of which that cannot be told comes back as it is."""
    found = deepcopy(document)
    try:
        export = marked(found, EXPORT)
        _strip(found.get("tracks"))
        if export is not None:
            _unmark(found, export)
            for change in reversed(export["adapted"]):
                put(found, change["place"], json.loads(change["before"]) if "before" in change else ABSENT)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return deepcopy(document)
    return found


def put(document: Node, place: Sequence[str | int], value: Any) -> Node:
    """Set what a path of keys and indices leads to, or take a key away (ABSENT); returns the record with which that is undone."""
    *path, last = place
    node: Any = document
    for key in path:
        node = node[key]
    there = isinstance(node, list) or last in node
    record: Node = {"place": list(place)} | ({"before": json.dumps(node[last])} if there else {})
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return record


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
    """Take a media reference of ours out of a clip again."""
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
