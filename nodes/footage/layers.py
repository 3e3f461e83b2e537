"""Layers of an image file: which of its channels are the picture, in which of its parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodes.errors import FootageError
from nodes.text import counted

# As renderers and compositing programs call what is looked at.
_PICTURES = frozenset(
    ["", "rgba", "rgb", "beauty", "combined", "composite", "c", "ci", "color", "colour", "main", "image", "default"]
)
_DATA = re.compile(
    r"(?:^|[._])(?:n|p|z|uv|id)(?:$|[._])|normal|depth|position|crypto|motion|vector|velocity", re.IGNORECASE
)
_LONG = {"red": "r", "green": "g", "blue": "b", "alpha": "a"}


@dataclass(frozen=True, slots=True)
class Channels:
    """Where red, green, blue and alpha are among a file's channels; grey images name one channel three times."""

    rgb: tuple[int, int, int]
    alpha: int | None

    @property
    def grey(self) -> bool:
        """Whether one channel stands for all three colours."""
        return self.rgb[0] == self.rgb[1] == self.rgb[2]


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture among the channels of a file. part: its number in the file."""

    name: str
    part: int
    channels: Channels


def choose_layer(parts: Sequence[Any], path: Path, frame: int, wanted: str | None = None) -> Layer:
    """Choose the picture of an EXR file by the headers of its parts: the layer `wanted`, else the unnamed one or the beauty, else the only one.

    Raises FootageError for a layer that is not there, and where nothing says which layer is the picture.
    """
    layers = [layer for number, part in enumerate(parts) for layer in _layers(number, part, several=len(parts) > 1)]
    names = ", ".join(layer.name or "(unnamed)" for layer in layers)
    if wanted is not None:
        asked = wanted.lower()
        found = [w for w in layers if w.name.lower() == asked]
        found = found or [w for w in layers if asked in w.name.lower().split(".")]
        # In the composite, which has one part, layers have no name of their part.
        found = found or [w for w in layers if w.name and asked.endswith(f".{w.name.lower()}")]
        if len(found) != 1:
            what = f"has no layer '{wanted}' with a picture" if not found else f"has several layers called '{wanted}'"
            raise FootageError(what, file=path, frame=frame, remedy=f"Choose one with --layer: {names}")
        return found[0]
    if usual := [w for w in layers if _PICTURES & set(w.name.lower().split("."))]:
        return min(usual, key=lambda w: w.name != "")
    if len(pictures := [w for w in layers if not _DATA.search(w.name)]) == 1:
        return pictures[0]
    if len(parts) == 1 and parts[0].nchannels == 1:
        return Layer("", 0, Channels((0, 0, 0), None))
    if not layers:
        held = ", ".join(name for part in parts for name in part.channelnames)
        raise FootageError(
            f"has no picture; its channels are {held}",
            file=path,
            frame=frame,
            remedy="Render R, G and B channels, or one called Y",
        )
    raise FootageError(
        f"holds {counted(len(layers), 'layer')}, and none is called as pictures are",
        file=path,
        frame=frame,
        remedy=f"Choose one with --layer: {names}",
    )


def channels_of(header: Any) -> Channels:
    """Find red, green, blue and alpha by their names, else by their order."""
    names = [str(name).upper() for name in header.channelnames]
    alpha = names.index("A") if "A" in names else None
    if alpha is None and 0 <= header.alpha_channel < len(names):
        alpha = header.alpha_channel
    if {"R", "G", "B"} <= set(names):
        return Channels((names.index("R"), names.index("G"), names.index("B")), alpha)
    colour = [i for i in range(len(names)) if i != alpha] or [0]
    first = names.index("Y") if "Y" in names else colour[0]
    if len(colour) < 3 or "Y" in names:
        return Channels((first, first, first), alpha if alpha != first else None)
    return Channels((colour[0], colour[1], colour[2]), alpha)


def _layers(number: int, part: Any, *, several: bool) -> list[Layer]:
    """The layers of a part that hold a picture: red, green and blue, or luminance without colour differences."""
    title = str(part.getattribute("oiio:subimagename") or part.getattribute("name") or "") if several else ""
    groups: dict[str, dict[str, int]] = {}
    for i, name in enumerate(part.channelnames):
        layer, _, channel = str(name).rpartition(".")
        groups.setdefault(layer, {})[_LONG.get(channel.lower(), channel.lower())] = i
    found = []
    for layer, at in groups.items():
        name = layer if layer.lower().startswith(title.lower()) else ".".join(filter(None, (title, layer)))
        if {"r", "g", "b"} <= at.keys():
            found.append(Layer(name, number, Channels((at["r"], at["g"], at["b"]), at.get("a"))))
        elif "y" in at and not {"x", "z", "ry", "by"} & at.keys():
            found.append(Layer(name, number, Channels((at["y"],) * 3, at.get("a"))))
    return found
