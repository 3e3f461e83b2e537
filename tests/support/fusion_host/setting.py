"""Documents of Fusion as LuaJIT itself reads them, what must hold of them, and a small evaluator of the nodes of a macro."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import lupa.luajit21 as lupa
import numpy as np

from nodes.footage.images import read_window

_PARSE = """
local function build(name)
  return setmetatable({}, { __index = function(_, more) return build(name .. "." .. more) end, __call = function(_, content)
    if content == nil then
      return build(name .. "()")
    end
    assert(type(content) == "table", name)
    content.__kind = name
    return content
  end })
end
return function(text)
  local chunk = assert(loadstring("return " .. text))
  return setfenv(chunk, setmetatable({}, { __index = function(_, name) return build(name) end }))()
end
"""
_COMMON = {"GlobalIn", "GlobalOut", "EffectMask", "Blend", "ProcessAlpha"}
# What each node has, as the vendor's manual and published settings name it.
INPUTS = {
    "Loader": {f"Clip1.OpenEXRFormat.{c}Name" for c in ("Red", "Green", "Blue", "Alpha")},
    "TimeStretcher": {"Input", "SourceTime", "InterpolateBetweenFrames"},
    "ColorGain": {"Input", "LockRGB", "GainRed", "GainGreen", "GainBlue", "GainAlpha"},
    "AlphaDivide": {"Input"},
    "AlphaMultiply": {"Input"},
    "MatteControl": {"Background", "Foreground", "GarbageMatte", "MatteCombine", "CombineOp", "MatteBlur"},
    "PolylineMask": {"Polyline", "Invert", "SoftEdge", "Level"},
    "Merge": {"Background", "Foreground", "Center", "Size", "Angle", "ApplyMode", "Operator", "PerformDepthMerge"},
    "MediaIn": set(),
    "MediaOut": {"Input"},
}
OUTPUTS = {"PolylineMask": {"Mask"}, "MediaOut": set()}


def parse(text: str) -> dict[str, Any]:
    """Read a .setting or .comp: tables as dicts, `Name {}` with Name in `__kind`."""
    runtime = lupa.LuaRuntime(register_eval=False)
    return _plain(runtime.execute(_PARSE)(text))


def _plain(value: Any) -> Any:
    if lupa.lua_type(value) == "table":
        return {key: _plain(one) for key, one in value.items()}
    return value


def tools_of(document: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in document["Tools"].items() if name != "__kind"}


def group_of(document: dict[str, Any]) -> dict[str, Any]:
    """The one macro of a .setting."""
    (group,) = tools_of(document).values()
    assert group["__kind"] in ("GroupOperator", "MacroOperator")
    return group


def faults(document: dict[str, Any]) -> Iterator[str]:
    """What Fusion would silently drop or refuse, a sentence each."""
    if document["Tools"].get("__kind") != "ordered()":
        yield "Tools are in no order"
    tools = tools_of(document)
    for name, tool in tools.items():
        if "Tools" in tool:
            yield from faults({"Tools": tool["Tools"]})
            yield from _instances(name, tool, tools_of(tool))
        else:
            yield from _links(name, tool, tools)
    if "ActiveTool" in document and document["ActiveTool"] not in tools:
        yield "the active tool is not there"


def _links(name: str, tool: dict[str, Any], tools: dict[str, Any]) -> Iterator[str]:
    kind = tool["__kind"]
    if kind not in INPUTS:
        yield f"{name} is a {kind}"
        return
    own = {k for k in tool.get("UserControls", {}) if k != "__kind"}
    if own and tool["UserControls"]["__kind"] != "ordered()":
        yield f"{name}'s controls are in no order"
    for input, one in tool["Inputs"].items():
        if input not in INPUTS[kind] | _COMMON | own:
            yield f"{name} has no input {input}"
        source = one.get("SourceOp")
        if source is not None:
            if source not in tools:
                yield f"{name}.{input} comes from {source}, which is not there"
            elif one["Source"] not in OUTPUTS.get(tools[source]["__kind"], {"Output"}):
                yield f"{source} has no output {one['Source']}"
        yield from _compiles(f"{name}.{input}", "return " + one.get("Expression", "0"))
    for control in own:
        yield from _compiles(f"{name}.{control}", tool["UserControls"][control].get("BTNCS_Execute", ""))


def _instances(name: str, group: dict[str, Any], tools: dict[str, Any]) -> Iterator[str]:
    if group["Inputs"].get("__kind") != "ordered()":
        yield f"{name}'s inputs are in no order"
    for input, one in group["Inputs"].items():
        if input == "__kind":
            continue
        tool = tools.get(one["SourceOp"])
        if one["__kind"] != "InstanceInput" or tool is None:
            yield f"{name}.{input} leads nowhere"
        elif one["Source"] not in INPUTS[tool["__kind"]] | _COMMON | set(tool.get("UserControls", {})):
            yield f"{one['SourceOp']} has no input {one['Source']}"
    for output, one in group["Outputs"].items():
        tool = tools.get(one["SourceOp"])
        if tool is None or one["Source"] not in OUTPUTS.get(tool["__kind"], {"Output"}):
            yield f"{name}.{output} comes from nowhere"


def _compiles(what: str, text: str) -> Iterator[str]:
    found = lupa.LuaRuntime().globals().loadstring(text)
    if isinstance(found, tuple):
        yield f"{what}: {found[1]}"


@dataclass
class Evaluator:
    """Nodes as Fusion evaluates them, in float32 [h, w, 4], top row first, premultiplied where they are."""

    tools: dict[str, Any]
    width: int
    height: int
    plate: np.ndarray
    values: dict[str, float] = field(default_factory=dict)  # "Tool.Input": what the user has set
    mask: np.ndarray | None = None  # what is drawn into the polygon, [h, w]

    def __call__(self, name: str, time: float) -> np.ndarray:
        tool = self.tools[name]
        spans = [self.number(name, "GlobalIn", 0), self.number(name, "GlobalOut", 0)]
        if not spans[0] <= time <= spans[1]:
            return np.zeros((self.height, self.width, 4), np.float32)
        return getattr(self, "_" + tool["__kind"].lower())(name, time)

    def number(self, name: str, input: str, default: float) -> float:
        told = self.tools[name]["Inputs"].get(input, {}).get("Value", default)
        return self.values.get(f"{name}.{input}", told)

    def source(self, name: str, input: str, time: float) -> np.ndarray:
        link = self.tools[name]["Inputs"].get(input)
        return self.plate if link is None else self(link["SourceOp"], time)

    def _mediain(self, name: str, time: float) -> np.ndarray:
        return self.plate

    def _mediaout(self, name: str, time: float) -> np.ndarray:
        return self.source(name, "Input", time)

    def _loader(self, name: str, time: float) -> np.ndarray:
        clip = self.tools[name]["Clips"][1]
        assert clip["TrimOut"] - clip["TrimIn"] + 1 == clip["Length"] == clip["GlobalEnd"] - clip["GlobalStart"] + 1
        number = clip["StartFrame"] + clip["TrimIn"] + round(time) - clip["GlobalStart"]
        first = Path(clip["Filename"])
        digits = f"{clip['StartFrame']:04d}"
        spec, pixels = read_window(first.with_name(first.name.replace(digits, f"{number:04d}")))
        assert (spec.full_width, spec.full_height) == (self.width, self.height)
        whole = np.zeros((self.height, self.width, 4), np.float32)
        whole[spec.y : spec.y + spec.height, spec.x : spec.x + spec.width] = pixels
        return whole

    def _timestretcher(self, name: str, time: float) -> np.ndarray:
        lua = lupa.LuaRuntime()
        lua.globals().time, lua.globals().StartsAt = time, self.number(name, "StartsAt", 0)
        when = lua.eval(self.tools[name]["Inputs"]["SourceTime"]["Expression"])
        return self.source(name, "Input", when)

    def _colorgain(self, name: str, time: float) -> np.ndarray:
        gains = [self.number(name, f"Gain{c}", 1) for c in ("Red", "Green", "Blue")]
        return self.source(name, "Input", time) * np.array([*gains, 1], np.float32)

    def _alphadivide(self, name: str, time: float) -> np.ndarray:
        found = self.source(name, "Input", time)
        alpha = found[..., 3:]
        return np.dstack([np.where(alpha > 0, found[..., :3] / np.where(alpha > 0, alpha, 1), found[..., :3]), alpha])

    def _alphamultiply(self, name: str, time: float) -> np.ndarray:
        found = self.source(name, "Input", time)
        return np.dstack([found[..., :3] * found[..., 3:], found[..., 3:]])

    def _mattecontrol(self, name: str, time: float) -> np.ndarray:
        found, blur = self.source(name, "Background", time), self.number(name, "MatteBlur", 0)
        if not blur:
            return found
        return np.dstack([found[..., :3], cv2.GaussianBlur(found[..., 3], (0, 0), blur / 2)])

    def _polylinemask(self, name: str, time: float) -> np.ndarray:
        drawn = np.zeros((self.height, self.width)) if self.mask is None else self.mask
        return np.repeat((1 - drawn if self.number(name, "Invert", 0) else drawn)[..., None], 4, axis=2)

    def _merge(self, name: str, time: float) -> np.ndarray:
        below, above = self.source(name, "Background", time), self.source(name, "Foreground", time)
        over = above + below * (1 - above[..., 3:])
        share = self.number(name, "Blend", 1) * self.source(name, "EffectMask", time)[..., 3:]
        return below + (over - below) * share
