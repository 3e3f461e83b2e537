"""The house stays one that can be drawn from memory: a name is one class, and a file is an idea of its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tests import ROOT
from tests.test_layers import imports_of

PRODUCT = ("nodes", "trainer", "host_bridge", "install")
FEWEST_LINES = 30

# Still to go: this list only gets shorter.
SMALL_FILES = {"trainer/hooks/memory.py", "trainer/hooks/watch.py"}


def product_files() -> dict[str, Path]:
    """All Python files of the product by the names of their modules."""
    files = (file for folder in PRODUCT for file in sorted((ROOT / folder).rglob("*.py")))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def test_no_two_classes_share_a_name() -> None:
    homes = defaultdict(list)
    for module, file in product_files().items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    shared = {name: modules for name, modules in homes.items() if len(modules) > 1}
    assert not shared, shared


def test_a_small_file_that_one_other_imports_is_part_of_that_one() -> None:
    files = product_files()
    importers = defaultdict(set)
    for module, file in files.items():
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for found in imports_of(file.read_text("utf-8"), package):
            target = found.module
            while target and target not in files:
                target = target.rpartition(".")[0]
            if target != module:
                importers[target].add(module)
    small = {
        str(file.relative_to(ROOT))
        for module, file in files.items()
        if not file.name.startswith("__")
        and len(importers[module]) == 1
        and len(file.read_text("utf-8").splitlines()) < FEWEST_LINES
    }
    assert not small - SMALL_FILES, sorted(small - SMALL_FILES)
