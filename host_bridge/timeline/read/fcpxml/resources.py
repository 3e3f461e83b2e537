"""The resources of an FCPXML document: formats, media, and what else clips refer to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.model import rational_time
from nodes.footage.rates import snap_rate

_TIME = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)(?:/(\d+))?s?\s*")
_MOST = 10**9  # seconds
_NAMED = re.compile(r"([ip])(\d{2,5})(?:_\w+)?$")


@dataclass(frozen=True, slots=True)
class Asset:
    """A media file. start, length: in seconds of its own timecode; length None where it is not said. rate: None for stills and sound."""

    name: str
    rate: Fraction | None
    start: Fraction
    length: Fraction | None
    pictures: bool
    sound: bool
    urls: dict[str, str]

    def references(self, fallback: Fraction) -> dict[str, otio.core.MediaReference]:
        """Media references of its files: the original, and a proxy beside it. fallback: a rate for sound."""
        there = None
        if self.length:
            rate = self.rate or fallback
            there = TimeRange(rational_time(self.start, rate), RationalTime(float(self.length * rate), float(rate)))
        found = {}
        for key, url in self.urls.items():
            found[key] = otio.schema.ExternalReference(url, there)
            found[key].name = self.name
        return found or {"DEFAULT_MEDIA": otio.schema.MissingReference(name=self.name, available_range=there)}


class Resources:
    """All elements of a document that have an id."""

    def __init__(self, root: Element) -> None:
        self._elements = {
            element.get("id", ""): element
            for holder in root.iter("resources")
            for element in holder
            if element.get("id")
        }

    def get(self, id: str | None) -> Element | None:
        """The element that a reference leads to."""
        return self._elements.get(id or "")

    def rate(self, id: str | None) -> Fraction | None:
        """The frame rate of a format, in frames per second; None for formats without one."""
        element = self.get(id)
        if element is None or element.tag != "format":
            return None
        if element.get("frameDuration"):
            duration = seconds_of(element, "frameDuration")
            return snap_rate(1 / duration) if duration else None
        named = _NAMED.search(element.get("name") or "")
        if named is None:
            return None
        digits = named[2]
        rate = Fraction(int(digits), 100 if len(digits) > 3 or digits in ("2398", "4795") else 1)
        return snap_rate(rate / 2 if named[1] == "i" else rate)

    def asset(self, element: Element) -> Asset:
        """What an asset element says."""
        kinds = {"original-media": "DEFAULT_MEDIA", "proxy-media": "proxy"}
        urls = {
            kinds.get(rep.get("kind") or "original-media", "DEFAULT_MEDIA"): rep.get("src", "")
            for rep in element.findall("media-rep")
            if rep.get("src")
        }
        if element.get("src"):
            urls.setdefault("DEFAULT_MEDIA", element.get("src", ""))
        if "DEFAULT_MEDIA" not in urls and urls:
            urls = {"DEFAULT_MEDIA": next(iter(urls.values()))}
        length = seconds_of(element, "duration") if element.get("duration") else None
        sound = element.get("hasAudio") == "1"
        return Asset(
            name=element.get("name", ""),
            rate=self.rate(element.get("format")),
            start=seconds_of(element, "start"),
            length=length or None,
            pictures=element.get("hasVideo") == "1" or (not sound and element.get("hasVideo") != "0"),
            sound=sound,
            urls=urls,
        )


def seconds_of(element: Element, name: str, default: Fraction = Fraction(0)) -> Fraction:
    """The time that an attribute says, such as `1001/24000s` or `5s`; raises ValueError for what is not a time."""
    text = element.get(name)
    return default if text is None else parse_time(text, f"{called(element)}: {name}")


def parse_time(text: str, what: str) -> Fraction:
    """A time of FCPXML in seconds; raises ValueError, which calls it `what`."""
    match = _TIME.fullmatch(text)
    if match is None or (match[2] and int(match[2]) == 0):
        raise ValueError(f"{what} is '{text[:40]}', which is not a time")
    time = Fraction(match[1]) / int(match[2] or 1)
    if abs(time) > _MOST:
        raise ValueError(f"{what} is {float(time):.3g} s, which is out of range")
    return time


def called(element: Element) -> str:
    """An element as a person finds it."""
    name = element.get("name")
    return f"{element.tag} '{name[:60]}'" if name else element.tag
