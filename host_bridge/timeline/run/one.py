"""One shot, from its media to its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.reporting import Watch
from host_bridge.timeline.run.swapping import swap_face
from host_bridge.timeline.run.work import Footing, Work, digest_of, file_name
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.cache import key_of
from nodes.definitions import Method
from nodes.detect.kept import analyse_together
from nodes.errors import FaceplateError, FootageError
from nodes.footage.footage import open_footage
from nodes.text import counted

_LEARNED = {"model", "steps", "minutes", "until", "batch", "learning_rate", "seed", "size", "base"}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a shot. model: of its first person. how: the model came about. span: what was rendered. report: of the result."""

    folder: Path
    model: Path | None
    how: str
    span: tuple[int, int]
    report: dict[str, Any]


def footing(shot: Shot, watch: Watch, layer: str | None) -> Footing:
    """Look at a shot's media; raises FaceplateError when they are missing, end before the shot does, or may not be read."""
    media = shot.media
    if media.path is None:
        raise FootageError(
            "its media are missing", file=media.url, remedy="Say where they are with --media-root FROM=TO"
        )
    watch.may_read(media.path.absolute())
    with open_footage(media.path, rate=media.rate, layer=layer) as footage:
        info = footage.info
    first, last = shot.span
    if last >= info.frames:
        # The edit may not say how long its media are; handles that are not there are no error, frames of the shot are.
        last = info.frames - 1
        if max(shot.frames) > last:
            raise FootageError(
                f"has {counted(info.frames, 'frame')}; the shot needs its {max(shot.frames) + 1}.",
                file=media.path,
                remedy="Give the media that the edit was made with, with --media-root FROM=TO",
            )
    return Footing(
        media.path,
        digest_of(media.path),
        str(media.rate),
        (first, last),
        f"{info.first + first}-{info.first + last}",
    )


def key_of_shot(work: Work, shot: Shot, plate: Footing) -> str:
    """Name all that the result of a shot depends on; raises FaceplateError for a cast that cannot be played."""
    _check(work, shot)
    for path in (path for casting in shot.cast for path in work.performers[casting.source]):
        work.watch.may_read(path)
    trained = work.run.method is Method.MODEL
    return key_of(
        plate=plate.digest,
        rate=plate.rate,
        span=plate.span,
        cast=[(c.source, c.target, c.tracks) for c in shot.cast],
        sources=[[digest_of(path) for path in work.performers[c.source]] for c in shot.cast],
        run=work.run.model_dump(mode="json"),
        train=work.train.model_dump(mode="json", include=_LEARNED) if trained else None,
        settings=work.settings.model_dump(mode="json", exclude={"swap": work.settings.swap.having("consent")}),
    )


def do_shot(work: Work, shot: Shot, spans: Sequence[tuple[int, int]], out: Path, watch: Watch) -> Done:
    """Build facesets, train and swap, or take what of it is there. Raises FaceplateError, and KeyboardInterrupt when it is stopped.

    spans: of all shots of the same media, which are analysed together where they overlap.
    """
    plate = footing(shot, watch, work.settings.detect.layer)
    with (
        suppress(FaceplateError),
        open_footage(plate.path, rate=shot.media.rate, layer=work.settings.detect.layer) as footage,
    ):
        # Another shot's frames may be damaged; that is no concern of this one, which is then analysed alone.
        analyse_together(footage, spans, work.settings.detect, watch.progress, "detect")
    if len(shot.cast) == 1:
        return _person(work, shot.cast[0], plate, out, watch)
    return _people(work, shot, plate, out, watch)


def _person(work: Work, casting: Casting, plate: Footing, out: Path, watch: Watch) -> Done:
    """Replace one person."""
    if work.run.method is Method.REFERENCE:
        model, how = None, "nothing trained"
    else:
        from host_bridge.timeline.run.training import model_for

        found = model_for(work, casting, plate, watch)
        model, how = found.file, found.how
    report = swap_face(work, casting, plate, model, out, watch)
    return Done(out, model, how, plate.span, report)


def _people(work: Work, shot: Shot, plate: Footing, out: Path, watch: Watch) -> Done:
    """Replace each person in results of their own, which lie beside, and lay all of them over the plate."""
    from nodes.shot.merge import merge_shots

    beside = out.with_name(f"{out.name}.people")
    done = [
        _person(work, casting, plate, beside / f"{file_name(casting.source)} on {file_name(casting.target)}", watch)
        for casting in shot.cast
    ]
    with open_footage(plate.path, rate=shot.media.rate, layer=work.settings.detect.layer) as footage:
        merged = merge_shots(footage, [one.folder for one in done], out, *plate.span, progress=watch.progress)
    return Done(
        out,
        done[0].model,
        "; ".join(one.how for one in done),
        plate.span,
        merged.report.model_dump(mode="json", by_alias=True),
    )


def _check(work: Work, shot: Shot) -> None:
    """Raise FaceplateError for a cast that cannot be played."""
    for casting in shot.cast:
        if not work.performers.get(casting.source):
            raise FaceplateError(
                f"the cast names {casting.source}, and no footage of them",
                remedy=f"Name it with --source {casting.source}=FOOTAGE, or in the cast file",
            )
        if casting.source == casting.target:
            raise FaceplateError(
                f"{casting.source} is to be replaced by themselves", remedy="Give source and target different names"
            )
    tracks = Counter(track for casting in shot.cast for track in casting.tracks)
    if len(shot.cast) > 1 and not all(casting.tracks for casting in shot.cast):
        raise FaceplateError(
            "several people are replaced in it, and it is not said which face is whose",
            remedy="Give each one's tracks, as `faceplate detect` numbers them",
        )
    if twice := [track for track, count in tracks.items() if count > 1]:
        raise FaceplateError(
            f"track {twice[0]} is given to two people",
            remedy="Give each one's own tracks, as `faceplate detect` numbers them",
        )
