"""Choose: select the tracks of a shot, and check that frames and faces belong to a clip."""

from __future__ import annotations

from dataclasses import replace

from nodes.errors import FootageError, NoFaceError, SchemaError
from nodes.footage.footage import Footage
from nodes.footage.info import FootageInfo
from nodes.persons import main_person, person_like
from nodes.spec import Parameters, parameter
from nodes.text import counted
from nodes.types import Faces


class ChooseParameters(Parameters):
    """Parameters of Choose: which tracks are replaced."""

    tracks: tuple[int, ...] = parameter(
        (), help="Ids of the tracks; by default those of the performer, or of the main person."
    )


def check_range(info: FootageInfo, first: int, last: int) -> None:
    """Raise FootageError unless the positions first..last (inclusive) lie in the clip; the message has its own numbers."""
    if not 0 <= first <= last < info.frames:
        raise FootageError(
            f"has the frames {info.first}-{info.first + info.frames - 1}, not {info.first + first}-{info.first + last}",
            file=info.path,
            remedy="Choose a range inside the clip",
        )


def check_fits(faces: Faces, info: FootageInfo) -> None:
    """Raise SchemaError when faces were found in footage of another size or length than this."""
    if (faces.width, faces.height) != (info.width, info.height) or faces.first + faces.count > info.frames:
        raise SchemaError(
            f"has {counted(info.frames, 'frame')} of {info.width}x{info.height}; the faces are of another clip "
            f"({faces.width}x{faces.height}, frames up to {faces.first + faces.count - 1})",
            file=info.path,
            remedy="Give the clip that the faces were found in, or detect again",
        )


def choose(plate: Footage, found: Faces, parameters: ChooseParameters, performer: Footage | None = None) -> Faces:
    """Select faces of footage by the ids of their tracks, by default those of its main person.

    So a performer who returns after a cut or an interruption is replaced throughout, and a second person is not. performer: footage of the person who
    is meant, who need not be the main one then. Raises NoFaceError, and ConsentError where nobody looks like the performer.
    """
    file, number = plate.info.path, plate.info.first
    if not found.tracks:
        raise NoFaceError(
            "shows no face that can be found",
            file=file,
            remedy="Try --detector full or a lower --min-score, or choose another --range",
        )
    ids = set(parameters.tracks)
    if missing := [w for w in parameters.tracks if w not in {t.id for t in found.tracks}]:
        listed = ", ".join(f"{t.id} (frames {number + t.frames[0]}-{number + t.frames[-1]})" for t in found.tracks[:8])
        raise NoFaceError(f"has no track {missing[0]}", file=file, remedy=f"There are: {listed}")
    if performer is not None and found.subject == "face":
        ids = {track.id for track in person_like(plate, found, performer, parameters.tracks)}
    elif not ids:
        ids = {track.id for track in main_person(plate, found)}
    return replace(found, tracks=tuple(track for track in found.tracks if track.id in ids))
