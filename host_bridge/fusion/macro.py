"""Macros: a rendered shot as nodes that Fusion has itself, for those who install no Fuses, and the Fuse Swap as an effect of the Edit page.

A macro is a .setting to drag into a comp, a .comp to import on a clip, and a .drfx to install as an effect; `macros/` has them as templates.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.fusion.lua import templates
from nodes.files import whole_file

EFFECT = "Faceplate Swap"
_EFFECTS = "Edit/Effects/Faceplate"
_FOLDER = Path(__file__).with_name("macros")


@dataclass(frozen=True, slots=True)
class Layers:
    """Numbered EXR files, premultiplied. file: the first; first, last: its number and that of the last."""

    file: Path
    first: int
    last: int

    @property
    def count(self) -> int:
        """Number of files."""
        return self.last - self.first + 1


def write_macro(folder: Path, name: str, layers: Layers, starts_at: int) -> list[Path]:
    """Write NAME.setting, NAME.comp and NAME.drfx; the same input gives the same bytes. Raises OutputError.

    starts_at: frame of the comp at which the shot's first one is to be seen, until the user says otherwise.
    """

    def text(template: str, **more: Any) -> bytes:
        values = {"name": name, "layers": layers, "starts_at": starts_at, "plate": None, **more}
        return templates().get_template(f"{template}.jinja").render(values).encode()

    setting, comp, effect = (folder / f"{name}{suffix}" for suffix in (".setting", ".comp", ".drfx"))
    with whole_file(setting) as temporary:
        temporary.write_bytes(text("setting", kind="GroupOperator"))
    with whole_file(comp) as temporary:
        temporary.write_bytes(text("comp", plate="MediaIn1"))
    with whole_file(effect) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for suffix, data in ((".setting", text("setting", kind="MacroOperator")), (".png", icon())):
            entry = zipfile.ZipInfo(f"{_EFFECTS}/{name}{suffix}", (2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return [setting, comp, effect]


def swap_effect() -> bytes:
    """Return the Fuse Swap as a .setting for the Edit page; nothing is linked to its other outputs there."""
    return (_FOLDER / "effect.setting").read_bytes()


def icon() -> bytes:
    """Return the picture of an effect in Resolve's library, a face that is half there: a PNG of 104x58 pixels."""
    return (_FOLDER / "icon.png").read_bytes()
