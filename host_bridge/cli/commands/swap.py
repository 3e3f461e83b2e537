"""`faceplate swap`."""

from __future__ import annotations

from host_bridge.cli.options import InEngine, Json, request_options
from host_bridge.cli.output import print_json, print_shot
from host_bridge.cli.perform import perform
from host_bridge.jobs.swap import SwapRequest


@request_options(hidden=("overlay", "whole", "frames"))
def swap(request: SwapRequest, *, engine: InEngine = False, json: Json = False) -> None:
    """Replace a face in a shot. Interrupted, the same command goes on from where it stopped."""
    result = perform("swap", request, engine=engine)
    print_json(result) if json else print_shot(result)
