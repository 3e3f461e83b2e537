"""Common parts of the writers of other formats: tracks as rows of items on whole frames, lengths, speeds, XML text, and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, indent, tostring

import opentimelineio as otio

from host_bridge.timeline.read.model import nearest, seconds
from host_bridge.timeline.read.places import Places, is_absolute, plain_paths
from host_bridge.timeline.shots.media import ClipMedia, media_of
from host_bridge.timeline.shots.warp import Affine, Warp, speed_of
from nodes.errors import OutputError

ZERO = Fraction(0)
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class RowItem:
    """An item of a row. begin, end: its record in seconds, on frames of the sequence, without transitions; late: seconds that its first frame begins after the item itself.

    before, after: the transitions beside it.
    """

    item: Any
    begin: Fraction
    end: Fraction
    late: Fraction
    sound: bool = False
    before: Any = None
    after: Any = None


class TimelineWriter:
    """Base class of writers: measures the items of sequences of one rate, and counts their ids. places: of their media. rate: frames per second."""

    def __init__(self, places: Places, rate: Fraction) -> None:
        self._places, self._rate, self._numbers = places, rate, count(1)

    def row(self, child: Any, *, exact_sound: bool = False) -> list[RowItem]:
        """Return the items of a track, or a lone item of a stack. exact_sound: sound stays between frames."""
        sound, row = is_sound(child), list[RowItem]()
        at, before = ZERO, None
        for item in list(child) if isinstance(child, otio.schema.Track) and child.source_range is None else [child]:
            if not isinstance(item, otio.core.Item):
                before = item
                if row:
                    row[-1].after = item
                continue
            length = self.length(item)
            begin, end = at, at + length
            if not (sound and exact_sound):
                begin, end = (Fraction(nearest(t * self._rate)) / self._rate for t in (begin, end))
            if end > begin:
                row.append(RowItem(item, begin, end, begin - at, sound, before))
                before = None
            at += length
        return row

    def media(self, clip: Any) -> ClipMedia:
        """Find the media of a clip."""
        return media_of(clip, self._places, self._rate, results=True)

    def length(self, item: Any) -> Fraction:
        """Return the length of an item in seconds. Raises OutputError if it is unknown."""
        if item.source_range is not None:
            return seconds(item.source_range.duration, f"'{item.name}'")
        if not isinstance(item, otio.schema.Clip):
            return self.inside(item)
        length = self.media(item).length
        if length is None:
            raise cannot_hold(f"clip '{item.name}': nothing says how long it is")
        return length

    def inside(self, item: Any) -> Fraction:
        """Return the length of a stack's or track's content in seconds."""
        if not isinstance(item, otio.core.Composition):
            return ZERO
        lengths = [self.length(child) for child in item if isinstance(child, otio.core.Item)]
        return sum(lengths, ZERO) if isinstance(item, otio.schema.Track) else max(lengths, default=ZERO)

    def warp(
        self, item: Any, start: Fraction, available: tuple[Fraction, Fraction | None], late: Fraction = ZERO
    ) -> Warp:
        """Return an item's warp, from seconds since `late` in its record to seconds of its source; see `speed_of`."""
        warp = Warp((Affine(offset=late),))
        for step in speed_of(item, start, self.length(item), 1 / self._rate, available)[0]:
            warp = warp.then(step)
        return warp

    def offsets(self, transition: Any) -> tuple[int, int]:
        """Return a transition's frames before and after the cut; 0 and 0 for None."""
        ends = [None if transition is None else getattr(transition, name) for name in ("in_offset", "out_offset")]
        before, behind = (0 if t is None else nearest(seconds(t, "a transition") * self._rate) for t in ends)
        return before, behind


def cannot_hold(what: str, remedy: str = "") -> OutputError:
    """Return the error for an edit that a format cannot hold; OTIO can."""
    return OutputError(what, remedy=f"{remedy} Write .otio, which holds all of it".strip())


def is_sound(child: Any) -> bool:
    """Tell whether a child of a stack is a track of sound."""
    return isinstance(child, otio.schema.Track) and bool(child.kind == otio.schema.TrackKind.Audio)


def stack_of(item: Any) -> Any:
    """Return a nested stack or track as a stack of its whole content."""
    if not isinstance(item, otio.schema.Track):
        return item
    inner = item.deepcopy()
    inner.source_range = None
    inner.effects.clear()
    whole = otio.schema.Stack()
    whole.append(inner)
    return whole


def xml_bytes(root: Element) -> bytes:
    """Return the bytes of an XML document's file."""
    indent(root)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE {root.tag}>\n'
    return head.encode() + bytes(tostring(root, "utf-8")) + b"\n"


def xml_text(text: str) -> str:
    """Return a text without the characters that no XML document can hold."""
    return _UNWRITABLE.sub("", text or "")


def url_of(url: str) -> str:
    """Return a place as in XML documents: an address, or a path from the document's folder."""
    if re.match(r"[a-z]+://", url, re.IGNORECASE):
        return xml_text(url)
    path = (plain_paths(url) or [url])[0]
    return xml_text(f"file://{'' if path.startswith('/') else '/'}{quote(path)}" if is_absolute(path) else quote(path))
