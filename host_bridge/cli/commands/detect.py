"""`faceplate detect`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.footage import frame_rate, opened, positions
from host_bridge.cli.options import DETECT, Flag, Range, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.definitions import DetectParameters


@node_options
def detect(
    clip: Path,
    /,
    *,
    out: Path | None = None,
    range_: Range = None,
    rate: str | None = None,
    json: Flag = False,
    detect_parameters: DetectParameters = DETECT,
) -> None:
    """Find and follow the faces of a clip, and list them.

    Parameters
    ----------
    clip
        A movie, an image, a sequence as name.%04d.exr, or a folder that holds one.
    out
        Write boxes, scores and landmarks to this file (faces.npz).
    range_
        Frames A-B of the clip, both included, by its own numbers; by default all.
    rate
        Frames per second of an image sequence that does not say, as 25 or 24000/1001.
    json
        Print the list as JSON.
    """
    from nodes.shot.analysis import analyse
    from nodes.shot.choice import check_range
    from nodes.shot.document import describe_tracks
    from nodes.shot.faces_files import save_faces

    with opened(clip, rate=frame_rate(rate)) as (footage,), show_progress() as progress:
        assert footage is not None
        info = footage.info
        first, last = positions(range_, info)
        check_range(info, first, last)
        faces = analyse(footage, detect_parameters, first, last, progress)
    if out is not None:
        save_faces(out.expanduser(), faces, info.path.absolute())
    tracks: list[dict[str, float]] = [
        {
            **described,
            "height": round(float((track.boxes[:, 3] - track.boxes[:, 1]).mean()), 1),
            "score": round(float(track.scores.mean()), 3),
        }
        for described, track in zip(describe_tracks(faces.tracks, info.first), faces.tracks, strict=True)
    ]
    if json:
        print_json(
            {
                "schema": "faceplate.tracks/1",
                "clip": str(info.path),
                "width": info.width,
                "height": info.height,
                "rate": str(info.rate),
                "range": {"first": info.first + first, "last": info.first + last},
                "cuts": [info.first + c for c in faces.cuts],
                "tracks": tracks,
                "faces": None if out is None else str(out),
            }
        )
        return
    print(f"{len(tracks)} tracks in frames {info.first + first}-{info.first + last}, {len(faces.cuts)} cuts")
    if tracks:
        titles = ("track", "first", "last", "frames", "mean height (px)", "mean score")
        print_table(titles, (tuple(t.values()) for t in tracks))
    if out is not None:
        print(out)
