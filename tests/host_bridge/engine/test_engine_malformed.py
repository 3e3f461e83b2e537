"""Requests made from the OpenAPI document, by hundreds here and by thousands in a benchmark: no error of the engine's, no file touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.live_engine import live_engine
from tests.support.malformed import bombard, still_well, touched

pytestmark = pytest.mark.slow


def test_hundreds_of_requests_made_from_the_document_meet_no_error_and_touch_no_file(tmp_path: Path) -> None:
    with live_engine(tmp_path) as live:
        (live.work / "mine.mov").write_bytes(b"mine")
        before = touched(live.work)
        count = bombard(live, 300)
        assert sum(count.values()) >= 290 and min(count[403], count[404], count[422]) > 20, count
        assert still_well(live)
        assert touched(live.work) == before
        assert {path.name for path in tmp_path.iterdir()} <= {"state", "work", "cache"}
