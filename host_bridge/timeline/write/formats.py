"""Documents of other kinds than OTIO, by ourselves or (AAF) by OpenTimelineIO's adapter, and what they could not say."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import opentimelineio as otio

from host_bridge.timeline.read import Edit, Places, read_edit
from host_bridge.timeline.write.block import NAME
from host_bridge.timeline.write.diff import diff
from host_bridge.timeline.write.edl import edl_of, reduce_to_edl
from host_bridge.timeline.write.export import text_of
from host_bridge.timeline.write.fcp7 import fcp7_of
from host_bridge.timeline.write.fcpxml import fcpxml_of
from host_bridge.timeline.write.same import as_shown, check_frames
from host_bridge.timeline.write.tree import Node, document_of, schema
from nodes.errors import FaceplateError, MissingDependencyError, OutputError
from nodes.files import whole_file

_log = logging.getLogger(__name__)
ADAPTED = {".aaf": "AAF"}
EXACT = (".edl", ".fcpxml", ".xml")  # which we write ourselves
_OPTIONS = {"AAF": {"use_empty_mob_ids": True}}  # our media have no ids in Avid's projects
_NUMBER = re.compile(r" \d+( '.*?')?(?= ›|$)")


def write_adapted(path: Path, document: Node) -> list[str]:
    """Write .aaf; returns what of the document is not in it.

    It is read again before it takes its name: OutputError when the format cannot hold it at all, or where what was written cannot be read.
    MissingDependencyError without its adapter.
    """
    name = ADAPTED[path.suffix.lower()]
    if name not in otio.adapters.available_adapter_names():
        raise MissingDependencyError(
            f"the adapter for {path.suffix} is not installed",
            file=path,
            remedy="Install it: pip install 'faceplate[timeline]'",
        )
    timeline = otio.adapters.read_from_string(text_of(document), "otio_json")
    with whole_file(path) as temporary:
        try:
            otio.adapters.write_to_file(timeline, str(temporary), adapter_name=name, **_OPTIONS.get(name, {}))
        except OSError:
            raise
        except Exception as e:  # whatever an adapter stumbles over
            _log.exception("the adapter %s failed", name)
            told = " ".join(f"{e}".split())[:300] or type(e).__name__
            raise OutputError(
                f"cannot hold this edit: {told}", file=path, remedy="Write .otio, which holds all of it"
            ) from e
        try:
            again = read_edit(temporary)
        except FaceplateError as e:
            raise OutputError(f"cannot hold this edit: {e.what}", file=path, remedy="Write .otio, which does") from e
    return lost(document, document_of(again))


def write_exactly(path: Path, document: Node, places: Places) -> list[str]:
    """Write .edl, .fcpxml or .xml (Final Cut Pro 7); returns what of the document is not in it.

    It is read again before it takes its name: OutputError where a shot would not show its own frames, or where the format has no word for something.
    """
    timeline = as_shown(otio.adapters.read_from_string(text_of(document), "otio_json"))
    with whole_file(path) as temporary:
        try:
            if path.suffix.lower() == ".edl":
                before = Edit(path, "", reduce_to_edl(timeline), places)
                temporary.write_bytes(edl_of(before))
            else:
                before = Edit(path, "", timeline, places)
                write = fcp7_of if path.suffix.lower() == ".xml" else fcpxml_of
                temporary.write_bytes(write(timeline, places, path.stem))
            again = read_edit(temporary, media_roots=places.roots)
            check_frames(before, again, path, missing_too=path.suffix.lower() != ".edl")
        except OutputError as e:
            raise OutputError(e.what, file=path, remedy=e.remedy) from e
        except FaceplateError as e:
            raise OutputError(f"cannot hold this edit: {e.what}", file=path, remedy="Write .otio, which does") from e
    return lost(document, document_of(again))


def lost(document: Node, again: Node) -> list[str]:
    """What of a document is missing or otherwise in another that was made of it, counted by kind."""
    document = deepcopy(document)
    for track in _tracks(document["tracks"]):
        (track.get("metadata") or {}).pop(NAME, None)  # a track of ours is there, if not as one of ours
    count = Counter((c.kind, _NUMBER.sub("", c.path)) for c in diff(document, again) if c.kind != "added")
    return [f"{n} × {path} {'lost' if kind == 'removed' else 'changed'}" for (kind, path), n in count.most_common()]


def _tracks(node: Node) -> Iterator[Node]:
    """The tracks in a stack or track, and in those."""
    for child in node.get("children") or ():
        if schema(child) == "Track":
            yield child
        yield from _tracks(child)


def for_otio(document: Node, label: str) -> str:
    """The document as an older OpenTimelineIO reads it, such as 0.14.0; a clip then keeps the one media reference that it shows.

    Raises OutputError for a version that is not known.
    """
    try:
        versions = otio.versioning.fetch_map("OTIO_CORE", label)
    except KeyError as e:
        known = otio.versioning.full_map()  # kept: what is taken from it goes with it
        names = ", ".join(sorted(known["OTIO_CORE"]))
        raise OutputError(f"'{label}' is no version of OpenTimelineIO", remedy=f"Choose one of {names}") from e
    timeline = otio.adapters.read_from_string(json.dumps(document), "otio_json")
    return str(otio.adapters.write_to_string(timeline, "otio_json", target_schema_versions=versions)) + "\n"
