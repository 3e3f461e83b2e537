"""Consent in an edit: whom a cast means by the records, whether a shot may be made, whether what is done may still be used and go out."""

from __future__ import annotations

from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.asked import PLATE
from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.made import Made, models_in, performer_called, signed_in
from host_bridge.timeline.run.work import Footing, Work, digest_of
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.consent.book import ConsentBook
from nodes.consent.gate import Clip, Face, of_swap, permit, project_book, still
from nodes.consent.provenance import Provenance, Role, read_document
from nodes.definitions import ConsentParameters, SwapParameters
from nodes.errors import ConsentError, FaceplateError
from nodes.shot import document


def records_of(work: Work) -> ConsentParameters:
    """By which records of consent a run is done."""
    return ConsentParameters(project=work.settings.swap.project, production=work.settings.swap.production)


def target_of(work: Work, casting: Casting, plate: Footing) -> str:
    """Who is replaced, by the name that somebody gave; else the performer whom the plate shows. Raises ConsentError."""
    if casting.target != PLATE:
        return casting.target
    return _shown(work, Face("replaced", "target", "--target", None, Clip(plate.path, plate.digest)))


def source_of(work: Work, name: str) -> str:
    """Who is put in, by the name that somebody gave; else, where it is but that of a clip, the performer whom the clip shows. Raises ConsentError."""
    path = work.performers[name][0]
    face = Face("replacement", "source", "--source NAME=FOOTAGE", None, Clip(path, digest_of(path)))
    book = project_book([face], records_of(work), work.out) if name == path.stem.split(".")[0] else None
    return name if name != path.stem.split(".")[0] or (book and book.named(name)) else _shown(work, face)


def parameters_of(work: Work, casting: Casting, plate: Footing) -> SwapParameters:
    """Swap's parameters with who is who in a shot. Raises ConsentError."""
    who = {"target_performer": target_of(work, casting, plate), "source_performer": source_of(work, casting.source)}
    return work.settings.swap.model_copy(update=who)


def check_allowed(work: Work, shot: Shot, plate: Footing) -> None:
    """See that all in a shot may be replaced and put in. Of the models its swap asks, when they are known. Raises ConsentError."""
    for casting in shot.cast:
        source, parameters = work.performers[casting.source][0], parameters_of(work, casting, plate)
        clips = Clip(plate.path, plate.digest), Clip(source, digest_of(source))
        permit(of_swap(*clips, None, parameters), parameters, work.out)


def still_counts(work: Work, folder: Path, plate: Footing, watch: Watch) -> bool:
    """Whether a result that was made before may be used by the same consents today; else the watch is told why it is made anew."""
    try:
        permit(still(read_document(document.load(folder)), folder), records_of(work), work.out, plate.path)
    except FaceplateError as e:
        watch.message(f"what was made before does not count: {e.plain}")
        return False
    return True


class Refusals:
    """The consents around an edit's run before it begins, as the run will ask for them. work: the run."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._refused: dict[object, str | None] = {}

    def refusal(self, shot: Shot) -> str | None:
        """Why a shot may not be made, and what to do; None where nothing forbids it, or its footage is not there to tell."""
        pair = shot.media.path, tuple((c.target, c.source) for c in shot.cast)  # many shots of an edit ask the same
        if pair not in self._refused:
            self._refused[pair] = None
            try:
                check_allowed(self._work, shot, _plate(shot))
            except ConsentError as e:
                self._refused[pair] = str(e)
            except (FaceplateError, KeyError, IndexError):
                pass
        return self._refused[pair]

    def counts(self, shot: Shot, folder: Path) -> bool:
        """Whether a result that was made before may still be used; a run makes it anew otherwise."""
        try:
            return still_counts(self._work, folder, _plate(shot), self._work.watch)
        except FaceplateError:  # the plate cannot be read; that is another problem
            return True


def permitted(run: TimelineRun, out: Path, target: Path, consent: ConsentParameters) -> dict[str, Made]:
    """By what each finished shot was made, by its id. out: the run's folder. target: what is to be written. Raises ConsentError, SchemaError."""
    book = project_book([], consent, target, out)
    made = {}
    for shot in run.shots:
        if shot.state == "done" and shot.folder is not None:
            folder = out / shot.folder
            told = document.load(folder)
            faces = still(read_document(told), folder, "Delete the folder, and run the timeline again")
            provenance = permit(faces, consent, target, out)
            made[shot.id] = Made(provenance, tuple(models_in(told)), signed_in(told), _ids(shot, provenance, book))
    return made


def _ids(shot: ShotRecord, made: Provenance, book: ConsentBook | None) -> dict[tuple[Role, str], str]:
    """The performers by the names that the cast has for them, as far as that can be told."""
    named: list[tuple[Role, str]] = [("target", c.target) for c in shot.cast]
    named += [("source", c.source) for c in shot.cast]
    ids = {key: performer_called(key[1], key[0], made.performers, book) for key in named}
    return {key: id for key, id in ids.items() if id is not None}


def _shown(work: Work, face: Face) -> str:
    """The id of the performer whom a clip shows."""
    return permit([face], records_of(work), work.out).performers[0].id


def _plate(shot: Shot) -> Footing:
    assert shot.media.path is not None
    return Footing(shot.media.path, digest_of(shot.media.path), "", shot.span, "")
