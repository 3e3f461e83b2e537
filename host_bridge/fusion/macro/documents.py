"""A macro as files: .setting to drag into a comp, .comp to import on a clip, .drfx to install as an effect of the Edit page."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from host_bridge.fusion.lua import Call, to_lua
from host_bridge.fusion.macro.graph import Layers, always, instance_inputs, instance_outputs, place, tools
from host_bridge.fusion.macro.icon import draw_icon
from nodes.files import whole_file

_EFFECTS = "Edit/Effects/Faceplate"


def setting(name: str, layers: Layers, starts_at: int, kind: str = "GroupOperator") -> str:
    """The macro. kind: GroupOperator, which can be opened, or MacroOperator."""
    return to_lua({"Tools": Call("ordered()", {name: _group(layers, starts_at, kind)}), "ActiveTool": name}) + "\n"


def comp(layers: Layers, starts_at: int) -> str:
    """A comp of Resolve: the same nodes, in no group, between the clip and its result."""
    inside = tools(layers, starts_at, plate="MediaIn1")
    span = [min(starts_at, layers.first), max(starts_at + layers.count - 1, layers.last)]
    out = {"Input": Call("Input", {"SourceOp": "FaceOver", "Source": "Output"}), **always()}
    content = {
        "CurrentTime": starts_at,
        "RenderRange": span,
        "GlobalRange": span,
        "HiQ": True,
        "Tools": Call(
            "ordered()",
            {
                "MediaIn1": Call("MediaIn", {"Inputs": always(), "ViewInfo": place(0, 2)}),
                **inside,
                "MediaOut1": Call("MediaOut", {"Inputs": out, "ViewInfo": place(7, 0)}),
            },
        ),
    }
    return to_lua(Call("Composition", content)) + "\n"


def write_macro(folder: Path, name: str, layers: Layers, starts_at: int) -> list[Path]:
    """Write NAME.setting, NAME.comp and NAME.drfx; the same input gives the same bytes. Raises OutputError."""
    made = [folder / f"{name}{suffix}" for suffix in (".setting", ".comp", ".drfx")]
    texts = (setting(name, layers, starts_at), comp(layers, starts_at))
    for path, text in zip(made[:2], texts, strict=True):
        with whole_file(path) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")
    packed = {
        f"{_EFFECTS}/{name}.setting": setting(name, layers, starts_at, "MacroOperator").encode(),
        f"{_EFFECTS}/{name}.png": draw_icon(),
    }
    with whole_file(made[2]) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for entry, data in packed.items():
            archive.writestr(zipfile.ZipInfo(entry, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return made


def _group(layers: Layers, starts_at: int, kind: str) -> Call:
    content: dict[str, Any] = {
        "CtrlWZoom": False,
        "Inputs": Call("ordered()", instance_inputs(starts_at)),
        "Outputs": instance_outputs(),
        "ViewInfo": Call("GroupInfo", {"Pos": [0, 0]}),
        "Tools": Call("ordered()", tools(layers, starts_at)),
    }
    return Call(kind, content)
