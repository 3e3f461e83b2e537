"""The Blenders of the tests: one of each version, into which the extension is installed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import install.blender
from tests.support.blender import VERSIONS, Blender, program


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of the extension."""
    return install.blender.build(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def blenders(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Blender]:
    """The Blender of each version; pytest sets `blender` up again whenever the version changes."""
    assert pytestconfig.cache is not None
    folder = Path(pytestconfig.cache.mkdir("bpy"))
    return cache(lambda version: Blender(version, program(version, folder), tmp_path_factory.mktemp(version)))


@pytest.fixture(scope="session", params=VERSIONS)
def blender(request: pytest.FixtureRequest, blenders: Callable[[str], Blender]) -> Blender:
    """A Blender with a folder of settings of its own."""
    return blenders(request.param)


@pytest.fixture(scope="session")
def faceplate_in(blender: Blender, extension: Path) -> Blender:
    """A Blender into which Blender's own operator has installed the extension."""
    if not any(blender.user.rglob("blender_manifest.toml")):
        blender.run(f"install({str(extension)!r})\nanswer(True)")
    return blender
