"""Read an EDL (CMX 3600): its timecodes are counts of frames, its events clips on tracks, its M2 lines speeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.document import Document
from host_bridge.timeline.read.edl_rate import Chosen, Sourced, choose_rate
from host_bridge.timeline.read.edl_source import Source, counted_as_media, counts_of, source_of
from host_bridge.timeline.read.edl_text import BARS, BLACK, Event, parse_edl
from host_bridge.timeline.read.model import add_note
from host_bridge.timeline.read.places import Places, read_header
from nodes.errors import FootageError
from nodes.footage.formats import IMAGES
from nodes.footage.rates import frames_per_day

KEY = "cmx_3600"
_MOVIES = (".mov", ".mxf", ".mp4", ".mkv")
_RANGE = re.compile(r"^(.*?)\[(\d+)-\d+\](\.\w+)$")


def read_edl(document: Document) -> Any:
    """Return the timeline of an EDL.

    Its media say the rate, unless the user does. How the
    rate was chosen, and what of an event cannot be followed, is in notes. Raises SchemaError, which names the event.
    """
    path = document.path
    text = parse_edl(document.data, path)
    sourced = [_sourced(event, document.places) for event in text.events]
    chosen = choose_rate(text, sourced, path, document.rate)
    timeline = otio.schema.Timeline(text.title)
    if chosen.drop:
        timeline.metadata[KEY] = {"drop": True}
    add_note(timeline, *chosen.notes)
    _Builder(path, chosen, sourced, timeline).build()
    return timeline


def is_drop_frame(timeline: Any) -> bool:
    """Tell whether an EDL, from which a timeline was read, counts its record as drop-frame."""
    about = timeline.metadata.get(KEY)
    return bool(about.get("drop")) if hasattr(about, "get") else False


def _sourced(event: Event, places: Places) -> Sourced:
    """The media of an event: the first of its names that is found; else the likeliest name."""
    for name in event.names:
        name = _RANGE.sub(lambda m: f"{m[1]}%0{len(m[2])}d{m[3]}", name)
        known = Path(name).suffix.lower() in (*_MOVIES, *IMAGES) or len(Path(name).suffix) == 4
        for suffix in ("",) if known else ("", *_MOVIES):
            found, _ = places.find(name + suffix)
            if found is None:
                continue
            try:
                return Sourced(event, name + suffix, read_header(found))
            except FootageError:
                return Sourced(event, name + suffix)
    return Sourced(event, event.names[0] if event.names else "")


@dataclass
class _Builder:
    path: Path
    chosen: Chosen
    sourced: Sequence[Sourced]
    timeline: Any

    def __post_init__(self) -> None:
        self.as_media = counted_as_media(self.sourced, self.chosen)

    def build(self) -> None:
        """Put every event on its tracks."""
        chosen, rate = self.chosen, float(self.chosen.rate)
        day = frames_per_day(chosen.rate, drop=chosen.drop)
        begins: list[int] = []
        for one in self.sourced:
            begin = chosen.number(one.event.record[0], one.event)
            before = begins[-1] if begins else begin
            begins.append(begin + day * round(Fraction(before - begin, day)))  # over midnight it goes on
        start = min(begins)
        self.timeline.global_start_time = RationalTime(start % day, rate)
        tracks: dict[str, list[tuple[Any, int]]] = {}
        order = sorted(range(len(begins)), key=lambda i: begins[i])
        moments = sorted(set(begins))
        after = dict(itertools.pairwise(moments))
        for i in order:
            one, at = self.sourced[i], begins[i] - start
            length, notes = self._length(one, after.get(begins[i], begins[i]) - begins[i])
            if not length or not one.event.channels:
                if one.event.source[0] != one.event.source[1]:  # not the first line of a transition
                    what = "no length in the record" if one.event.channels else "no channel"
                    add_note(self.timeline, f"event {one.event.number} has {what}, and is left out")
                continue
            clip = self._clip(one, length, notes)
            for number, channel in enumerate(one.event.channels):
                self._lay(tracks.setdefault(channel, []), channel, deepcopy(clip) if number else clip, at, one.event)
        for _, layers in sorted(tracks.items(), key=lambda t: (t[0][0] == "A", len(t[0]), t[0])):
            self.timeline.tracks.extend([track for track, _ in layers])

    def _length(self, one: Sourced, room: int) -> tuple[int, list[str]]:
        """Count the frames of an event in the edit. Returns them, and notes where the EDL contradicts itself. room: frames until the next event begins."""
        event, rate = one.event, self.chosen.rate
        length, day = self.chosen.length(event.record, event), frames_per_day(rate, drop=self.chosen.drop)
        at, count = next(((at, c.count) for at, c in counts_of(one, self.chosen, as_media=self.as_media)), (rate, 0))
        source = round(count * rate / at)
        agree = abs(length * at / rate - count) < 1  # where the source is counted at another rate, it is rounded
        if event.speed is not None or event.freeze or agree or source > day // 2:
            return (0 if length > day // 2 else length), []
        if length > day // 2 or (length < source and source == room) or (not length and (source < room or not room)):
            return source, [
                f"event {event.number}: its record ends too early; it is taken to be as long as its source, {source} frames"
            ]
        return length, []

    def _lay(self, layers: list[tuple[Any, int]], channel: str, clip: Any, at: int, event: Event) -> None:
        """Put a clip where it is recorded; on a track above, where something lies there already."""
        rate = float(self.chosen.rate)
        free = next((i for i, (_, end) in enumerate(layers) if end <= at), None)
        if free is None:
            kind = "Audio" if channel.startswith("A") else "Video"
            layers.append((otio.schema.Track(channel, kind=kind), 0))
            free = len(layers) - 1
        track, end = layers[free]
        if free:
            add_note(clip, f"event {event.number} is recorded over another; it lies on a track of its own")
        if at > end:
            track.append(otio.schema.Gap(source_range=TimeRange(RationalTime(0, rate), RationalTime(at - end, rate))))
        if event.kind[0] in "DW" and event.length:
            track.append(self._transition(event, clip.name))
        track.append(clip)
        layers[free] = (track, at + int(clip.source_range.duration.value))

    def _transition(self, event: Event, name: str) -> Any:
        kind = "SMPTE_Dissolve" if event.kind == "D" else "SMPTE_Wipe"
        rate = float(self.chosen.rate)
        return otio.schema.Transition(
            f"{kind} to {name}",
            kind,
            RationalTime(0, rate),
            RationalTime(event.length, rate),
            metadata={KEY: {"transition": event.kind, "transition_duration": event.length}},
        )

    def _clip(self, one: Sourced, length: int, notes: list[str]) -> Any:
        event, rate = one.event, self.chosen.rate
        speed, source, said = source_of(one, length, self.chosen, self.path, as_media=self.as_media)
        clip = otio.schema.Clip(
            event.name or Path(one.name).stem or event.number,
            self._reference(one, source, length),
            TimeRange(RationalTime(float(source.start), float(source.at)), RationalTime(length, float(rate))),
        )
        if event.freeze or (event.speed is not None and not speed):
            clip.effects.append(otio.schema.FreezeFrame())
        elif speed != 1:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
        for label, colour, text in event.locators:
            with suppress(ValueError):  # a locator says nothing of the frames
                at = RationalTime(self.chosen.number(label, event), float(rate))
                marker = otio.schema.Marker(
                    text, TimeRange(at, RationalTime(0, float(rate))), metadata={KEY: {"color": colour}}
                )
                marker.color = colour.upper() if hasattr(otio.schema.MarkerColor, colour.upper()) else "RED"
                clip.markers.append(marker)
        about: dict[str, Any] = {"comments": event.comments} if event.comments else {}
        if event.reel.upper() not in ("", "AX"):
            about["reel"] = event.reel
        if about:
            clip.metadata[KEY] = about
        if event.kind.startswith("K"):
            notes.append(f"event {event.number} is a key ({event.kind}), which is taken for a cut")
        add_note(clip, *notes, *said, *(f"event {event.number}: {note}" for note in event.notes))
        return clip

    def _reference(self, one: Sourced, source: Source, length: int) -> Any:
        reel = one.event.reel.upper()
        if reel in (*BLACK, BARS):
            return otio.schema.GeneratorReference(generator_kind="SMPTEBars" if reel == BARS else "black")
        if not one.name:
            return otio.schema.MissingReference()
        at, numbers = float(source.at), _RANGE.match(next((n for n in one.event.names if _RANGE.match(n)), ""))
        if numbers and "%" in one.name:
            folder, _, prefix = numbers[1].rpartition("/")
            return otio.schema.ImageSequenceReference(
                target_url_base=folder,
                name_prefix=prefix,
                name_suffix=numbers[3],
                rate=at,
                start_frame=int(numbers[2]),
                frame_zero_padding=len(numbers[2]),
                available_range=TimeRange(RationalTime(float(source.start), at), RationalTime(length, at)),
            )
        return otio.schema.ExternalReference(one.name, source.available)
