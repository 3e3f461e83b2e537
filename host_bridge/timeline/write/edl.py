"""Writer of EDLs (CMX 3600) with timecodes as counts of frames, and the rate in a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.read.edl import KEY, is_drop_frame, speed_of_m2
from host_bridge.timeline.read.edl_text import BARS, RATE, SOURCE_IN, SOURCE_RATE
from host_bridge.timeline.read.model import (
    SLACK,
    block_of,
    exact,
    nearest,
    samples_down,
    seconds,
    start_of,
    start_of_edit,
)
from host_bridge.timeline.read.places import Header, Places, read_header
from host_bridge.timeline.shots.find import find_shots, sequence_rate
from host_bridge.timeline.shots.shot import Shot
from host_bridge.timeline.write.writer import TimelineWriter, cannot_hold
from nodes.footage.rates import nominal, timecode_of

_PLACE = re.compile(r"%0?(\d*)d")
_Lines = tuple[list[str], list[str]]  # those with the event's number, and the comments below


def reduce_to_edl(timeline: Any) -> Any:
    """Reduce a timeline, in place, to the content of an EDL: one video track, without disabled items.

    Raises OutputError for several tracks, and for items that no event can hold.
    """
    tracks = [t for t in timeline.tracks if getattr(t, "kind", "Video") == "Video" and t.enabled and t.find_clips()]
    if len(tracks) != 1 or not isinstance(tracks[0], otio.schema.Track):
        raise cannot_hold(f"has {len(tracks)} video tracks with clips; an EDL holds one")
    for i in reversed(range(len(timeline.tracks))):
        if not any(timeline.tracks[i] is track for track in tracks):
            del timeline.tracks[i]
    for i, item in enumerate(tracks[0]):
        if isinstance(item, otio.schema.Stack | otio.schema.Track):
            raise cannot_hold(f"cannot hold '{item.name}', which is an edit of its own")
        for effect in item.effects if isinstance(item, otio.schema.Clip) else ():
            if isinstance(effect, otio.schema.TimeEffect) and not isinstance(effect, otio.schema.LinearTimeWarp):
                raise cannot_hold(f"cannot hold the speed of clip '{item.name}', which changes")
        if isinstance(item, otio.schema.Clip) and not item.enabled:
            tracks[0][i] = otio.schema.Gap(source_range=item.trimmed_range())
    return timeline


def edl_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline from `reduce_to_edl` as an EDL; raises OutputError.

    places: of its media. name: title for a timeline without a name.
    """
    return _EdlWriter(timeline, places, name).text().encode()


@dataclass(frozen=True, slots=True)
class _EventSource:
    """The source of an event. labels: of the first frame and of the one after the last. names: of the clip and its media."""

    reel: str
    labels: tuple[str, str]
    comments: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


_NOTHING = _EventSource("BL", ("00:00:00:00", "00:00:00:00"))


