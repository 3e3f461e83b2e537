"""Profiles of target programs: their form of paths, and the changes that each needs to read a document.

`resolve` follows what is known of DaVinci Resolve (docs/timeline.md says what of it was never run there): paths without a scheme, no schema that
it does not know, named tracks, ranges that say where media begin, and what is shown under the one key that it writes itself. Each change to
what was there is recorded, and undone by `without_ours`. `kdenlive` writes what Kdenlive 26.08 was seen to read: paths without a scheme, and the text of
markers where it looks for it. `otio` and `blender` change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.places import is_absolute, is_windows, plain_paths
from host_bridge.timeline.settings import ProfileName
from host_bridge.timeline.write.tree import ABSENT, Node, active_reference, clips, node_of, put, references, schema
from nodes.errors import OutputError

_SPEEDS = ("LinearTimeWarp", "FreezeFrame", "TimeEffect")
# What Resolve 21 was seen to write, and what it is reported to read.
RESOLVE_KNOWS = frozenset(
    [
        "Timeline", "Stack", "Track", "Clip", "Gap", "Transition", "Marker", "Effect", "TimeEffect", "LinearTimeWarp", "FreezeFrame",
        "ExternalReference", "ImageSequenceReference", "MissingReference", "GeneratorReference", "RationalTime", "TimeRange", "TimeTransform",
        "V2d", "Box2d", "Color",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """A destination.

    bare: paths as this system writes them, else file:///…. default_only: what a clip shows must stand under DEFAULT_MEDIA. takes: alternatives of a clip can be said by more media references.
    """

    name: ProfileName
    bare: bool
    default_only: bool = False
    takes: bool = True

    def url(self, path: Path, *, folder: bool = False) -> str:
        """Return a document's URL of a file, or of the folder of a sequence."""
        if self.bare:
            return str(path) + (("\\" if "\\" in str(path) else "/") if folder else "")
        return path.as_uri() + ("/" if folder else "")


PROFILES: dict[ProfileName, Profile] = {
    "resolve": Profile("resolve", bare=True, default_only=True, takes=False),
    "otio": Profile("otio", bare=False),
    "blender": Profile("blender", bare=True),
    "kdenlive": Profile("kdenlive", bare=True),
}


def adapt(document: Node, profile: Profile, base: Path | None = None) -> tuple[list[Node], list[str]]:
    """Adapt a document to a profile, in place; return the records that undo it, and notes for the user.

    base: the folder that relative paths are of, when the document leaves it.
    """
    adapter, tracks = _Adapter(document), document["tracks"]
    for place, url in list(_urls(tracks, ["tracks"])):
        paths = plain_paths(url)
        if base is not None and paths and not is_absolute(paths[0]):
            near = next((base / p for p in paths if (base / p).exists()), base / paths[0])
            adapter.put(place, profile.url(near, folder=place[-1] == "target_url_base"))
    if profile.name == "resolve":
        adapter.set_aside(document, [])
    if profile.name in ("resolve", "kdenlive"):
        for place, url in list(_urls(document["tracks"], ["tracks"])):
            if url.lower().startswith("file:") and (paths := plain_paths(url)):
                adapter.put(place, paths[0].replace("/", "\\") if is_windows(paths[0]) else paths[0])
    if profile.name == "kdenlive":
        adapter.for_kdenlive(document["tracks"], ["tracks"])
    if profile.name == "resolve":
        adapter.for_resolve(document["tracks"])
    return adapter.changes, list(dict.fromkeys(adapter.notes))


