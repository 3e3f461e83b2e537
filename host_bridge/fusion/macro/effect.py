"""The node Swap as an effect of the Edit page: the Fuse in a macro, with the controls that act at once."""

from __future__ import annotations

from typing import Any

from host_bridge.fusion.lua import Call, to_lua
from host_bridge.fusion.macro.graph import always

NAME = "Faceplate Swap"
_NODE, _TOOL = "FaceplateSwap1", "Fuse.FaceplateSwap"
_SHOWN: dict[str, dict[str, Any]] = {
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


def swap_effect() -> str:
    """The .setting."""
    inputs = {"MainInput1": {"SourceOp": _NODE, "Source": "Image"}}
    inputs |= {id: {"SourceOp": _NODE, "Source": id, **more} for id, more in _SHOWN.items()}
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
