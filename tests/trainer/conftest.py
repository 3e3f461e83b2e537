"""MakeHuman's data and a Blender that renders, each fetched once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.blender import program
from trainer.synthetic import assets


@pytest.fixture(scope="session")
def makehuman(pytestconfig: pytest.Config) -> Path:
    """The folder of MakeHuman's data."""
    assert pytestconfig.cache is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_CACHE", str(pytestconfig.cache.mkdir("makehuman")))
        return assets.makehuman()


@pytest.fixture(scope="session")
def renderer(pytestconfig: pytest.Config) -> Path:
    """A Python that has bpy 5.0."""
    assert pytestconfig.cache is not None
    return program("5.0", Path(pytestconfig.cache.mkdir("bpy")))
