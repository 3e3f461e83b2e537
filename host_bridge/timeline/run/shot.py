"""One shot, from its media to its results: facesets, a model, a swap for each person, and their merged composite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.consent import parameters_of, still_counts, told_apart
from host_bridge.timeline.run.context import PlateRange, RunContext, file_name
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.cache import digest_file, digest_footage, key_of
from nodes.definitions import Method
from nodes.detect.kept import analyse_together
from nodes.errors import FaceplateError, FootageError
from nodes.files import whole_file
from nodes.footage.footage import open_beside, open_footage
from nodes.text import counted

_NOTE = ".timeline.key"  # of all inputs of the swap in a folder
_LEARNED = {"model", "steps", "minutes", "until", "batch", "learning_rate", "seed", "size", "base"}


@dataclass(frozen=True, slots=True)
class FinishedShot:
    """A finished shot. model: of its first person. how: origin of the model."""

    folder: Path
    model: Path | None
    how: str


def plate_range(shot: Shot, watch: Watch, layer: str | None) -> PlateRange:
    """Open a shot's media; raises FaceplateError when they are missing, end before the shot does, or may not be read."""
    media = shot.media
    if media.path is None:
        remedy = "Say where they are with --media-root FROM=TO"
        raise FootageError("its media are missing", file=media.url, remedy=remedy)
    watch.may_read(media.path.absolute())
    with open_footage(media.path, rate=media.rate, layer=layer) as footage:
        info = footage.info
    first, last = shot.span
    if last >= info.frames:
        # The edit may not say how long its media are. Missing handles are allowed, missing frames of the shot are an error.
        last = info.frames - 1
        if max(shot.frames) > last:
            raise FootageError(
                f"has {counted(info.frames, 'frame')}; the shot needs its {max(shot.frames) + 1}.",
                file=media.path,
                remedy="Give the media that the edit was made with, with --media-root FROM=TO",
            )
    numbers = f"{info.first + first}-{info.first + last}"
    return PlateRange(media.path, digest_footage(media.path), str(media.rate), (first, last), numbers)


def key_of_shot(context: RunContext, shot: Shot, plate: PlateRange) -> str:
    """Return the key of all inputs of a shot's result; raises FaceplateError for an invalid cast."""
    _check_cast(context, shot, plate)
    for path in (path for casting in shot.cast for path in context.performers[casting.source]):
        context.watch.may_read(path)
    trained = context.run.method is Method.MODEL
    return key_of(
        plate=plate.digest,
        rate=plate.rate,
        span=plate.span,
        cast=[(c.source, c.target, c.tracks) for c in shot.cast],
        sources=[[digest_footage(path) for path in context.performers[c.source]] for c in shot.cast],
        run=context.run.model_dump(mode="json"),
        train=context.train.model_dump(mode="json", include=_LEARNED) if trained else None,
        settings=context.settings.model_dump(mode="json", exclude={"swap": context.settings.swap.having("consent")}),
    )


def do_shot(context: RunContext, shot: Shot, spans: Sequence[tuple[int, int]], out: Path, watch: Watch) -> FinishedShot:
    """Build facesets, train and swap, skipping finished steps. Raises FaceplateError, and KeyboardInterrupt when stopped.

    spans: of all shots of the same media, which are analysed together where they overlap.
    """
    layer = context.settings.detect.layer
    plate = plate_range(shot, watch, layer)
    with suppress(FaceplateError), open_footage(plate.path, rate=shot.media.rate, layer=layer) as footage:
        # If another shot's frames are damaged, this one is analysed alone.
        analyse_together(footage, spans, context.settings.detect, watch.progress, "detect")
    if len(shot.cast) == 1:
        return _replace_one(context, shot, shot.cast[0], plate, out, watch)
    from nodes.shot.render import merge_shots

    # Each person's own results lie in a folder beside.
    beside = out.with_name(f"{out.name}.people")
    swaps = []
    for casting in shot.cast:
        folder = beside / f"{file_name(casting.source)} on {file_name(casting.target)}"
        swaps.append(_replace_one(context, shot, casting, plate, folder, watch))
    with open_footage(plate.path, rate=shot.media.rate, layer=layer) as footage:
        merge_shots(footage, [swap.folder for swap in swaps], out, *plate.span, progress=watch.progress)
    return FinishedShot(out, swaps[0].model, "; ".join(swap.how for swap in swaps))


def _replace_one(
    context: RunContext, shot: Shot, casting: Casting, plate: PlateRange, out: Path, watch: Watch
) -> FinishedShot:
    """Replace one person in a shot's span, in the folder `out`, unless a killed run already finished it there.

    The source's own frames come from the first of the performer's clips.
    """
    model, how, wants_source = None, "nothing trained", True
    if context.run.method is Method.MODEL:
        from host_bridge.timeline.run.training import model_for
        from trainer.models import find_model

        model, how = model_for(context, casting, plate, watch)
        wants_source = find_model(context.train.model).inputs != ("crop",)
    source = context.performers[casting.source][0] if wants_source else None
    by = {"method": Method.MODEL if model else Method.REFERENCE, "model": model}
    parameters = parameters_of(context, casting, plate).model_copy(update=by)
    settings = context.settings.model_copy(update={"swap": parameters})
    key = key_of(
        plate=[plate.digest, plate.range],
        source=source and digest_footage(source),
        model=model and digest_file(model),
        tracks=casting.tracks,
        settings=settings.model_dump(mode="json"),
    )
    note = out / _NOTE
    if not (note.is_file() and note.read_text("utf-8") == key and still_counts(context, out, plate, watch)):
        from nodes.shot.render import render_shot

        rate, layer = shot.media.rate, context.settings.detect.layer
        with ExitStack() as stack:
            footage = stack.enter_context(open_footage(plate.path, rate=rate, layer=layer))
            face = stack.enter_context(open_beside(source, rate=rate, layer=layer)) if source else None
            result = render_shot(
                footage, face, out, settings, *plate.span, tracks=casting.tracks, progress=watch.progress
            )
        for line in result.document.remarks(tracks_given=bool(casting.tracks)):
            watch.message(line)
        with whole_file(note) as temporary:
            temporary.write_text(key, "utf-8")
        watch.preview(result.folder / "sheet.png")
    return FinishedShot(out, model, how)


def _check_cast(context: RunContext, shot: Shot, plate: PlateRange) -> None:
    """Raise FaceplateError for an invalid cast: without footage, or with unclear tracks."""
    for casting in shot.cast:
        if not context.performers.get(casting.source):
            raise FaceplateError(
                f"the cast names {casting.source}, and no footage of them",
                remedy=f"Name it with --source {casting.source}=FOOTAGE, or in the cast file",
            )
        if casting.source == casting.target:
            raise FaceplateError(
                f"source and target are both {casting.source}", remedy="Give source and target different names"
            )
    tracks = Counter(track for casting in shot.cast for track in casting.tracks)
    if not told_apart(context, shot, plate):
        raise FaceplateError(
            "several people are replaced in it, and it is not said which face is whose",
            remedy="Register footage of each target (`faceplate performer footage NAME CLIP`), or give each one's tracks, as `faceplate detect` numbers them",
        )
    if repeated := [track for track, count in tracks.items() if count > 1]:
        raise FaceplateError(
            f"track {repeated[0]} is given to two people",
            remedy="Give each one's own tracks, as `faceplate detect` numbers them",
        )
