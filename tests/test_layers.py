"""Imports point one way, host code stands alone, and nothing is ever unpickled (DESIGN.md)."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests import ROOT

TORCH = {"torch", "torchvision", "face_alignment"}
BLENDER = {"bpy", "bpy_extras", "bl_ui", "bl_math", "blf", "bmesh", "gpu", "gpu_extras", "mathutils"}
FUSION = {"DaVinciResolveScript", "BlackmagicFusion", "fusionscript"}
IN_HOSTS = ("host_bridge.blender", "host_bridge.fusion.faceplate_resolve", "host_bridge.client", "host_bridge.session")


@dataclass(frozen=True)
class Import:
    """One import statement, or a call of import_module with a literal name."""

    module: str
    line: int
    in_function: bool

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


@cache
def imports_of(source: str, package: str = "") -> list[Import]:
    """List what `source` imports, anywhere in it; relative names are resolved against `package`."""

    def visit(node: ast.AST, in_function: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (Import(f"{base}.{alias.name}", node.lineno, in_function) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, node.lineno, in_function)
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return list(visit(ast.parse(source), False))


def imports_under(folder: str) -> Iterator[tuple[Path, Import]]:
    """List the imports of a file or of every file of a folder, relative to the root of the tree."""
    start = ROOT / folder
    for file in [start] if start.is_file() else sorted(start.rglob("*.py")):
        package = ".".join(file.relative_to(ROOT).parent.parts)
        yield from ((file.relative_to(ROOT), found) for found in imports_of(file.read_text("utf-8"), package))


def show(broken: list[tuple[Path, Import]]) -> str:
    return "\n".join(f"{file}:{found.line} imports {found.module}" for file, found in broken)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("nodes", {"trainer", "host_bridge", "install"}),
        ("trainer", {"host_bridge", "install"}),
        ("install", {"trainer", "host_bridge"}),
    ],
)
def test_imports_point_from_host_bridge_to_trainer_to_nodes(folder: str, forbidden: set[str]) -> None:
    broken = [(file, found) for file, found in imports_under(folder) if found.top in forbidden]
    assert not broken, show(broken)


def test_only_the_trainer_imports_torch_but_a_chosen_backend_of_nodes_may_do_so_in_a_function() -> None:
    broken = [
        (file, found)
        for folder in ("nodes", "host_bridge", "install")
        for file, found in imports_under(folder)
        if found.top in TORCH and not (folder == "nodes" and found.in_function)
    ]
    assert not broken, show(broken)


@pytest.mark.parametrize(
    ("folder", "host"),
    [
        ("host_bridge/blender", BLENDER | {"numpy"}),
        ("trainer/synthetic/blender", BLENDER | {"numpy", "build", "stuff"}),
        ("host_bridge/fusion/scripts", FUSION),
        ("host_bridge/client", set()),
        ("host_bridge/client.py", set()),
    ],
)
def test_code_inside_a_host_imports_only_the_standard_library_and_the_host(folder: str, host: set[str]) -> None:
    broken = [
        (file, found)
        for file, found in imports_under(folder)
        if found.top not in sys.stdlib_module_names | host and not found.module.startswith(IN_HOSTS)
    ]
    assert not broken, show(broken)


@pytest.mark.parametrize("file", ["install/bootstrap.py", "install/samples.py"])
def test_what_runs_before_the_installation_imports_only_the_standard_library(file: str) -> None:
    broken = [(file, found) for file, found in imports_under(file) if found.top not in sys.stdlib_module_names]
    assert not broken, show(broken)


@pytest.mark.parametrize("file", ["install/bootstrap.py", "install/samples.py"])
def test_an_old_python_can_parse_what_tells_it_that_it_is_too_old(file: str) -> None:
    ast.parse((ROOT / file).read_text("utf-8"), feature_version=(3, 7))


def named(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()


def test_each_dependency_is_imported_and_each_import_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core = {named(d) for d in project["dependencies"]}
    more = {named(d) for name, extra in project["optional-dependencies"].items() if name != "dev" for d in extra}
    known = packages_distributions()
    imported = {
        known[found.top][0].lower()
        for folder in ("nodes", "host_bridge", "install")
        for _, found in imports_under(folder)
        if found.top in known and found.top not in BLENDER | FUSION
    }
    assert core <= imported, f"not imported: {core - imported}"
    other = (
        imported - core - more - {"faceplate", "starlette", "pydantic_core"}
    )  # FastAPI and pydantic are made of these
    assert not other, f"imported and not declared: {other}"


def test_each_dependency_of_the_core_has_its_reason_in_a_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    table = (ROOT / "docs/decisions/0001-libraries.md").read_text("utf-8").lower()
    missing = {d for d in map(named, project["dependencies"]) if f"`{d}`" not in table}
    assert not missing


def test_nothing_in_the_tree_is_ever_unpickled() -> None:
    # put together from halves, so that this file does not hold what it looks for
    banned = re.compile("pickle" + r"\.(load|Unpickler)|\bimport \w*" + r"pickle\b|allow_" + r"pickle\s*=\s*True")
    folders = ("nodes", "trainer", "host_bridge", "install", "tests")
    kinds = {".py", ".lua", ".fuse", ".toml", ".html", ".sh"}
    files = [f for folder in folders for f in (ROOT / folder).rglob("*") if f.suffix in kinds]
    assert len(files) > 10
    broken = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if banned.search(line)
    ]
    assert not broken, "\n".join(broken)


def test_this_check_sees_every_way_to_import() -> None:
    source = """
import trainer.loop
from trainer import loss
from ..host_bridge import client
from . import spec
def f():
    import torch
    return importlib.import_module("face_alignment")
"""
    found = {(i.module, i.in_function) for i in imports_of(source, "nodes.swap")}
    assert found == {
        ("trainer.loop", False),
        ("trainer.loss", False),
        ("nodes.host_bridge.client", False),
        ("nodes.swap.spec", False),
        ("torch", True),
        ("face_alignment", True),
    }


def test_no_room_of_nodes_points_up():
    below: dict[str, set[str]] = {}
    for path, found in imports_under("nodes"):
        room = path.parts[1].removesuffix(".py")
        target = found.module.split(".")[1] if found.top == "nodes" else room
        below.setdefault(room, set()).update({target} - {room})
    rooms = list(TopologicalSorter(below).static_order())  # CycleError where two rooms need each other
    order = ["footage", "detect", "align", "mask", "swap", "graph", "shot", "subject_tool"]
    assert [room for room in rooms if room in order] == order
