"""What a cast calls people, and who that is in the records of consent."""

from __future__ import annotations

from host_bridge.timeline.asked import PLATE
from host_bridge.timeline.run.work import Footing, Work, digest_of
from host_bridge.timeline.shots.shot import Casting
from nodes.consent.book import open_book
from nodes.consent.footage import Face, permit
from nodes.consent.project import find_project
from nodes.definitions import ConsentParameters


def records_of(work: Work) -> ConsentParameters:
    """By which records of consent a run is done."""
    swap = work.settings.swap
    return ConsentParameters(project=swap.project, production=swap.production)


def target_of(work: Work, casting: Casting, plate: Footing) -> str:
    """Who is replaced, by the name that somebody gave; else who it is that the plate shows. Raises ConsentError."""
    if casting.target != PLATE:
        return casting.target
    return _seen(work, Face("replaced", "--target", None, plate.path, plate.digest))


def source_of(work: Work, name: str) -> str:
    """Who is put in, by the name that somebody gave; else, where it is but that of a clip, whom the clip shows. Raises ConsentError."""
    clip = work.performers[name][0]
    if name != clip.stem.split(".")[0]:
        return name
    project = find_project(work.out, clip, told=work.settings.swap.project)
    if project and open_book(project).named(name):
        return name
    return _seen(work, Face("replacement", "--source NAME=FOOTAGE", None, clip, digest_of(clip)))


def _seen(work: Work, face: Face) -> str:
    """The id of the performer whom a clip shows."""
    swap = work.settings.swap
    project = find_project(work.out, face.clip, told=swap.project)
    return permit(face, project, swap.production).performer
