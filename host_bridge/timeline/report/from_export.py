"""Shots as an exported edit tells them, clip by clip, without the run and without the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.read.otio import parse
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.report.integrity import Claimed, of_media, unverified
from host_bridge.timeline.report.people import Records
from host_bridge.timeline.write.tree import CLIP, EXPORT, MEDIA, NAME, Node, clips, marked, references, schema
from nodes.consent.provenance import Provenance
from nodes.credentials.identity import Trust
from nodes.errors import SchemaError
from nodes.footage.rates import snap_rate


class _Told(BaseModel):
    """A part of a clip's block; what a later Faceplate adds to it is no error."""

    model_config = ConfigDict(extra="ignore")


class _Pair(_Told):
    target: str | None = None
    source: str | None = None


class _Model(_Told):
    sha256: str | None = None
    digest: str = ""


class _Media(_Told):
    sha256: str | None = None


class _Credentials(_Told):
    signed: bool = False


class _Block(_Told):
    shot: str
    span: tuple[int, int]
    cast: tuple[_Pair, ...] = ()
    media: _Media = _Media()
    provenance: Provenance = Provenance(version="unknown")
    models: tuple[_Model, ...] = ()
    credentials: _Credentials = _Credentials()


class ExportBlock(_Told):
    """What an export says of itself. edit, digest: name and SHA-256 of the edit that it was made of."""

    mode: str
    profile: str
    edit: str
    digest: str


@dataclass(frozen=True, slots=True)
class ExportedEdit:
    """An edit that our export wrote: its document, and what it says of itself."""

    document: Node
    said: ExportBlock


def exported_edit(data: bytes, file: Path) -> ExportedEdit | None:
    """Read an edit's bytes as an export of ours; None for any other edit. Raises SchemaError for what is damaged."""
    if NAME.encode() not in data:
        return None
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None  # an edit of another format; whoever reads it says what is wrong with it
    block = marked(document, EXPORT)
    if block is None:
        return None
    parse(data, str(file))
    try:
        return ExportedEdit(document, ExportBlock.model_validate(block))
    except ValidationError as e:
        raise _damaged("what it says of its export is damaged", file) from e


def shots_of_export(
    edit: ExportedEdit, file: Path, places: Places | None, records: Records, trust: Trust | None
) -> Iterator[dict[str, Any]]:
    """Every clip with a result, nested ones too, as a shot of the report. places: finds media, None to look for none. Raises SchemaError for a damaged block."""
    for clip in clips(edit.document["tracks"]):
        told = marked(clip, CLIP)
        if told is not None:
            try:
                block = _Block.model_validate(told)
                yield _shot(clip, block, places, records, trust, str(told.get("key") or ""))
            except (ValidationError, KeyError, TypeError, ValueError) as e:
                raise _damaged(f"the clip '{clip.get('name')}' has a damaged block '{NAME}'", file) from e


def unexplained(edit: ExportedEdit) -> list[str]:
    """Names of clips that show a result of Faceplate and do not say which."""
    return [
        str(clip.get("name"))
        for clip in clips(edit.document["tracks"])
        if marked(clip, CLIP) is None and any(_is_ours(r) for _, r in references(clip))
    ]


def _shot(
    clip: Node, block: _Block, places: Places | None, records: Records, trust: Trust | None, key: str
) -> dict[str, Any]:
    ours = {path[-1]: r for path, r in references(clip) if _is_ours(r)}
    reference = ours.get(key) or next(iter(ours.values()), None)
    frames, rate = _frames(reference, block.span)
    name = str(clip.get("name") or "")  # that of the media, on a track of ours
    people = [records.person(part) for part in block.provenance.performers]
    if places is None:
        credentials = unverified()
    else:
        path = None if reference is None else places.find(_address(reference))[0]
        claimed = Claimed(block.provenance, block.credentials.signed, block.media.sha256)
        credentials = of_media(path, claimed, trust)
    return {
        "id": block.shot,
        "name": "" if reference is not None and name == reference.get("name") else name,
        "state": "done",
        "error": None,
        "media": None if reference is None else _address(reference),
        "frames": frames,
        "rate": str(rate),
        "seconds": round(float(frames["count"] / rate), 3),
        "cast": [records.pair(c.target, c.source, people) for c in block.cast],
        "people": people,
        "result": {
            "folder": None,
            "models": [
                {"name": None, "path": None, "digest": m.digest, "sha256": m.sha256, "note": None} for m in block.models
            ],
            "footage": [{"digest": d, "part": "footage", "name": None} for d in block.provenance.footage],
            "unknown": list(block.provenance.unknown),
            "credentials": credentials,
            "sha256": block.media.sha256,
            "version": block.provenance.version,
        },
    }


def _is_ours(reference: Node) -> bool:
    block = (reference.get("metadata") or {}).get(NAME)
    return isinstance(block, dict) and block.get("schema") == MEDIA


def _address(reference: Node) -> str:
    """Where the media are, a sequence as name.%04d.exr."""
    if schema(reference) != "ImageSequenceReference":
        return str(reference.get("target_url") or "")
    base = str(reference.get("target_url_base") or "")
    digits = int(reference.get("frame_zero_padding") or 0)
    return f"{base}{reference.get('name_prefix', '')}{f'%0{digits}d' if digits else '%d'}{reference.get('name_suffix', '')}"


def _frames(reference: Node | None, span: tuple[int, int]) -> tuple[dict[str, int], Fraction]:
    """The numbers of a result's frames as the edit counts, and their rate; of one that is not in the document its place in its media."""
    there = (reference or {}).get("available_range")
    if not there:
        return {"first": span[0], "last": span[1], "count": span[1] - span[0] + 1}, Fraction(24)
    first, count = nearest(exact(there["start_time"]["value"])), round(there["duration"]["value"])
    return {"first": first, "last": first + count - 1, "count": count}, snap_rate(there["duration"]["rate"])


def _damaged(what: str, file: Path) -> SchemaError:
    return SchemaError(what, file=file, remedy="Export the edit again: faceplate timeline export")
