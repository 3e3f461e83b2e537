"""Macros: a rendered shot as nodes that Fusion has itself, for those who install no Fuses, and the Fuse Swap as an effect of the Edit page.

A macro is a .setting to drag into a comp, a .comp to import on a clip, and a .drfx to install as an effect.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from host_bridge.fusion.lua import Call, to_lua
from nodes.files import whole_file

# Frames, beyond any timecode and any handles: a tool yields nothing outside of its own range.
_BEGINNING, _FOREVER = -1_000_000, 10_000_000
_EFFECTS = "Edit/Effects/Faceplate"
EFFECT = "Faceplate Swap"
_ICON = 104, 58  # pixels
_ROW = 110.0
_NODE, _TOOL = "FaceplateSwap1", "Fuse.FaceplateSwap"
_EFFECT_SHOWS: dict[str, dict[str, Any]] = {
    "Results": {"Name": "Results"},
    "ConsentState": {"Name": "Consent state"},
    "Mix": {"Name": "Mix", "Default": 1},
    "FrameOffset": {"Name": "Frame offset", "Default": 0},
    "Show": {"Name": "Show", "Default": 0},
    "EdgeGrow": {"Name": "Edge grow (pixels)", "Default": 0},
    "EdgeFeather": {"Name": "Edge feather (pixels)", "Default": 0},
    "GainRed": {"Name": "Colour gain", "ControlGroup": 1, "Default": 1},
    "GainGreen": {"ControlGroup": 1, "Default": 1},
    "GainBlue": {"ControlGroup": 1, "Default": 1},
    "Linear": {"Name": "The image is", "Default": 0},
}


@dataclass(frozen=True, slots=True)
class Layers:
    """Numbered EXR files, premultiplied. file: the first; first, last: its number and that of the last."""

    file: Path
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


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


def swap_effect() -> str:
    """The .setting."""
    inputs = {"MainInput1": {"SourceOp": _NODE, "Source": "Image"}}
    inputs |= {id: {"SourceOp": _NODE, "Source": id, **more} for id, more in _EFFECT_SHOWS.items()}
    # Nothing is linked to its other outputs there.
    node = {"NameSet": True, "Inputs": {"Extra": Call("Input", {"Value": 0}), **always()}}
    node["ViewInfo"] = Call("OperatorInfo", {"Pos": [0, 0]})
    group = {
        "CtrlWZoom": False,
        "Inputs": Call("ordered()", {name: Call("InstanceInput", one) for name, one in inputs.items()}),
        "Outputs": {"MainOutput1": Call("InstanceOutput", {"SourceOp": _NODE, "Source": "Output"})},
        "ViewInfo": Call("GroupInfo", {"Pos": [0, 0]}),
        "Tools": Call("ordered()", {_NODE: Call(_TOOL, node)}),
    }
    tools = {"FaceplateSwap": Call("MacroOperator", group)}
    return to_lua({"Tools": Call("ordered()", tools), "ActiveTool": "FaceplateSwap"}) + "\n"


def tools(layers: Layers, starts_at: int, plate: str | None = None) -> dict[str, Call]:
    """The nodes by name. starts_at: frame of the comp at which the shot's first one is to be seen, until the user says otherwise.

    plate: the node whose picture comes in; of a macro the user links it.
    """
    return {
        "Face": _loader(layers),
        "FaceTime": _tool(
            "TimeStretcher",
            1,
            {
                "Input": _link("Face"),
                "SourceTime": Call("Input", {"Value": layers.first, "Expression": f"time - StartsAt + {layers.first}"}),
                "InterpolateBetweenFrames": _value(0),
                "StartsAt": _value(starts_at),
            },
            {"StartsAt": _number_control("Shot starts at frame", starts_at)},
        ),
        "FaceGain": _tool(
            "ColorGain",
            2,
            {
                "Input": _link("FaceTime"),
                "LockRGB": _value(0),
                "GainRed": _value(1),
                "GainGreen": _value(1),
                "GainBlue": _value(1),
            },
        ),
        # The matte is blurred by itself, and what it covers is multiplied anew: else the edge would keep the old one's light.
        "FaceStraight": _tool("AlphaDivide", 3, {"Input": _link("FaceGain")}),
        "FaceMatte": _tool("MatteControl", 4, {"Background": _link("FaceStraight"), "MatteBlur": _value(0)}),
        "FaceAgain": _tool("AlphaMultiply", 5, {"Input": _link("FaceMatte")}),
        # Inverted and empty it lets everything through: what is drawn is cut out.
        "Cutout": _tool("PolylineMask", 6, {"Invert": _value(1), "SoftEdge": _value(0)}, row=1),
        "FaceOver": _tool(
            "Merge",
            6,
            {
                **({"Background": _link(plate)} if plate else {}),
                "Foreground": _link("FaceAgain"),
                "EffectMask": Call("Input", {"SourceOp": "Cutout", "Source": "Mask"}),
                "Blend": _value(1),
                "PerformDepthMerge": _value(0),
            },
        ),
    }


def instance_inputs(starts_at: int) -> dict[str, Call]:
    """What the macro shows of them, in this order."""
    shown: dict[str, dict[str, Any]] = {
        "MainInput1": {"SourceOp": "FaceOver", "Source": "Background", "Name": "Plate"},
        "Mix": {"SourceOp": "FaceOver", "Source": "Blend", "Name": "Mix", "Default": 1},
        "StartsAt": {
            "SourceOp": "FaceTime",
            "Source": "StartsAt",
            "Name": "Shot starts at frame",
            "Default": starts_at,
        },
        "MatteBlur": {"SourceOp": "FaceMatte", "Source": "MatteBlur", "Name": "Edge blur", "Default": 0},
    }
    for colour in ("Red", "Green", "Blue"):
        shown[f"Gain{colour}"] = {
            "SourceOp": "FaceGain",
            "Source": f"Gain{colour}",
            "Name": f"Gain {colour.lower()}",
            "MinScale": 0,
            "MaxScale": 2,
            "Default": 1,
            "ControlGroup": 1,
        }
    shown["Cutout"] = {"SourceOp": "Cutout", "Source": "Polyline", "Name": "Cut out (polygon)"}
    shown["CutoutSoft"] = {"SourceOp": "Cutout", "Source": "SoftEdge", "Name": "Cut out, soft edge", "Default": 0}
    return {name: Call("InstanceInput", one) for name, one in shown.items()}


def instance_outputs() -> dict[str, Call]:
    """The composite, and the face alone."""
    shown = {"MainOutput1": "FaceOver", "Patch": "FaceAgain"}
    return {name: Call("InstanceOutput", {"SourceOp": tool, "Source": "Output"}) for name, tool in shown.items()}


def _loader(layers: Layers) -> Call:
    clip = {
        "ID": "Clip1",
        "Filename": str(layers.file),
        "FormatID": "OpenEXRFormat",
        "Length": layers.count,
        "LengthSetManually": True,
        "TrimIn": 0,
        "TrimOut": layers.count - 1,
        "ExtendFirst": 0,
        "ExtendLast": 0,
        "Loop": 0,
        "AspectMode": 0,
        "Depth": 0,
        "TimeCode": 0,
        "GlobalStart": layers.first,
        "GlobalEnd": layers.last,
        "StartFrame": layers.first,
    }
    channels = {"RedName": "R", "GreenName": "G", "BlueName": "B", "AlphaName": "A"}
    inputs = {f"Clip1.OpenEXRFormat.{k}": Call("Input", {"Value": Call("FuID", [v])}) for k, v in channels.items()}
    return Call(
        "Loader",
        {
            "Clips": [Call("Clip", clip)],
            "NameSet": True,
            "Inputs": {**inputs, "GlobalIn": _value(layers.first), "GlobalOut": _value(layers.last)},
            "ViewInfo": place(0, 1),
        },
    )


def _tool(
    kind: str, column: int, inputs: dict[str, Call], controls: dict[str, Any] | None = None, row: float = 0
) -> Call:

    content: dict[str, Any] = {"NameSet": True, "Inputs": {**inputs, **always()}, "ViewInfo": place(column, row)}
    if controls:
        content["UserControls"] = Call("ordered()", controls)
    return Call(kind, content)


def always() -> dict[str, Call]:
    """The range of a tool that answers whatever is asked for."""
    return {"GlobalIn": _value(_BEGINNING), "GlobalOut": _value(_FOREVER)}


def _number_control(name: str, default: int) -> dict[str, Any]:
    return {
        "LINKS_Name": name,
        "LINKID_DataType": "Number",
        "INPID_InputControl": "ScrewControl",
        "INP_Integer": True,
        "INP_Default": default,
        "INP_MinScale": 0,
        "INP_MaxScale": 1000,
        "ICS_ControlPage": "Controls",
    }


def _value(value: float) -> Call:
    return Call("Input", {"Value": value})


def _link(tool: str) -> Call:
    return Call("Input", {"SourceOp": tool, "Source": "Output"})


def place(column: float, row: float) -> Call:
    """Where a node lies in the flow."""
    return Call("OperatorInfo", {"Pos": [column * _ROW, row * 66.0]})


def draw_icon() -> bytes:
    """Draw the picture of an effect in Resolve's library, a face that is half there; returns a PNG."""
    fine = 8  # times as large when drawn
    width, height = _ICON
    size = (height * fine, width * fine, 3)
    picture = np.full(size, (38, 34, 32), np.uint8)
    middle, axes = (width * fine // 2, height * fine // 2), (17 * fine, 22 * fine)
    face = np.zeros(size[:2], np.uint8)
    cv2.ellipse(face, middle, axes, 0, 0, 360, 255, -1)
    left = face.copy()
    left[:, middle[0] :] = 0
    picture[face > 0] = (96, 88, 84)
    picture[left > 0] = (88, 150, 236)
    for step in range(0, 360, 20):
        cv2.ellipse(picture, middle, (axes[0] + 3 * fine, axes[1] + 3 * fine), 0, step, step + 11, (230, 226, 222), 5)
    for side in (-1, 1):
        cv2.ellipse(picture, (middle[0] + side * 7 * fine, middle[1] - 5 * fine), (20, 14), 0, 0, 360, (38, 34, 32), -1)
    cv2.ellipse(picture, (middle[0], middle[1] + 6 * fine), (9 * fine, 6 * fine), 0, 25, 155, (38, 34, 32), 10)
    cv2.line(picture, (middle[0], middle[1] - axes[1]), (middle[0], middle[1] + axes[1]), (230, 226, 222), 4)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", small)[1])
