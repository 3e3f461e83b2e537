"""Each node is defined once, and everything about it can be read from that definition."""

from __future__ import annotations

import json
from inspect import signature
from typing import get_args

import pytest
from pydantic import ValidationError

from nodes.definitions import NODES, SwapParameters
from nodes.spec import Node, Parameters, Port, Trait, parameter

TYPES = {"string", "number", "integer", "boolean", "array", "null", "object"}


def alternatives(schema: dict, whole: dict) -> list[dict]:
    """What a parameter may be: itself, what it refers to, or any of several."""
    if "$ref" in schema:
        return alternatives(whole["$defs"][schema["$ref"].rsplit("/", 1)[1]], whole)
    if "anyOf" in schema:
        return [a for one in schema["anyOf"] for a in alternatives(one, whole)]
    return [schema]


@pytest.fixture(params=NODES, ids=lambda n: n.name)
def node(request) -> Node:
    return request.param


def test_the_schema_is_plain_json_and_says_what_every_parameter_is(node):
    schema = json.loads(json.dumps(node.schema(), allow_nan=False))
    assert schema["name"] == node.name and schema["help"]
    found = schema["parameters"]
    assert found["type"] == "object" and found["additionalProperties"] is False
    assert set(found["properties"]) == set(node.parameters.model_fields)
    for name, one in found["properties"].items():
        assert one["description"].endswith("."), name
        assert all(isinstance(one[trait], bool) for trait in get_args(Trait)), name
        assert isinstance(one.get("unit", ""), str), name
        kinds = alternatives(one, found)
        assert all(k["type"] in TYPES for k in kinds), name
        for kind in kinds:
            if kind["type"] in ("number", "integer"):
                assert kind["minimum"] < kind["maximum"], f"{name} has no range"
            if kind["type"] == "array":
                item = alternatives(kind["items"], found)[0]
                assert item.get("enum") or item["type"] == "string", name


def test_numbers_that_are_measured_in_something_say_in_what(node):
    unitless = {"min_score", "max_faces", "track_score", "cut_threshold"} | {
        name for name, field in SwapParameters.model_fields.items() if field.annotation is float
    }
    for name, one in node.schema()["parameters"]["properties"].items():
        if one.get("type") in ("number", "integer") and name not in unitless:
            assert one["unit"], name


def test_defaults_validate_and_lie_in_their_range(node):
    defaults = node.parameters()
    assert node.parameters.model_validate(defaults.model_dump()) == defaults
    assert node.parameters.model_validate_json(defaults.model_dump_json()) == defaults
    for name, one in node.schema()["parameters"]["properties"].items():
        for kind in alternatives(one, node.schema()["parameters"]):
            value = getattr(defaults, name)
            if "minimum" in kind and value is not None:
                assert kind["minimum"] <= value <= kind["maximum"], name


def test_values_out_of_range_and_unknown_names_are_refused_and_nothing_changes_later(node):
    with pytest.raises(ValidationError, match="no_such_parameter"):
        node.parameters(no_such_parameter=1)
    for name, one in node.schema()["parameters"]["properties"].items():
        if "maximum" in one:
            for value in (one["minimum"] - 1, one["maximum"] + 1):
                with pytest.raises(ValidationError, match=name):
                    node.parameters(**{name: value})
        with pytest.raises(ValidationError):
            setattr(node.parameters(), name, None)


def test_the_function_that_computes_a_node_can_be_imported_and_called(node):
    function = node.function
    module, name = node.compute.split(":")
    assert callable(function) and function.__name__ == name and function.__module__.startswith(module)
    assert function.__doc__
    assert len(signature(function).parameters) >= 1


def test_ports_connect_the_nodes_in_a_row():
    assert [n.name for n in NODES] == ["Detect", "Align", "Mask", "Swap"]
    there = {("plate", "footage")}
    for node in NODES:
        assert len({p.name for p in node.inputs}) == len(node.inputs)
        assert {(p.name, p.type) for p in node.inputs if not p.optional} <= there, node.name
        there |= {(p.name, p.type) for p in node.outputs}
    assert ("patch", "patch") in there and ("matte", "matte") in there


def test_a_default_outside_its_own_range_is_found():
    class Wrong(Parameters):
        amount: float = parameter(2.0, ge=0, le=1, help="Too much.")

    with pytest.raises(ValidationError):
        Wrong()
    assert Node("N", (Port("a", "matte", optional=True),), (), Wrong, "json:dumps").schema()["inputs"][0]["optional"]
