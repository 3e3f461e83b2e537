"""An export as it is ordered: the edit and its run in, files out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from host_bridge.timeline.asked import check_rate
from host_bridge.timeline.document import default_folder, load
from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.read.places import media_root
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.write.bundle import SUFFIXES
from host_bridge.timeline.write.consent import permitted
from host_bridge.timeline.write.export import Mode, export_edit
from host_bridge.timeline.write.formats import format_of, write_document
from host_bridge.timeline.write.media import Choice, result_media
from host_bridge.timeline.write.profiles import PROFILES, Name
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import OutputError
from nodes.shot.progress import Progress


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be exported, how, and whereto. media: None for what fits the profile. out: None for beside the edit. run: None for its usual folder.

    consent: by which records. rate: at which the edit was run, in frames per second; by default as the run says.
    """

    edit: Path
    mode: Mode
    profile: Name
    media: Choice | None = None
    out: Path | None = None
    run: Path | None = None
    media_roots: Sequence[str] = ()
    bundle: bool = False
    for_otio: str | None = None
    consent: ConsentParameters = DEFAULT_CONSENT
    rate: Fraction | None = None

    @property
    def choice(self) -> Choice:
        """The media that fit: Resolve reads neither FFV1 nor patches that cover a part of the frame for sure, Kdenlive no image sequences; Blender's sequencer blends overlays."""
        if self.media is not None:
            return self.media
        if self.profile in ("resolve", "kdenlive"):
            return "prores4444"
        return "sequence" if self.profile == "blender" and self.mode == "layer" else "written"

    @property
    def target(self) -> Path:
        """The document to write."""
        suffix = ".otioz" if self.bundle else ".otio"
        found = self.out or self.edit.with_name(f"{self.edit.stem}.{self.mode}{suffix}")
        return found.expanduser().absolute()


def deliver(order: Order, progress: Progress) -> dict[str, Any]:
    """Make the media and write the document; the result says which file, shots, notes, and what its format cannot hold. Raises FaceplateError."""
    target = order.target
    _check(order, target)
    out = (order.run or default_folder(order.edit)).expanduser().absolute()
    roots = [media_root(text) for text in order.media_roots]
    run = load(out)
    rate = order.rate or run.edit.rate
    edit = read_edit(order.edit.expanduser(), media_roots=roots, unpacked=out / "bundle", rate=rate)
    check_rate(run.edit.rate or sequence_rate(edit.timeline), order.rate, order.edit)
    made = permitted(run, out, target, order.consent)
    done = export_edit(
        edit,
        run,
        order.mode,
        PROFILES[order.profile],
        lambda shot, kind: result_media(shot, out, kind, order.choice, progress).hashed,
        made=made,
        to=None if target.suffix.lower() in SUFFIXES else target.parent,
    )
    lost, missing = write_document(target, done.document, edit.places, progress, order.for_otio)
    return {
        "schema": "faceplate.timeline-export/1",
        "file": str(target),
        "mode": order.mode,
        "profile": order.profile,
        "media": order.choice,
        "shots": done.shots,
        "left": [{"id": id, "why": why} for id, why in done.left],
        "notes": [*edit.notes, *done.notes, *missing],
        "lost": lost,
        "results": [str(media.path) for media in done.media],
    }


def _check(order: Order, target: Path) -> None:
    kind = target.suffix.lower()
    format_of(target)
    if target == order.edit.expanduser().absolute():
        raise OutputError("is the edit itself", file=target, remedy="Choose another name with --out")
    if order.bundle and kind not in SUFFIXES:
        raise OutputError("is no bundle", file=target, remedy="Give --out as .otioz or .otiod")
    if order.for_otio is not None and kind != ".otio":
        raise OutputError("is no .otio, which alone has versions", file=target, remedy="Leave --for-otio out")
    if order.profile == "resolve" and order.mode != "layer" and order.media == "written":
        raise OutputError(
            "Resolve reads no FFV1, in which a swap writes its movie",
            file=target,
            remedy="Leave --media out, or choose prores4444, dnxhr, h264 or sequence",
        )