class _Adapter:
    """Changes a document in place. changes: the records that undo it. notes: for the user."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self.changes: list[Node] = []
        self.notes: list[str] = []

    def put(self, place: Sequence[str | int], value: Any) -> None:
        """Change one value, and record it."""
        self.changes.append(put(self.document, place, value))

    def for_resolve(self, tracks: Node) -> None:
        """Name tracks, and note media without a known begin."""
        count: Counter[str] = Counter()
        for i, track in enumerate(tracks.get("children") or ()):
            kind = str(track.get("kind", "Video"))
            count[kind] += 1
            if schema(track) == "Track" and not track.get("name"):
                self.put(["tracks", "children", i, "name"], f"{kind} {count[kind]}")
        for clip in clips(tracks):
            shown = active_reference(clip) or {}
            if schema(shown) in ("ExternalReference", "ImageSequenceReference") and not shown.get("available_range"):
                what = "it is not said where its media begin; Resolve may not find its frames"
                self.notes.append(f"{clip.get('name')}: {what}")

    def for_kdenlive(self, node: Node, place: list[str | int]) -> None:
        """Put the text of markers where Kdenlive shows it, and note what it loses."""
        for i, marker in enumerate(node.get("markers") or ()):
            text, here = marker.get("comment") or marker.get("name"), [*place, "markers", i, "metadata"]
            if text and not marker.get("metadata"):
                self.put(here, {"comment": text})
            elif text and "comment" not in marker["metadata"]:
                self.put([*here, "comment"], text)
        name = node.get("name") or schema(node)
        if schema(node) == "Transition":
            self.notes.append("dissolves: Kdenlive 26.08 drops them when it opens the edit; put them in again there")
        if any(schema(effect) in _SPEEDS for effect in node.get("effects") or ()):
            what = "between two frames Kdenlive shows others than Faceplate, and its own export drops the speed"
            self.notes.append(f"{name}: {what}")
        if schema(node) == "Clip" and schema(active_reference(node)) == "ImageSequenceReference":
            what = "Kdenlive reads no image sequences from an edit; its place stays empty"
            self.notes.append(f"{node.get('name')}: {what}")
        for i, child in enumerate(node.get("children") or ()):
            self.for_kdenlive(child, [*place, "children", i])

    def set_aside(self, node: Any, place: list[str | int]) -> None:
        """Remove every object whose schema is unknown to Resolve."""
        if isinstance(node, list):
            if strange := [child for child in node if _is_strange(child)]:
                inside = place[-1:] == ["children"]
                node = [_gap(c) if _is_strange(c) else c for c in node if inside or not _is_strange(c)]
                self.put(place, node)
                for child in strange:
                    self._note_aside(child, place)
            for i, child in enumerate(node):
                self.set_aside(child, [*place, i])
        elif isinstance(node, dict):
            for key, child in list(node.items()):
                if _is_strange(child):
                    media = key == "media_reference" or place[-1:] == ["media_references"]
                    self.put([*place, key], node_of(otio.schema.MissingReference()) if media else ABSENT)
                    self._note_aside(child, [*place, key])
                else:
                    self.set_aside(child, [*place, key])

    def _note_aside(self, node: Node, place: Sequence[str | int]) -> None:
        what = "Resolve knows no such schema and would refuse the document; set aside"
        self.notes.append(f"{schema(node)} at {'.'.join(map(str, place))}: {what}")


def _gap(item: Node) -> Node:
    """A gap as long as an item."""
    if not item.get("source_range"):
        raise OutputError(
            f"'{item.get('name')}' is a {schema(item)}, which Resolve does not know, and it does not say how long it is",
            remedy="Replace it in the edit, or use --profile otio",
        )
    return node_of(otio.schema.Gap()) | {key: item.get(key) for key in ("source_range", "enabled")}


def _is_strange(node: object) -> bool:
    return bool(schema(node)) and schema(node) not in RESOLVE_KNOWS


def _urls(node: Any, place: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    """Yield the places in media references that name a file or folder, with their URLs."""
    for i, child in enumerate(node.get("children") or ()):
        here = [*place, "children", i]
        yield from _urls(child, here)
        for path, reference in references(child):
            for key in ("target_url", "target_url_base"):
                if isinstance(reference.get(key), str):
                    yield [*here, *path, key], reference[key]
