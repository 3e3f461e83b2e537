"""Disks and folders that cannot be written to: full, or read-only."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where mounting is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here; the limit on file sizes stands for it")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def without_roots_powers() -> None:
    """Root may write anywhere; without CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER it may not."""
    for capability in (1, 2, 3):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def lock(folder: Path) -> None:
    """Make a folder read-only for processes started with `without_roots_powers`; skips the test where that is impossible."""
    folder.chmod(0o555)
    probe = subprocess.run(["touch", str(folder / "probe")], preexec_fn=without_roots_powers, capture_output=True)
    if probe.returncode == 0:
        pytest.skip("this user may write anywhere")
