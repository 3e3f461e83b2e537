"""`faceplate doctor`."""

from __future__ import annotations

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json, print_table
from install.doctor import diagnose, worst


def doctor(*, json: Flag = False) -> int:
    """Say what is there on this machine, and what is missing; ends with status 1 when something of Faceplate fails.

    Parameters
    ----------
    json
        Print the findings as JSON instead.
    """
    findings = diagnose()
    status = worst(findings)
    if json:
        print_json({"schema": "faceplate.doctor/1", "status": status, "findings": [f.to_json() for f in findings]})
    else:
        print_table(
            ("", "what", "found"),
            ((f.status, f.name, f.detail + (f"\n{f.remedy}" if f.remedy else "")) for f in findings),
        )
    return 1 if status == "fail" else 0
