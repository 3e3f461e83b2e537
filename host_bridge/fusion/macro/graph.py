"""The nodes of a macro: a Loader on finished frames, a gain, the matte, and a Merge over the plate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.fusion.lua import Call

# Frames, beyond any timecode and any handles: a tool yields nothing outside of its own range.
BEGINNING, FOREVER = -1_000_000, 10_000_000
_ROW = 110.0


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
    return {"GlobalIn": _value(BEGINNING), "GlobalOut": _value(FOREVER)}


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
