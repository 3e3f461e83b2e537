"""Where a document goes: how paths are written, and what must be otherwise for a host to take it.

`resolve` follows what is known of DaVinci Resolve (docs/timeline.md says what of it was never run there): paths without a scheme, no schema that
it does not know, named tracks, ranges that say where media begin, and what is shown under the one key that it writes itself. Each change to
what was there is recorded, and undone by `without_ours`. `kdenlive` writes what Kdenlive 26.08 was seen to read: paths without a scheme, and the text of
markers where it looks for it. `otio` and `blender` change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.timeline.read.places import is_absolute, is_windows, plain_paths
from host_bridge.timeline.settings import ProfileName
from host_bridge.timeline.write.tree import ABSENT, Node, active_reference, clips, put, references, schema
from nodes.errors import OutputError

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
        """How the document names a file, or the folder of a sequence."""
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
    """Change what would not work where the document goes, in place; returns the records that undo it, and what to tell the user.

    base: the folder that relative paths are of, when the document leaves it.
    """
    found: list[Node] = []
    notes: list[str] = []
    for place, url in list(_urls(document["tracks"], ["tracks"])):
        paths = plain_paths(url)
        if base is not None and paths and not is_absolute(paths[0]):
            folder = place[-1] == "target_url_base"
            near = next((base / p for p in paths if (base / p).exists()), base / paths[0])
            found.append(put(document, place, profile.url(near, folder=folder)))
    if profile.name not in ("resolve", "kdenlive"):
        return found, notes
    if profile.name == "resolve":
        _set_aside(document, document, [], found, notes)
    for place, url in list(_urls(document["tracks"], ["tracks"])):
        if url.lower().startswith("file:") and (paths := plain_paths(url)):
            found.append(put(document, place, paths[0].replace("/", "\\") if is_windows(paths[0]) else paths[0]))
    if profile.name == "kdenlive":
        _tell_kdenlive(document, document["tracks"], ["tracks"], found, notes)
        return found, list(dict.fromkeys(notes))
    count = {"Video": 0, "Audio": 0}
    for i, track in enumerate(document["tracks"].get("children") or ()):
        kind = str(track.get("kind", "Video"))
        count[kind] = count.get(kind, 0) + 1
        if schema(track) == "Track" and not track.get("name"):
            found.append(put(document, ["tracks", "children", i, "name"], f"{kind} {count[kind]}"))
    for clip in clips(document["tracks"]):
        shown = active_reference(clip) or {}
        if schema(shown) in ("ExternalReference", "ImageSequenceReference") and not shown.get("available_range"):
            notes.append(f"{clip.get('name')}: it is not said where its media begin; Resolve may not find its frames")
    return found, notes


def _tell_kdenlive(document: Node, node: Node, place: list[str | int], found: list[Node], notes: list[str]) -> None:
    """Put the text of markers where Kdenlive shows it, and say what it loses."""
    for i, marker in enumerate(node.get("markers") or ()):
        text, here = marker.get("comment") or marker.get("name"), [*place, "markers", i, "metadata"]
        if text and not marker.get("metadata"):
            found.append(put(document, here, {"comment": text}))
        elif text and "comment" not in marker["metadata"]:
            found.append(put(document, [*here, "comment"], text))
    if schema(node) == "Transition":
        notes.append("dissolves: Kdenlive 26.08 drops them when it opens the edit; put them in again there")
    if any(schema(effect) in _SPEEDS for effect in node.get("effects") or ()):
        name = node.get("name") or schema(node)
        notes.append(
            f"{name}: between two frames Kdenlive shows others than Faceplate, and its own export drops the speed"
        )
    if schema(node) == "Clip" and schema(active_reference(node)) == "ImageSequenceReference":
        notes.append(f"{node.get('name')}: Kdenlive reads no image sequences from an edit; its place stays empty")
    for i, child in enumerate(node.get("children") or ()):
        _tell_kdenlive(document, child, [*place, "children", i], found, notes)


_SPEEDS = ("LinearTimeWarp", "FreezeFrame", "TimeEffect")


def _set_aside(document: Node, node: Any, place: list[str | int], found: list[Node], notes: list[str]) -> None:
    """Take away every object whose schema Resolve does not know, wherever it is."""
    if isinstance(node, list):
        strange = [name for child in node if (name := _strange(child))]
        if strange:
            inside = place[-1:] == ["children"]
            node = [_gap(child) if _strange(child) else child for child in node if inside or not _strange(child)]
            found.append(put(document, place, node))
            notes.extend(_aside(name, place) for name in strange)
        for i, child in enumerate(node):
            _set_aside(document, child, [*place, i], found, notes)
    elif isinstance(node, dict):
        for key, child in list(node.items()):
            if name := _strange(child):
                media = key == "media_reference" or place[-1:] == ["media_references"]
                found.append(put(document, [*place, key], dict(_MISSING) if media else ABSENT))
                notes.append(_aside(name, [*place, key]))
            else:
                _set_aside(document, child, [*place, key], found, notes)


_MISSING: Node = {
    "OTIO_SCHEMA": "MissingReference.1",
    "metadata": {},
    "name": "",
    "available_range": None,
    "available_image_bounds": None,
}


def _gap(item: Node) -> Node:
    """A gap as long as an item."""
    if not item.get("source_range"):
        raise OutputError(
            f"'{item.get('name')}' is a {schema(item)}, which Resolve does not know, and it does not say how long it is",
            remedy="Replace it in the edit, or use --profile otio",
        )
    kept = {key: item.get(key) for key in ("source_range", "enabled")}
    return {"OTIO_SCHEMA": "Gap.1", "metadata": {}, "name": "", "effects": [], "markers": []} | kept


def _strange(node: object) -> str | None:
    name = schema(node)
    return name if name and name not in RESOLVE_KNOWS else None


def _aside(name: str, place: Sequence[str | int]) -> str:
    return (
        f"{name} at {'.'.join(map(str, place))}: Resolve knows no such schema and would refuse the document; set aside"
    )


def _urls(node: Any, place: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    """Where the media references of clips name a file or folder."""
    for i, child in enumerate(node.get("children") or ()):
        here = [*place, "children", i]
        yield from _urls(child, here)
        for path, reference in references(child):
            for key in ("target_url", "target_url_base"):
                if isinstance(reference.get(key), str):
                    yield [*here, *path, key], reference[key]
