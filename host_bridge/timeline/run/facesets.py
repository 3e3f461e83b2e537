"""The facesets of a run. Each lies in a folder named after all that it is made from, so that what is there is what is asked for."""

from __future__ import annotations

from host_bridge.jobs import train
from host_bridge.reporting import Watch
from host_bridge.timeline.consent import records_of, source_of, target_of
from host_bridge.timeline.run.work import FACESETS, Footing, Work, digest_of, file_name
from host_bridge.timeline.shots.shot import Casting
from nodes.cache import key_of
from nodes.errors import FaceplateError
from trainer.faceset import Faceset, open_faceset
from trainer.faceset.parameters import FacesetParameters


def of_source(work: Work, name: str, watch: Watch) -> Faceset:
    """That of a performer whose face is put in, from all footage that the cast names; raises FaceplateError."""
    footage = work.performers[name]
    made_from = [digest_of(path) for path in footage]
    request = train.FacesetRequest(clips=footage, performer=name, out=work.out)
    return _made(work, request, made_from, source_of(work, name), watch)


def of_target(work: Work, casting: Casting, plate: Footing, watch: Watch) -> Faceset:
    """That of the performer in a shot, from the shot's own frames with their handles; raises FaceplateError."""
    request = train.FacesetRequest(
        clips=(plate.path,),
        performer=casting.target,
        out=work.out,
        rate=plate.rate,
        ranges=(plate.range,),
        tracks=casting.tracks,
    )
    return _made(work, request, [plate.digest], target_of(work, casting, plate), watch)


def _made(work: Work, request: train.FacesetRequest, made_from: list[str], who: str, watch: Watch) -> Faceset:
    size = max(work.train.size or 0, FacesetParameters().size)
    asked = request.model_copy(update={"faceset": FacesetParameters(size=size), "detect": work.settings.detect})
    by = {"named": who, "consent": records_of(work)}
    told = asked.model_dump(mode="json", exclude={"clips", "out", "named", "consent"})
    folder = work.out / FACESETS / f"{file_name(request.performer)}-{key_of(made_from=made_from, **told)[:8]}"
    try:
        return open_faceset(folder)
    except FaceplateError:  # there is none, or a damaged one
        train.gather_faceset(asked.model_copy(update={"out": folder, **by}), watch)
        return open_faceset(folder)
