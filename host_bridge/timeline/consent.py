"""Consent in an edit: whom a cast means by the records, whether a shot may be made, whether what is done may still be used and go out."""

from __future__ import annotations

from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.cast_edit import PLATE
from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.origin import ShotOrigin, certificate_of, models_in, performer_called
from host_bridge.timeline.run.context import PlateRange, RunContext
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.cache import digest_footage
from nodes.consent.book import ConsentBook
from nodes.consent.gate import Clip, Face, of_swap, permit, project_book, still
from nodes.consent.provenance import Provenance, Role
from nodes.definitions import ConsentParameters, SwapParameters
from nodes.errors import ConsentError, FaceplateError
from nodes.shot_document import load_shot


def records_of(context: RunContext) -> ConsentParameters:
    """By which records of consent a run is done."""
    return ConsentParameters(project=context.settings.swap.project, production=context.settings.swap.production)


def target_of(context: RunContext, casting: Casting, plate: PlateRange) -> str:
    """Who is replaced, by the name that somebody gave; else the performer whom the plate shows. Raises ConsentError."""
    if casting.target != PLATE:
        return casting.target
    return _shown(context, Face("replaced", "target", "--target", None, Clip(plate.path, plate.digest)))


def source_of(context: RunContext, name: str) -> str:
    """Who is put in, by the name that somebody gave; else, where it is but that of a clip, the performer whom the clip shows. Raises ConsentError."""
    path = context.performers[name][0]
    if name != path.stem.split(".")[0]:
        return name
    clip = Clip(path, digest_footage(path))
    return _shown(context, Face("replacement", "source", "--source NAME=FOOTAGE", None, clip, label=name))


def parameters_of(context: RunContext, casting: Casting, plate: PlateRange) -> SwapParameters:
    """Swap's parameters with who is who in a shot. Raises ConsentError."""
    who = {
        "target_performer": target_of(context, casting, plate),
        "source_performer": source_of(context, casting.source),
    }
    return context.settings.swap.model_copy(update=who)


def check_allowed(context: RunContext, shot: Shot, plate: PlateRange) -> None:
    """See that all in a shot may be replaced and put in. Of the models its swap asks, when they are known. Raises ConsentError."""
    for casting in shot.cast:
        source, parameters = context.performers[casting.source][0], parameters_of(context, casting, plate)
        clips = Clip(plate.path, plate.digest), Clip(source, digest_footage(source))
        permit(of_swap(*clips, None, parameters), parameters, context.out)


def still_counts(context: RunContext, folder: Path, plate: PlateRange, watch: Watch) -> bool:
    """Whether a result that was made before may be used by the same consents today; else the watch is told why it is made anew."""
    try:
        permit(still(load_shot(folder).provenance, folder), records_of(context), context.out, plate.path)
    except FaceplateError as e:
        watch.message(f"what was made before does not count: {e.plain}")
        return False
    return True


class Refusals:
    """The consents around an edit's run before it begins, as the run will ask for them. context: the run."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._refused: dict[object, str | None] = {}

    def refusal(self, shot: Shot) -> str | None:
        """Why a shot may not be made, and what to do; None where nothing forbids it, or its footage is not there to tell."""
        pair = shot.media.path, tuple((c.target, c.source) for c in shot.cast)  # many shots of an edit ask the same
        if pair not in self._refused:
            self._refused[pair] = None
            try:
                check_allowed(self._context, shot, _plate(shot))
            except ConsentError as e:
                self._refused[pair] = str(e)
            except (FaceplateError, KeyError, IndexError):
                pass
        return self._refused[pair]

    def counts(self, shot: Shot, folder: Path) -> bool:
        """Whether a result that was made before may still be used; a run makes it anew otherwise."""
        try:
            return still_counts(self._context, folder, _plate(shot), self._context.watch)
        except FaceplateError:  # the plate cannot be read; that is another problem
            return True


def permitted(run: TimelineRun, out: Path, target: Path, consent: ConsentParameters) -> dict[str, ShotOrigin]:
    """By what each finished shot was made, by its id. out: the run's folder. target: what is to be written. Raises ConsentError, SchemaError."""
    book = project_book(consent, target, out)
    made = {}
    for shot in run.shots:
        if shot.state == "done" and shot.folder is not None:
            folder = out / shot.folder
            finished = load_shot(folder)
            faces = still(finished.provenance, folder, "Delete the folder, and run the timeline again")
            provenance = permit(faces, consent, target, out)
            made[shot.id] = ShotOrigin(
                provenance, tuple(models_in(finished)), certificate_of(finished), _ids(shot, provenance, book)
            )
    return made


def _ids(shot: ShotRecord, made: Provenance, book: ConsentBook | None) -> dict[tuple[Role, str], str]:
    """The performers by the names that the cast has for them, as far as that can be told."""
    named: list[tuple[Role, str]] = [("target", c.target) for c in shot.cast]
    named += [("source", c.source) for c in shot.cast]
    ids = {key: performer_called(key[1], key[0], made.performers, book) for key in named}
    return {key: id for key, id in ids.items() if id is not None}


def _shown(context: RunContext, face: Face) -> str:
    """The id of the performer whom a clip shows."""
    return permit([face], records_of(context), context.out).performers[0].id


def _plate(shot: Shot) -> PlateRange:
    assert shot.media.path is not None
    return PlateRange(shot.media.path, digest_footage(shot.media.path), "", shot.span, "")
