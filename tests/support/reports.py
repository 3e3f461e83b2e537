"""Shots without their report, which is tested elsewhere and takes longer than a shot of a few frames."""

from __future__ import annotations

import pytest

from nodes.report.document import Report
from nodes.shot import write


def without_report(patch: pytest.MonkeyPatch) -> None:
    """Let shots that are rendered in this process write no report."""
    patch.setattr(write, "write_report", lambda *_, **__: Report.model_construct(figures=[]))
