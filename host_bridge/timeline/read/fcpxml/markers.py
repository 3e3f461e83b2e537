"""Markers, keywords and notes of FCPXML."""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import TimeRange

from host_bridge.timeline.read.fcpxml.resources import seconds_of
from host_bridge.timeline.read.model import rational_time, seconds

_MARKERS = ("marker", "chapter-marker", "keyword")


def markers_of(
    element: Element, begin: Fraction, end: Fraction, rate: Fraction
) -> tuple[list[otio.schema.Marker], str]:
    """Return the markers, keywords and notes of an element that touch the part of it that is used, from begin to end, and what is to be said of others."""
    found, said = [], ""
    for child in element:
        if child.tag == "note":
            found.append(note_of(child, rate, end - begin, begin))
        elif child.tag in _MARKERS:
            at, length = seconds_of(child, "start", begin), seconds_of(child, "duration")
            if at < end and (at + length > begin or at == begin):
                found.append(_marker(child.get("value", ""), child.get("note", ""), at, length, rate))
            elif "FACE" in f"{child.get('value', '')} {child.get('note', '')}".upper():
                said = "a marker that says FACE lies outside of what is used of it, and is not followed"
    return found, said


def note_of(element: Element, rate: Fraction, length: Fraction, begin: Fraction = Fraction(0)) -> otio.schema.Marker:
    """A note as a marker over all of what it is about."""
    return _marker("", (element.text or "").strip(), begin, length, rate)


def _marker(name: str, comment: str, begin: Fraction, length: Fraction, rate: Fraction) -> otio.schema.Marker:
    span = TimeRange(rational_time(begin, rate), rational_time(length, rate))
    return otio.schema.Marker(name, span, comment=comment)


def moved(marker: otio.schema.Marker, by: Fraction, rate: Fraction) -> otio.schema.Marker:
    """The same marker, some seconds later."""
    begin = seconds(marker.marked_range.start_time, "a marker") + by
    return _marker(marker.name, marker.comment, begin, seconds(marker.marked_range.duration, "a marker"), rate)
