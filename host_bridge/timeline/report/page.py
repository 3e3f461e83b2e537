"""The report as one HTML page, to be printed or kept: everything it shows is in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

ROLES = {"target": "is replaced", "source": "is put in", "performer": "trained on"}
PARTS = {"plate": "plate", "source": "source", "roto": "artist's matte", "faces": "learned from"}


def page(report: Mapping[str, Any]) -> str:
    """Fill the template with what `gather` found."""
    return _template().render(report=report, roles=ROLES, parts=PARTS)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("host_bridge.timeline.report", "."),
        autoescape=lambda name: True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")
