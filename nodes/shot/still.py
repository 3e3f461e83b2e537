"""Stills: one frame of a shot at once, for interactive previews; decisions for the whole shot are cached in between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nodes.cache import digest_footage, key_of
from nodes.consent.gate import Clip, of_swap, permit
from nodes.consent.known import known_footage
from nodes.consent.provenance import Provenance
from nodes.credentials.identity import Identity
from nodes.credentials.sign import claim_of, sign_each
from nodes.definitions import Method, Settings
from nodes.detect.kept import is_analysed
from nodes.errors import NoFaceError
from nodes.footage.footage import Footage, open_beside, open_footage
from nodes.footage.frame import Frame
from nodes.footage.numbering import find_sequence
from nodes.graph import run
from nodes.mask import digest_files
from nodes.parts import PartOfShot
from nodes.progress import Progress, quiet
from nodes.shot_document import FootageInput, ModelInput, PictureOrigin, SwitchedOff
from nodes.swap import SwapPlan
from nodes.types import Patch

_KEPT = 3  # shots
_SAMPLE = {"plate": 16, "source": 40}  # frames; of the plate three more around the one that is shown


@dataclass(frozen=True, slots=True)
class _KeptShot:
    plate: Footage
    source: Footage | None
    plan: SwapPlan
    opened: ExitStack
    first: int

    @property
    def sampled(self) -> tuple[str, ...]:
        """The names of the clips that were analysed by a sample of frames only."""
        clips = {"plate": self.plate, "source": self.source}
        return tuple(name for name, clip in clips.items() if clip is not None and clip.positions is not None)

    def position(self, number: int) -> int:
        """Return the position of a frame in the plate, or in its sample."""
        at = number - self.first
        return at if self.plate.positions is None else int(np.searchsorted(self.plate.positions, at))


@dataclass(frozen=True, slots=True)
class Still:
    """A frame of the plate, its patch, and its origin. sampled: whether only some frames of the source, or of the plate, were analysed."""

    frame: Frame
    patch: Patch
    origin: PictureOrigin
    sampled: tuple[str, ...] = ()


class Stills:
    """A renderer of single frames that keeps the latest shots open; not to be shared between threads."""

    def __init__(self) -> None:
        self._shots: OrderedDict[str, _KeptShot] = OrderedDict()
        self._digests: dict[Path, tuple[object, str]] = {}

    def still(
        self,
        plate: Path,
        number: int,
        source: Path | None,
        settings: Settings,
        tracks: Sequence[int] = (),
        progress: Progress = quiet,
        *,
        out: Path | None = None,
        sample: Collection[str] = (),
    ) -> Still:
        """Render a frame of the plate, by its own number; the first of a shot includes detection and planning. out: its destination.

        sample: `plate`, `source` or both: clips that are analysed by a sample of frames, unless the whole was analysed before. It gives a first picture within seconds.
        Its colours are matched by itself alone, while a render takes the mean of half a second on either side. Raises what `render_shot` does.
        """
        provenance = self._permitted(plate, source, settings, out)
        shot = self._shot(plate, source, settings, tracks, progress, number, sample, provenance, out)
        mattes = replace(shot.plan.mattes, parameters=settings.mask)
        plan = replace(shot.plan, parameters=settings.swap, mattes=mattes, lookahead=0)
        ((frame, patch),) = plan.patches([shot.plate.frame(shot.position(number))])
        inputs: dict[str, FootageInput | ModelInput] = {}
        for name, footage in (("plate", shot.plate), ("source", shot.source)):
            if footage is not None:
                inputs[name] = FootageInput.of(footage.info, self._digest(footage.info.path))
        if model := settings.swap.model:
            inputs["model"] = ModelInput(path=model.absolute(), digest=self._digest(model))
        origin = PictureOrigin(inputs=inputs, settings=settings, provenance=provenance)
        return Still(frame, patch, origin, shot.sampled)

    def close(self) -> None:
        """Close all footage."""
        while self._shots:
            self._drop()

    def _permitted(self, plate: Path, source: Path | None, settings: Settings, out: Path | None) -> Provenance:
        """Check consent for this shot: each time, since it may be revoked meanwhile."""
        file = settings.swap.model if settings.swap.method is Method.MODEL else None
        put_in, model = (Clip(path, self._digest(path)) if path else None for path in (source, file))
        return permit(of_swap(Clip(plate, self._digest(plate)), put_in, model, settings.swap), settings.swap, out)

    def _shot(
        self,
        plate: Path,
        source: Path | None,
        settings: Settings,
        tracks: Sequence[int],
        progress: Progress,
        shown: int,
        sample: Collection[str],
        provenance: Provenance,
        out: Path | None,
    ) -> _KeptShot:
        """Plan a shot, or return one that is kept. shown: the frame of the plate; sample: see `still`."""
        model = settings.swap.model
        key = key_of(
            plate=self._digest(plate),
            source=source and self._digest(source),
            model=model and self._digest(model),
            detect=settings.detect.model_dump(mode="json"),
            align=settings.align.model_dump(mode="json"),
            mask_files=digest_files(settings.mask),
            mask=settings.mask.model_dump(mode="json", include=settings.mask.having("decides")),
            swap=settings.swap.model_dump(mode="json", include=settings.swap.having("decides")),
            tracks=list(tracks),
            performers=[part.id for part in provenance.performers],
        )
        if key in self._shots:
            self._shots.move_to_end(key)
            return self._shots[key]
        with ExitStack() as stack:
            footage = stack.enter_context(open_footage(plate, layer=settings.detect.layer))
            first = footage.info.first
            performer = None
            if source is not None:
                performer = stack.enter_context(open_beside(source, layer=settings.detect.layer))
            if sample:
                # Ids of tracks, and painted mattes, are those of the whole plate.
                if "plate" in sample and not tracks and settings.mask.painted is None:
                    footage = _sample(footage, settings, _SAMPLE["plate"], shown - first)
                if "source" in sample and performer is not None:
                    performer = _sample(performer, settings, _SAMPLE["source"])
                samples = [
                    clip.positions is not None and clip.positions.tolist() for clip in (footage, performer) if clip
                ]
                key = key_of(whole=key, samples=samples) if any(samples) else key
                if key in self._shots:
                    self._shots.move_to_end(key)
                    return self._shots[key]
            given = {"plate": footage, "source": performer}
            for role, path in known_footage(provenance, settings.swap, out, plate, source).items():
                given[f"{role}_known"] = stack.enter_context(open_beside(path))
            try:
                values = run(given, settings, tracks=tracks, progress=progress)
            except NoFaceError:
                if not sample:
                    raise
                return self._shot(plate, source, settings, tracks, progress, shown, (), provenance, out)
            shot = self._shots[key] = _KeptShot(footage, performer, values["patch"], stack.pop_all(), first)
        if len(self._shots) > _KEPT:
            self._drop()
        return shot

    def _drop(self) -> None:
        _, shot = self._shots.popitem(last=False)
        shot.opened.close()

    def _digest(self, path: Path) -> str:
        """Digest footage or a model; computed again when the size or time of a file has changed."""
        sequence = find_sequence(path)
        files = (path,) if sequence is None else sequence.files
        stamp = [(file.name, (status := file.stat()).st_size, status.st_mtime_ns) for file in files if file.is_file()]
        if path not in self._digests or self._digests[path][0] != stamp:
            self._digests[path] = stamp, digest_footage(path)
        return self._digests[path][1]


def _sample(clip: Footage, settings: Settings, most: int, around: int | None = None) -> Footage:
    """Return a sample of a clip, or the clip if it was analysed already."""
    whole = is_analysed(clip, 0, clip.info.frames - 1, settings.detect)
    return clip if whole else clip.sampled(most, around)


def sign_still(
    made: Mapping[PartOfShot, Path | Sequence[Path]],
    origin: PictureOrigin,
    by: Identity | SwitchedOff,
) -> None:
    """Sign the files written for one frame, and several pictures of one folder.

    by: see `nodes.credentials.sign`. Raises CredentialsError, FootageError, OutputError; then the unsigned
    files are removed.
    """
    if isinstance(by, SwitchedOff):
        return
    try:
        sign_each(list(made.items()), claim_of(origin), by)
    except BaseException:
        for files in made.values():
            for file in (files,) if isinstance(files, Path) else files:
                file.unlink(missing_ok=True)
        raise
