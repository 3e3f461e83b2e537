"""The parameters of a node as controls of a Fuse, from the same schema that `faceplate nodes --json` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nodes.spec import Node

Kind = Literal["number", "integer", "flag", "choice", "text", "path", "list"]


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter. id: of its input. switch: id of the checkbox without which it stays at its default, where that is none. step: it is a multiple of this.

    attributes: what AddInput is given, its key "" holding the entries of a list.
    """

    name: str
    kind: Kind
    label: str
    id: str
    option: str
    default: Any
    choices: tuple[str, ...]
    attributes: dict[str, Any]
    help: str
    switch: str | None = None
    step: int | None = None


def controls(node: Node) -> list[Control]:
    """The controls of a node, in the order in which its parameters are defined."""
    schema = node.schema()["parameters"]
    return [_control(name, one, schema.get("$defs", {})) for name, one in schema["properties"].items()]


def _control(name: str, one: dict[str, Any], shared: dict[str, Any]) -> Control:
    allowed = [_resolved(a, shared) for a in one.get("anyOf", [one])]
    optional = any(a.get("type") == "null" for a in allowed)
    told = next(a for a in allowed if a.get("type") != "null")
    kind, default = _kind(told), one.get("default")
    choices = tuple(told.get("enum", ()))
    unit = f" ({one['unit']})" if one.get("unit") else ""
    help_text = one["description"] + (f" Unit: {one['unit']}." if unit else "")
    words = name.split("_")
    id, label = "".join(w.capitalize() for w in words), " ".join(words).capitalize()
    attributes: dict[str, Any] = {"LINKID_DataType": "Text" if kind in ("text", "path", "list") else "Number"}
    # Part of what a job is asked for: the picture that is shown does not change by it, but undo takes it back.
    attributes |= {"INPS_StatusText": help_text, "INP_InteractivePassive": True, "INP_External": False}
    if kind in ("number", "integer"):
        low, high = told["minimum"], told["maximum"]
        attributes |= {"INPID_InputControl": "SliderControl", "INP_Default": low if default is None else default}
        attributes |= {"INP_MinScale": low, "INP_MaxScale": high, "INP_MinAllowed": low, "INP_MaxAllowed": high}
        attributes |= {"INP_Integer": kind == "integer"}
    elif kind == "flag":
        attributes |= {"INPID_InputControl": "CheckboxControl", "INP_Integer": True, "INP_Default": int(bool(default))}
    elif kind == "choice":
        attributes |= {"INPID_InputControl": "ComboControl", "INP_Integer": True, "INP_Default": choices.index(default)}
        attributes[""] = [{"CCS_AddString": choice} for choice in choices]
    elif kind == "path":
        attributes |= {"INPID_InputControl": "FileControl", "INPS_DefaultText": default or ""}
    else:
        text = ", ".join(default) if isinstance(default, list) else default or ""
        attributes |= {"INPID_InputControl": "TextEditControl", "INPS_DefaultText": text, "TEC_Lines": 1}
    switch = f"Own{id}" if optional and kind in ("number", "integer") else None
    option = one.get("option") or name.replace("_", "-")
    return Control(
        name, kind, label + unit, id, option, default, choices, attributes, help_text, switch, told.get("multipleOf")
    )


def _resolved(one: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shared[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one
    return found


def _kind(told: dict[str, Any]) -> Kind:
    if "enum" in told:
        return "choice"
    if told.get("format") == "path":
        return "path"
    kinds: dict[str, Kind] = {"number": "number", "integer": "integer", "boolean": "flag", "array": "list"}
    return kinds.get(told["type"], "text")
