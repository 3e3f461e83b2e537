"""Peak memory of the process that asks; programs of tests import it when they run in the checkout."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> float:
    """Return the most memory that was resident so far, in MB; Windows is not supported.

    Not ru_maxrss on Linux: a program begins there with the peak of the process that started it (getrusage(2)).
    """
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS
