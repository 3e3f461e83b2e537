"""`faceplate align`."""

from __future__ import annotations

from host_bridge.cli.options import InEngine, Json, request_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.faces import AlignRequest
from nodes.text import counted


@request_options(argument="clip", hidden=("marks",))
def align(request: AlignRequest, *, engine: InEngine = False, json: Json = False) -> None:
    """Write aligned images of a subject with masks, a table and exact transforms; or put edited ones back."""
    result = perform("align", request, engine=engine)
    if json:
        print_json(result)
    elif request.invert is not None:
        put_back = f"{counted(result.edited, 'image')} put back into {counted(result.frames, 'frame')}"
        print(result.out, f"{put_back}; {result.unchanged} unchanged and {result.deleted} deleted", sep="\n")
    else:
        print(result.folder)
        print_table(("track", "first", "last", "images"), (tuple(dict(track).values()) for track in result.tracks))
        if result.left_out:
            print(f"{len(result.left_out)} without: transforms.json lists them")
