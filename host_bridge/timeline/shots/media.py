"""What is behind a clip: the file that its media reference names, its rate, the timecode that it begins with, its length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.model import nearest, seconds
from host_bridge.timeline.read.places import Header, Places, begin_of, read_header
from host_bridge.timeline.shots.results import Result, result_behind
from host_bridge.timeline.shots.series import series_behind
from host_bridge.timeline.shots.shot import Media
from nodes.errors import FootageError, SchemaError
from nodes.footage.rates import frames_per_day, snap_rate

OURS, MEDIA = "faceplate", "faceplate.media/1"


@dataclass(frozen=True, slots=True)
class Found:
    """A clip's media. origin: when it begins, as the document counts, in seconds. length: in seconds, if that is known.

    patch: it is a patch of ours, which shows no plate.
    """

    media: Media
    origin: Fraction
    length: Fraction | None
    notes: tuple[str, ...] = ()
    patch: bool = False


def media_of(clip: Any, places: Places, rate: Fraction, *, results: bool = False) -> Found:
    """Find what a clip shows: its active media reference, or another where that is missing.

    rate: of the sequence, for media that say none. results: take what Faceplate made too; else the plate is given in its place,
    or media that are missing, where the plate is not known.
    """
    references = dict(clip.media_references())
    active = clip.active_media_reference_key
    keys = [
        k
        for k in dict.fromkeys((active, "DEFAULT_MEDIA", *sorted(references)))
        if k in references and (results or not _ours(k, references[k]))
    ]
    keys = keys or list(references)
    tried: list[Found] = []
    for key in keys:
        found = _look(clip, key, references[key], places, rate)
        if not results and (result := result_behind(found.media.url, found.media.path)) is not None:
            found = _plate_of(found, result)
        if found.media.path is not None or found.patch:
            if key != active and tried:
                found = _noted(found, f"the active media '{active}' {_why(tried[0])}; '{key}' is used")
            return found
        tried.append(found)
    if tried:
        return tried[0]
    return Found(Media("", None, rate, 0, None), Fraction(0), None, ("media has no reference",))


def _plate_of(found: Found, result: Result) -> Found:
    """What a result was made of, in its place, counted as the document counts the result."""
    media, plate = found.media, result.plate
    name = (media.path or PurePosixPath(media.url)).name
    if result.patch or plate is None or plate.path is None:
        what = "patch" if result.patch else "result"
        note = f"media is a {what} of Faceplate ({name}), whose plate is not known here: it is left as it is"
        return Found(replace(media, path=None), found.origin, found.length, (note,), result.patch)
    origin = found.origin - result.first / media.rate
    shown = replace(media, path=plate.path, start=nearest(origin * media.rate), frames=plate.frames)
    length = None if plate.frames is None else plate.frames / media.rate
    note = f"media is a result of Faceplate ({name}); its plate is taken: {plate.path}"
    return Found(shown, origin, length, (*found.notes, note))


def _ours(key: str, reference: Any) -> bool:
    block = reference.metadata.get(OURS) if reference is not None else None
    return key == OURS or (isinstance(block, Mapping) and block.get("schema") == MEDIA)


def _why(found: Found) -> str:
    return found.notes[-1].removeprefix("media ") if found.notes else "is missing"


def _noted(found: Found, note: str) -> Found:
    return Found(found.media, found.origin, found.length, (*found.notes, note))


def _look(clip: Any, key: str, reference: Any, places: Places, rate: Fraction) -> Found:
    url = _url(reference)
    name = "" if url or not isinstance(reference, otio.schema.MissingReference) else reference.name or clip.name
    path, note = places.find(url, name) if url or name else (None, "is not named")
    notes = [f"media {note}"] if note else []
    what = f"the media of clip '{clip.name}'"
    available = reference.available_range
    told = None if available is None else snap_rate_of(available.duration, what)
    began = None if available is None else seconds(available.start_time, what)
    length = None if available is None else seconds(available.duration, what)
    ahead = 0
    if path is not None and isinstance(reference, otio.schema.ExternalReference):
        path, ahead, said = series_behind(path, available, clip.source_range)
        notes += [said] if said else []
    header = None
    if path is not None:
        try:
            header = read_header(path)
        except FootageError as e:
            notes.append(f"media cannot be used: {e}")
            path = None
    if length is not None and length < 0:
        raise SchemaError(f"{what} is {float(length):g} s long", remedy="Export the edit again")
    if header is None:
        media_rate = told or rate
        began = began if began is not None else _first_used(clip)
        frames = None if length is None else nearest(length * media_rate)
        media = Media(url, None, media_rate, nearest(began * media_rate), frames, key)
        return Found(media, began, length, tuple(notes))
    media_rate, said = _rate(header, told, length, rate)
    notes += [said] if said else []
    if began is None:
        began = Fraction(_timecode(clip, header, media_rate)) / media_rate
    elif length and clip.source_range is not None:
        used, day = _first_used(clip), frames_per_day(media_rate, drop=header.drop) / media_rate
        began = next((b for b in (began, began - day, began + day) if b <= used < b + length), began)
    start = nearest(began * media_rate)
    if isinstance(reference, otio.schema.ImageSequenceReference) and header.start is not None:
        ahead = reference.start_frame - header.start
        if reference.frame_step != 1:
            notes.append(f"media: every {reference.frame_step}th image is named; all are taken")
    # Files before the first that the document names move position 0.
    start, began = start - ahead, began - ahead / media_rate
    media = Media(url, path, media_rate, start, header.frames, key)
    return Found(media, began, length if length is not None else header.frames / media_rate, tuple(notes))


def snap_rate_of(time: Any, what: str) -> Fraction:
    """The exact rate of a RationalTime; raises SchemaError, which calls it `what`, where it is none."""
    try:
        return snap_rate(time.rate)
    except ValueError as e:
        raise SchemaError(f"{what}: {e}", remedy="Export the edit again") from e


def _url(reference: Any) -> str:
    if isinstance(reference, otio.schema.ImageSequenceReference):
        base = reference.target_url_base
        slash = "" if not base or base.endswith(("/", "\\")) else "\\" if "\\" in base and "/" not in base else "/"
        digits = reference.frame_zero_padding
        place = f"%0{digits}d" if digits else "%d"
        return f"{base}{slash}{reference.name_prefix}{place}{reference.name_suffix}"
    return str(getattr(reference, "target_url", None) or "")


def _rate(header: Header, told: Fraction | None, length: Fraction | None, rate: Fraction) -> tuple[Fraction, str]:
    """A file's own rate, unless the editor plays its frames at another: then the document counts the same frames at that."""
    if header.rate is None or told is None or told == header.rate or length is None or header.still:
        return header.rate or told or rate, ""
    same_frames = abs(length * told - header.frames)
    same_time = abs(length - header.frames / header.rate) * header.rate
    if same_frames < same_time and same_frames <= max(1, header.frames // 100):
        return told, f"media is played at {float(told):.6g} frames per second; the file says {float(header.rate):.6g}"
    return header.rate, ""


def _timecode(clip: Any, header: Header, rate: Fraction) -> int:
    """The file's timecode as the document counts it: 0 where it counts from the first frame, a day less where it goes on after midnight."""
    if header.start is None or clip.source_range is None:
        return header.start or 0
    used = seconds(clip.source_range.start_time, f"clip '{clip.name}'") * rate
    day = frames_per_day(rate, drop=header.drop)
    return int(begin_of(used, Fraction(header.start), Fraction(header.frames), day))


def _first_used(clip: Any) -> Fraction:
    """Nothing says where missing media begin: they are taken to begin where the clip does."""
    if clip.source_range is None:
        return Fraction(0)
    return seconds(clip.source_range.start_time, f"clip '{clip.name}'")
