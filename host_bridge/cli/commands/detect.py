"""`faceplate detect`."""

from __future__ import annotations

from host_bridge.cli.options import InEngine, Json, request_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.faces import DetectRequest
from nodes.text import counted


@request_options(argument="clip", hidden=("marks",))
def detect(request: DetectRequest, *, engine: InEngine = False, json: Json = False) -> None:
    """Find and follow the faces of a clip, and list them."""
    result = perform("detect", request, engine=engine)
    if json:
        print_json(result)
        return
    span, tracks, cuts = result.range, result.tracks, result.cuts
    persons = f"{counted(len(result.persons), 'person')}, " if result.persons else ""
    print(f"{persons}{counted(len(tracks), 'track')} in frames {span.first}-{span.last}, {counted(len(cuts), 'cut')}")
    if tracks:
        titles = ("track", "first", "last", "frames", "mean height (px)", "mean score", "person")
        print_table(titles, (tuple(dict(track).values()) for track in tracks))
    for person in result.persons:
        for other in (n for n in person.perhaps if n > person.number):
            print(f"The persons {person.number} and {other} may be one: look at them with --sheet PNG")
    if request.out is not None:
        print(request.out)
