"""`faceplate doctor`."""

from __future__ import annotations

from host_bridge.cli.options import Json
from host_bridge.cli.output import print_json, print_table
from install.doctor import diagnose, worst


def doctor(*, json: Json = False) -> int:
    """Say what is there on this machine, and what is missing; ends with status 1 when something of Faceplate fails."""
    findings = diagnose()
    status = worst(findings)
    if json:
        print_json({"schema": "faceplate.doctor/1", "status": status, "findings": [f.to_json() for f in findings]})
    else:
        rows = ((f.status, f.name, f.detail + (f"\n{f.remedy}" if f.remedy else "")) for f in findings)
        print_table(("", "what", "found"), rows)
    return 1 if status == "fail" else 0
