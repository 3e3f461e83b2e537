"""Consent checks for an edit: performers of a cast, permission to make a shot, and to use and export finished ones."""

from __future__ import annotations

from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.cast_edit import PLATE
from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.origin import ShotOrigin, certificate_of, models_in, performer_id
from host_bridge.timeline.run.context import PlateRange, RunContext
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.cache import digest_footage
from nodes.consent.book import ConsentBook
from nodes.consent.gate import Clip, Face, of_swap, permit, project_book, still
from nodes.consent.known import known_footage
from nodes.consent.provenance import Provenance, Role
from nodes.definitions import ConsentParameters, SwapParameters
from nodes.errors import ConsentError, FaceplateError
from nodes.shot_document import load_shot


def records_of(context: RunContext) -> ConsentParameters:
    """Return the parameters that name the consent records of a run."""
    return ConsentParameters(project=context.settings.swap.project, production=context.settings.swap.production)


def target_of(context: RunContext, casting: Casting, plate: PlateRange) -> str:
    """Return the target's name if one was given, else the id of the performer in the plate. Raises ConsentError."""
    if casting.target != PLATE:
        return casting.target
    return _performer_in(context, Face("replaced", "target", "--target", None, Clip(plate.path, plate.digest)))


def source_of(context: RunContext, name: str) -> str:
    """Return the source's name; if it is only the clip's, the id of the performer in the clip. Raises ConsentError."""
    path = context.performers[name][0]
    if name != path.stem.split(".")[0]:
        return name
    clip = Clip(path, digest_footage(path))
    return _performer_in(context, Face("replacement", "source", "--source NAME=FOOTAGE", None, clip, label=name))


def parameters_of(context: RunContext, casting: Casting, plate: PlateRange) -> SwapParameters:
    """Return Swap's parameters with the performers of a casting. Raises ConsentError."""
    who = {
        "target_performer": target_of(context, casting, plate),
        "source_performer": source_of(context, casting.source),
    }
    return context.settings.swap.model_copy(update=who)


def check_allowed(context: RunContext, shot: Shot, plate: PlateRange) -> None:
    """Check that every target may be replaced and every source put in; the swap checks models later. Raises ConsentError."""
    for casting in shot.cast:
        _permitted(context, casting, plate)


def _permitted(context: RunContext, casting: Casting, plate: PlateRange) -> tuple[Provenance, SwapParameters]:
    source, parameters = context.performers[casting.source][0], parameters_of(context, casting, plate)
    clips = Clip(plate.path, plate.digest), Clip(source, digest_footage(source))
    return permit(of_swap(*clips, None, parameters), parameters, context.out), parameters


def told_apart(context: RunContext, shot: Shot, plate: PlateRange) -> bool:
    """Tell whether it is known whose face each casting means: the only one, named tracks, or registered footage of the target. Raises ConsentError."""
    return len(shot.cast) < 2 or all(casting.tracks or _is_known(context, casting, plate) for casting in shot.cast)


def _is_known(context: RunContext, casting: Casting, plate: PlateRange) -> bool:
    provenance, parameters = _permitted(context, casting, plate)
    return "target" in known_footage(provenance, parameters, context.out, plate.path)


def still_counts(context: RunContext, folder: Path, plate: PlateRange, watch: Watch) -> bool:
    """Tell whether the same consents still allow an earlier result; if not, report the reason to the watch."""
    try:
        permit(still(load_shot(folder).provenance, folder), records_of(context), context.out, plate.path)
    except FaceplateError as e:
        watch.message(f"what was made before does not count: {e.plain}")
        return False
    return True


class Refusals:
    """Consent checks of a run before it begins, the same as it will make itself. context: the run."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._refused: dict[object, str | None] = {}

    def refusal(self, shot: Shot) -> str | None:
        """Return why a shot may not be made, with a remedy; None if it may, or if its footage is missing."""
        pair = shot.media.path, tuple((c.target, c.source) for c in shot.cast)  # the same for many shots of an edit
        if pair not in self._refused:
            self._refused[pair] = None
            try:
                check_allowed(self._context, shot, _plate(shot))
            except ConsentError as e:
                self._refused[pair] = str(e)
            except (FaceplateError, KeyError, IndexError):
                pass
        return self._refused[pair]

    def told_apart(self, shot: Shot) -> bool:
        """Tell whether it is known whose face each casting means."""
        try:
            return told_apart(self._context, shot, _plate(shot))
        except (FaceplateError, KeyError, IndexError):  # refused for another reason
            return False

    def counts(self, shot: Shot, folder: Path) -> bool:
        """Tell whether an earlier result may still be used; otherwise a run makes it again."""
        try:
            return still_counts(self._context, folder, _plate(shot), self._context.watch)
        except FaceplateError:  # the plate cannot be read; that is another problem
            return True


def permitted_origins(run: TimelineRun, out: Path, target: Path, consent: ConsentParameters) -> dict[str, ShotOrigin]:
    """Check the consents of finished shots; return their origins by id. out: the run's folder. target: the file to write. Raises ConsentError, SchemaError."""
    book = project_book(consent, target, out)
    origins = {}
    for shot in run.shots:
        if shot.state == "done" and shot.folder is not None:
            folder = out / shot.folder
            finished = load_shot(folder)
            faces = still(finished.provenance, folder, "Delete the folder, and run the timeline again")
            provenance = permit(faces, consent, target, out)
            origins[shot.id] = ShotOrigin(
                provenance, tuple(models_in(finished)), certificate_of(finished), _ids(shot, provenance, book)
            )
    return origins


def _ids(shot: ShotRecord, provenance: Provenance, book: ConsentBook | None) -> dict[tuple[Role, str], str]:
    """Map the cast's names to ids of performers, where they are unambiguous."""
    names: list[tuple[Role, str]] = [("target", c.target) for c in shot.cast]
    names += [("source", c.source) for c in shot.cast]
    ids = {key: performer_id(key[1], key[0], provenance.performers, book) for key in names}
    return {key: id for key, id in ids.items() if id is not None}


def _performer_in(context: RunContext, face: Face) -> str:
    """Return the id of the performer in a clip."""
    return permit([face], records_of(context), context.out).performers[0].id


def _plate(shot: Shot) -> PlateRange:
    assert shot.media.path is not None
    return PlateRange(shot.media.path, digest_footage(shot.media.path), "", shot.span, "")
