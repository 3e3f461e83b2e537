"""A node's Fuse as Lua source."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from host_bridge.fusion.fuses.controls import Control, controls
from host_bridge.fusion.lua import to_lua
from nodes.definitions import NODES
from nodes.spec import Node

_BUTTONS = {
    "Detect": ("analyse", "monitor"),
    "Align": ("analyse", "monitor"),
    "Mask": ("analyse", "monitor"),
    "Swap": ("consent", "analyse", "preview", "render", "train", "verify", "monitor"),
}
_LABELS = {
    "consent": "Consent",
    "analyse": "Analyse",
    "preview": "Preview frame",
    "render": "Render range",
    "train": "Train",
    "verify": "Verify",
    "monitor": "Open monitor",
}


def render_fuse(node: Node, python: str, watched: str | None = None) -> str:
    """Write the Fuse of a node. python: the interpreter of Faceplate's environment, which buttons start.

    watched: folder of `faceplate engine watch`, where answers lie in editions that let buttons start nothing.
    """
    environment = Environment(
        loader=PackageLoader("host_bridge.fusion.fuses", ""),
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
    fields = {one.name.lower(): [_field(c) for c in controls(one)] for one in NODES}
    button = environment.get_template("button.lua.jinja").render(
        node=node.name.lower(), fields=fields, python=python, watched=watched and watched.replace("\\", "/")
    )
    buttons = [(action, _LABELS[action]) for action in _BUTTONS[node.name]]
    help_text = (node.parameters.__doc__ or "").strip()
    return environment.get_template("fuse.lua.jinja").render(
        node=node,
        help=help_text,
        controls=controls(node),
        cast=node.parameters.having("consent"),
        buttons=buttons,
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
    told: dict[str, Any] = {"name": control.name, "id": control.id, "kind": control.kind, "option": control.option}
    more = {"default": control.default, "choices": control.choices, "switch": control.switch, "step": control.step}
    return told | {key: value for key, value in more.items() if value not in (None, ())}
