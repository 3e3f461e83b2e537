"""Requests made from the OpenAPI document, right ones and wrong ones, sent to an engine; for the tests and for a benchmark."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from host_bridge.client import EngineError
from host_bridge.engine.api import make_app
from tests.support.live_engine import Live

LEFT_OUT = {"/v1/stop", "/v1/events"}  # one ends the engine, the other has no end


def bombard(live: Live, examples: int, first_seed: int = 0) -> Counter[int]:
    """Send so many requests, and count the statuses; raises AssertionError for an answer of 500 and more, or none."""
    document = make_app().openapi()
    told = {**document, "paths": {path: one for path, one in document["paths"].items() if path not in LEFT_OUT}}
    schema = schemathesis.openapi.from_dict(told)
    operations = [found.ok() for found in schema.get_all_operations()]
    # Half of them are submissions: these have something to get wrong.
    ways = [
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for _ in range(10 if operation.path == "/v1/jobs" and operation.method.upper() == "POST" else 1)
    ]
    count: Counter[int] = Counter()
    with requests.Session() as session:
        session.trust_env = False

        @seed(first_seed)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(ways))
        def send(case: Case) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {live.token}"}
            response = case.call(base_url=live.client.address.url, session=session, timeout=30)
            count[response.status_code] += 1
            assert response.status_code < 500, (case.method, case.formatted_path, case.body, response.text)
            if response.status_code >= 400:
                assert response.json()["error"]["message"]

        send()
    return count


def touched(folder: Path) -> dict[str, Any]:
    """Every file below a folder, with what shows that it was changed."""
    return {
        str(path.relative_to(folder)): (stat.st_size, stat.st_mtime_ns)
        for path in folder.rglob("*")
        if (stat := path.lstat())
    }


def still_well(live: Live) -> bool:
    """Whether it answers, and has met no error of its own."""
    try:
        return bool(live.client.status()) and "ERROR" not in live.log()
    except EngineError:
        return False
