"""The index `faceplate.fuse/1`: a Lua expression that says which frames there are, how large, and where in them something is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nodes.files import whole_file
from nodes.footage.info import FootageInfo
from nodes.types import Roi

SCHEMA = "faceplate.fuse/1"
FOLDER, INDEX = "fusion", "index.lua"
_MOST = 0xFFFF  # pixels, in a window's four hexadecimal digits

Corners = tuple[tuple[float, float], ...]


def write_index(
    folder: Path,
    node: str,
    info: FootageInfo,
    first: int,
    *,
    windows: Sequence[Roi] | None = None,
    depth: int = 8,
    outlines: Mapping[int, Sequence[tuple[int, Corners]]] | None = None,
    count: int | None = None,
) -> Path:
    """Write `index.lua` into `folder` for frames from the plate's number `first` on; raises OutputError.

    windows: of each frame's pictures what is not empty, x to the right and y down. depth: bits of the pictures. outlines: by the frame's number (track,
    its corners in plate pixels); count: of frames then.
    """
    fields = {
        "schema": quoted(SCHEMA),
        "node": quoted(node),
        "width": info.width,
        "height": info.height,
        "colour": quoted(info.colour),
        "first": first,
        "last": first + (len(windows) if windows is not None else count or 0) - 1,
    }
    if windows is not None:
        # One string: Lua takes no more than 65536 constants in a file.
        fields |= {"depth": depth, "windows": quoted("".join(map(_window, windows)))}
    if outlines is not None:
        lines = (
            " ".join([str(number), str(track), *(f"{v:.1f}" for point in corners for v in point)])
            for number, found in sorted(outlines.items())
            for track, corners in found
        )
        fields["outlines"] = quoted("\n" + "".join(f"{line}\n" for line in lines))
    path = folder / INDEX
    with whole_file(path) as temporary:
        told = "".join(f"  {name} = {value},\n" for name, value in fields.items())
        temporary.write_text(f"return {{\n{told}}}\n", "utf-8", newline="\n")
    return path


def quoted(text: str) -> str:
    """A string as Lua reads it, with nothing but ASCII in it."""
    escaped = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else "\\n" if b == 10 else f"\\{b:03d}" for b in text.encode()
    )
    return f'"{escaped}"'


def _window(roi: Roi) -> str:
    if roi.empty:
        return "0" * 16
    return "".join(f"{min(v, _MOST):04x}" for v in (roi.x0, roi.y0, roi.x1, roi.y1))