class _EdlWriter(TimelineWriter):
    def __init__(self, timeline: Any, places: Places, name: str) -> None:
        super().__init__(places, sequence_rate(timeline))
        self.timeline, self.title = timeline, timeline.name or name
        self.shots = {shot.where: shot for shot in find_shots(Edit(Path(name), "", timeline, places), results=True)}
        self.drop = is_drop_frame(timeline)
        self.start = nearest(start_of_edit(timeline) * self._rate)

    def text(self) -> str:
        """Return the text of the EDL."""
        drop = "DROP FRAME" if self.drop else "NON-DROP FRAME"
        lines = [f"TITLE: {_line(self.title)}", f"FCM: {drop}", ""]
        for number, (events, comments) in enumerate(self._events(), 1):
            lines += [f"{number:03}  {event}" for event in events]
            lines += [*comments, *([f"* {RATE}: {self._rate}"] if number == 1 else [])]
        if len(lines) == 3:
            raise cannot_hold("has no clips that are seen")
        return "\n".join((*lines, ""))

    def _events(self) -> Iterator[_Lines]:
        (track,) = self.timeline.tracks
        before, end, fade = _NOTHING, 0, None
        for i, item in enumerate((*track, None)):  # None: for a transition at the end
            if isinstance(item, otio.schema.Transition):
                fade = item
                continue
            shot = self.shots.get((0, i))
            if shot is not None:
                begin = shot.record[0]
                if not end and begin:
                    yield self._lines(_NOTHING, (0, begin))  # so that the edit keeps its begin
                after = track[i + 1] if i + 1 < len(track) else None
                ahead = self.offsets(after)[0] if isinstance(after, otio.schema.Transition) else 0
                end = sum(shot.record) - shot.transitions[1] - ahead
                source = self._source(item, shot, end - begin, ahead)
                yield self._lines(source, (begin, end), before, fade)
            else:
                source = _NOTHING
                if fade is not None and end:
                    yield self._lines(source, (end, end + sum(self.offsets(fade))), before, fade)
            before, fade = source, None

    def _lines(
        self, source: _EventSource, record: tuple[int, int], before: _EventSource = _NOTHING, fade: Any = None
    ) -> _Lines:
        begin, end = (timecode_of(self.start + at, self._rate, drop=self.drop) for at in record)
        kind = "C" if fade is None else f"{_kind(fade):4} {sum(self.offsets(fade)):03}"
        line = f"{source.reel:8} V     {kind:8} {' '.join(source.labels)} {begin} {end}"
        if fade is None:
            return [line], [*source.comments, *(f"* FROM {name}" for name in source.names)]
        cut = f"{before.reel:8} V     {'C':8} {before.labels[1]} {before.labels[1]} {begin} {begin}"
        names = (*(f"* FROM {name}" for name in before.names), *(f"* TO {name}" for name in source.names))
        return [cut, line], [*source.comments, *names]

    def _source(self, clip: Any, shot: Shot, length: int, ahead: int) -> _EventSource:
        """Return the source of a clip. length: of its event, which ends `ahead` frames before the clip itself, where the transition begins."""
        reference, source = clip.media_reference, self.media(clip)
        media = source.media
        black = isinstance(reference, otio.schema.GeneratorReference)
        if black or (media.path is None and not media.url):
            reel = {"black": "BL", "SMPTEBars": BARS}.get(reference.generator_kind, "AX") if black else "AX"
            comments = [f"* COMMENT: {_line(clip.name)}"] if reel == "AX" and clip.name else []
            return _EventSource(reel, (timecode_of(0, self._rate), timecode_of(length, self._rate)), comments)
        header = None if media.path is None else read_header(media.path)
        at, speed = media.rate, Fraction(1)
        for effect in clip.effects:
            if isinstance(effect, otio.schema.LinearTimeWarp) and getattr(effect, "enabled", True):
                speed *= exact(effect.time_scalar)
        begin = (start_of(clip) - source.origin) * at if clip.source_range else Fraction(0)
        # A reversed event plays its source from the end, so frames cut off there move its beginning.
        begin += abs(speed) * at / self._rate * (ahead if speed < 0 else -shot.transitions[0])
        begin += SLACK - Fraction(1, 2) if samples_down(clip) else 0
        position = nearest(begin)
        base = media.start if header is None else header.start or 0
        first = base + position
        count = max(1, round(abs(speed) * length * at / self._rate))
        labels = self._label(first, at, header), self._label(first + count, at, header)
        reel, comments = _reel(clip, media.url), [] if at == self._rate else [f"* {SOURCE_RATE}: {at}"]
        if begin != position or not 0 <= position < (media.frames or position + 1):
            comments.append(f"* {SOURCE_IN}: {base + begin}")
        if speed != 1:
            frame = first + count - 1 if speed < 0 else first
            comments.insert(0, f"M2   {reel:8}       {_m2(speed, self._rate):21} {self._label(frame, at, header)}")
        comments += [self._locator(marker) for marker in clip.markers]
        comments += [f"* {_line(c)}" for c in block_of(clip, KEY).get("comments", ())]
        url = re.sub(r"[\r\n]+", " ", media.url)
        if place := _PLACE.search(url):
            number = position + (reference.start_frame if header is None else header.start or 0)
            numbers = "-".join(f"{n:0{place[1] or 1}}" for n in (number, number + count - 1))
            url = f"{url[: place.start()]}[{numbers}]{url[place.end() :]}"
        names = [f"CLIP NAME: {_line(clip.name)}"] if clip.name else []
        return _EventSource(reel, labels, comments, [*names, f"CLIP: {url}"])

    def _label(self, number: int, at: Fraction, header: Header | None) -> str:
        """Return a label of the source, in the media's own timecode if they have one."""
        own = header is not None and header.start is not None and header.rate and nominal(header.rate) == nominal(at)
        return timecode_of(number, at, drop=header.drop if own and header else self.drop)

    def _locator(self, marker: Any) -> str:
        at = nearest(seconds(marker.marked_range.start_time, f"marker '{marker.name}'") * self._rate)
        text = _line(f"{marker.name} {marker.comment}")
        return f"* LOC: {timecode_of(at, self._rate, drop=self.drop)} {marker.color or 'RED':7} {text}"


def _kind(fade: Any) -> str:
    """Return the code of a transition: from an earlier EDL, else D for a dissolve, W001 for a wipe."""
    code = str(block_of(fade, KEY).get("transition", ""))
    return code if re.fullmatch(r"D|W\d{3}", code) else "W001" if "Wipe" in fade.transition_type else "D"


def _reel(clip: Any, url: str) -> str:
    """Return the reel: from an earlier EDL, else eight letters of the media's name."""
    name = re.split(r"[/\\]", url)[-1].rpartition(".")[0] or clip.name
    return _line(str(block_of(clip, KEY).get("reel", ""))) or re.sub(r"[^A-Za-z0-9_]", "", name)[:8] or "AX"


def _m2(speed: Fraction, rate: Fraction) -> str:
    """Format a speed in frames per second, with enough digits to read it back."""
    fps = abs(speed) * nominal(rate)
    for digits in range(1, 10):
        text = f"{'-' if speed < 0 else ''}{float(fps):0{4 + digits}.{digits}f}"
        if abs(Fraction(text)) == fps or (digits > 5 and speed_of_m2(text, rate)[0] == speed):
            break
    return text


def _line(text: str) -> str:
    return " ".join(text.split())
