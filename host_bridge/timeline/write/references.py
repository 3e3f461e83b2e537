"""Media references to results, and where they go in a clip."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from host_bridge.timeline.made import media_sha256
from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.write.profiles import Profile
from host_bridge.timeline.write.tree import (
    CLIP,
    DEFAULT_KEY,
    MEDIA,
    NAME,
    Node,
    free_key,
    mark,
    schema,
    time_range,
    written_rate,
)
from nodes.footage.numbering import numbered
from nodes.footage.rates import snap_rate

Kind = Literal["composite", "patch"]
Alpha = Literal["straight", "premultiplied"]
_PLACE = re.compile(r"%0(\d+)d")


@dataclass(frozen=True, slots=True)
class ResultMedia:
    """A file, or a sequence as name.%04d.exr. start: number of its first frame as the edit counts, in media frames.

    number: that of the first file of a sequence. alpha: how its colour stands to its alpha, None where it has none.
    sha256: see `media_sha256`, None while nobody has looked.
    """

    path: Path
    kind: Kind
    rate: Fraction
    start: int
    frames: int
    number: int | None = None
    alpha: Alpha | None = None
    sha256: str | None = None

    @property
    def hashed(self) -> ResultMedia:
        """The same with its SHA-256, for which all of it is read. Raises FootageError."""
        frames = [numbered(self.path, self.number + i) for i in range(self.frames)] if self.number is not None else None
        return replace(self, sha256=media_sha256(frames or self.path))


def reference_to(media: ResultMedia, like: Node | None, profile: Profile) -> Node:
    """A media reference to a result. like: that of the plate."""
    rate = written_rate(like, media.rate)
    about = {"kind": media.kind} | ({"alpha": media.alpha} if media.alpha else {})
    node: Node = {
        "metadata": {NAME: {"schema": MEDIA} | about},
        "name": media.path.name,
        "available_range": time_range(media.start + _beside(like, media.rate), media.frames, rate),
        "available_image_bounds": None,
    }
    place = _PLACE.search(media.path.name)
    if media.number is None or place is None:
        return {"OTIO_SCHEMA": "ExternalReference.1"} | node | {"target_url": profile.url(media.path)}
    return (
        {"OTIO_SCHEMA": "ImageSequenceReference.1"}
        | node
        | {
            "target_url_base": profile.url(media.path.parent, folder=True),
            "name_prefix": media.path.name[: place.start()],
            "name_suffix": media.path.name[place.end() :],
            "start_frame": media.number,
            "frame_step": 1,
            "rate": rate,
            "frame_zero_padding": int(place[1]),
            "missing_frame_policy": "error",
        }
    )


def _beside(like: Node | None, rate: Fraction) -> float:
    """By how much of a frame the plate's media begin beside a whole number: the result's do so too."""
    start = ((like or {}).get("available_range") or {}).get("start_time")
    if not start:
        return 0
    began = exact(start["value"]) / snap_rate(start["rate"]) * rate
    return float(began - nearest(began))


def add_reference(clip: Node, reference: Node, about: Node, *, show: bool, default_only: bool) -> None:
    """Add a media reference to a clip, under the key `faceplate`.

    about: what the clip's block says of it. show: the clip shows it from now on. default_only: what is shown stands under the usual key, and
    the plate's reference, under the key `plate`, goes before it.
    """
    undo: Node = {}
    if schema(clip) == "Clip" and "media_references" not in clip:
        undo["was"] = clip["OTIO_SCHEMA"]
        clip["OTIO_SCHEMA"] = "Clip.2"
        clip["media_references"] = {DEFAULT_KEY: clip.pop("media_reference", None)}
    references = clip["media_references"]
    shown = clip.get("active_media_reference_key", DEFAULT_KEY)
    undo["was_active"] = shown
    key = free_key(references, NAME)
    if show and default_only:
        undo["moved"] = free_key(references, "plate")
        references[undo["moved"]] = references.pop(shown)
        key = shown
    references[key] = reference
    clip["active_media_reference_key"] = key if show else shown
    mark(clip, CLIP, about | {"key": key} | undo)
