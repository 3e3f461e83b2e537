"""The projects of an FCPXML document, each as a timeline."""

from __future__ import annotations

from collections import Counter
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from host_bridge.timeline.read.document import Document, parse_xml
from host_bridge.timeline.read.fcpxml.resources import Resources
from host_bridge.timeline.read.fcpxml.story import Story
from host_bridge.timeline.read.model import add_note
from nodes.errors import SchemaError

_LOOKS = {"filter-video": "video filter", "filter-audio": "audio filter", "title": "title", "caption": "caption"}
_CLIPS = ("clip", "asset-clip", "ref-clip", "sync-clip", "mc-clip", "audition")


def read_fcpxml(document: Document) -> Any:
    """Return the projects of a document as a SerializableCollection of timelines.

    Raises SchemaError, which names the element, for times that cannot be read, for references that lead nowhere or in circles, and
    where there is no project.
    """
    path, root = document.path, parse_xml(document, "fcpxml")
    try:
        story = Story(Resources(root))
        found = [_timeline(story, project) for project in root.iter("project") if project.find("sequence") is not None]
        clips = [clip for event in (root, *root.iter("event")) for clip in event if clip.tag in _CLIPS]
        if not found and len(clips) == 1:
            found = [story.alone(clips[0]).timeline(clips[0].get("name") or path.stem)]
    except ValueError as e:
        raise SchemaError(str(e), file=path, remedy="Export the project again") from e
    except RecursionError as e:
        raise SchemaError("has clips nested too deeply", file=path, remedy="Export the project again") from e
    for timeline in found if (looks := _looks(root)) else ():
        add_note(timeline, looks)
    if not found:
        raise SchemaError(
            f"holds no project{f', only {len(clips)} clips of an event' if clips else ''}",
            file=path,
            remedy="Select the project in Final Cut Pro, not the event, and export it: File › Export XML",
        )
    return otio.schema.SerializableCollection(path.stem, found)


def _timeline(story: Story, project: Element) -> otio.schema.Timeline:
    sequence = project.find("sequence")
    assert sequence is not None
    return story.sequence(sequence, project.get("name", "")).timeline(project.get("name") or "")


def _looks(root: Element) -> str:
    """A note of what changes how clips look and sound, none of which is read; empty where there is none."""
    holders = (e for e in root.iter() if e.tag != "transition")  # whose filters are the transitions themselves
    count = Counter(_LOOKS[element.tag] for holder in holders for element in holder if element.tag in _LOOKS)
    if not count:
        return ""
    told = ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for what, n in count.items())
    return f"{told}: not read, and not in what export writes"
