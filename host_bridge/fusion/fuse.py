"""A node's Fuse as Lua source: its parameters as controls, from the same schema that `faceplate nodes --json` prints, in one template for all nodes.

`fuse.lua.jinja` is the Fuse, `create.lua.jinja` its controls, `pixels.lua.jinja` functions that Fusion runs elsewhere; `button.lua.jinja` is what a
button runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from host_bridge.fusion.lua import to_lua
from nodes.definitions import NODES
from nodes.spec import Node

_LABELS = {
    "consent": "Consent",
    "analyse": "Analyse",
    "preview": "Preview frame",
    "render": "Render range",
    "train": "Train",
    "verify": "Verify",
    "monitor": "Open monitor",
}
_OF_ALL = ("analyse", "monitor")  # the others are of what has a patch
ControlKind = Literal["number", "integer", "flag", "choice", "text", "path", "list"]


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter. id: of its input. switch: id of the checkbox without which it stays at its default, where that is none. step: it is a multiple of this.

    attributes: what AddInput is given, its key "" holding the entries of a list.
    """

    name: str
    kind: ControlKind
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
    return [_control(name, field, schema.get("$defs", {})) for name, field in schema["properties"].items()]


def _control(name: str, field: dict[str, Any], shared: dict[str, Any]) -> Control:
    allowed = [_resolved(a, shared) for a in field.get("anyOf", [field])]
    optional = any(a.get("type") == "null" for a in allowed)
    allowed_value = next(a for a in allowed if a.get("type") != "null")
    kind, default = _kind(allowed_value), field.get("default")
    choices = tuple(allowed_value.get("enum", ()))
    unit = f" ({field['unit']})" if field.get("unit") else ""
    help_text = field["description"] + (f" Unit: {field['unit']}." if unit else "")
    words = name.split("_")
    id, label = "".join(w.capitalize() for w in words), " ".join(words).capitalize()
    attributes: dict[str, Any] = {"LINKID_DataType": "Text" if kind in ("text", "path", "list") else "Number"}
    # Part of what a job is asked for: the picture that is shown does not change by it, but undo takes it back.
    attributes |= {"INPS_StatusText": help_text, "INP_InteractivePassive": True, "INP_External": False}
    if kind in ("number", "integer"):
        low, high = allowed_value["minimum"], allowed_value["maximum"]
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
    option = field.get("option") or name.replace("_", "-")
    return Control(
        name,
        kind,
        label + unit,
        id,
        option,
        default,
        choices,
        attributes,
        help_text,
        switch,
        allowed_value.get("multipleOf"),
    )


def _resolved(field: dict[str, Any], shared: dict[str, Any]) -> Any:
    return shared[field["$ref"].rsplit("/", 1)[1]] if "$ref" in field else field


def _kind(field: dict[str, Any]) -> ControlKind:
    if "enum" in field:
        return "choice"
    if field.get("format") == "path":
        return "path"
    kinds: dict[str, ControlKind] = {"number": "number", "integer": "integer", "boolean": "flag", "array": "list"}
    return kinds.get(field["type"], "text")


def render_fuse(node: Node, python: str, watched: str | None = None) -> str:
    """Write the Fuse of a node. python: the interpreter of Faceplate's environment, which buttons start.

    watched: folder of `faceplate engine watch`, where answers lie in editions that let buttons start nothing.
    """
    environment = Environment(
        loader=PackageLoader("host_bridge.fusion", "fuses"),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    environment.filters["lua"] = to_lua
    environment.filters["long"] = long_string
    fields = {each.name.lower(): [_field(c) for c in controls(each)] for each in NODES}
    button = environment.get_template("button.lua.jinja").render(
        node=node.name.lower(), fields=fields, python=python, watched=watched and watched.replace("\\", "/")
    )
    made = {port.type for port in node.outputs}
    has_patch = "patch" in made
    help_text = (node.parameters.__doc__ or "").strip()
    return environment.get_template("fuse.lua.jinja").render(
        node=node,
        help=help_text,
        controls=controls(node),
        cast=node.parameters.having("consent"),
        has_patch=has_patch,
        has_matte="matte" in made,
        buttons=[(action, label) for action, label in _LABELS.items() if has_patch or action in _OF_ALL],
        button=button,
    )


def long_string(text: str) -> str:
    """A text as a long string of Lua, as it is."""
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[\n{text}]{level}]"


def _field(control: Control) -> dict[str, Any]:
    """What a button must know of a parameter to ask for it."""
    known: dict[str, Any] = {"name": control.name, "id": control.id, "kind": control.kind, "option": control.option}
    more = {"default": control.default, "choices": control.choices, "switch": control.switch, "step": control.step}
    return known | {key: value for key, value in more.items() if value not in (None, ())}
