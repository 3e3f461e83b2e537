"""OTIO bundles: `.otiod` folders are read where they are; of `.otioz` archives the document and its media are unpacked, with care."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from host_bridge.timeline.read import limits
from host_bridge.timeline.read.document import check_size
from nodes.errors import OutputError, SchemaError, writing
from nodes.files import whole_file

CONTENT = "content.otio"
_MADE_BY_HAND = "Make the bundle again"


def read_folder(path: Path) -> bytes:
    """Return the document of an `.otiod` folder; raises SchemaError."""
    content = path / CONTENT
    if not content.is_file():
        raise SchemaError(f"is no OTIO bundle: it holds no {CONTENT}", file=path, remedy=_MADE_BY_HAND)
    check_size(content.stat().st_size, str(content))
    return content.read_bytes()


def read_archive(path: Path, into: Path | None) -> bytes:
    """Return the document of an `.otioz` archive, with its media unpacked into a folder; what is there already stays. into: None for nowhere.

    Raises SchemaError for archives that are damaged, that climb out of the folder, or that grow beyond reason, OutputError when
    they cannot be unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked(archive, path)
            if CONTENT not in entries:
                raise SchemaError(f"is no OTIO bundle: it holds no {CONTENT}", file=path, remedy=_MADE_BY_HAND)
            check_size(entries[CONTENT].file_size, f"{path}/{CONTENT}")
            with archive.open(CONTENT) as file:
                content = file.read(limits.DOCUMENT)
            media = {name: entry for name, entry in entries.items() if name.startswith("media/") and not entry.is_dir()}
            if into is not None:
                _unpack(archive, media, into, path)
            return content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
        raise SchemaError(f"is no OTIO bundle, or is damaged: {e}", file=path, remedy=_MADE_BY_HAND) from e


def _checked(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    found = archive.infolist()
    size = path.stat().st_size

    def refuse(what: str) -> SchemaError:
        return SchemaError(what, file=path, remedy=_MADE_BY_HAND)

    if len(found) > limits.ENTRIES:
        raise refuse(f"holds {len(found)} files; up to {limits.ENTRIES} are read")
    if sum(entry.compress_size for entry in found) > size:
        raise refuse("is damaged: its files overlap")
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in found:
        name = entry.filename
        if not _stays_inside(name) or stat.S_ISLNK(entry.external_attr >> 16):
            raise refuse(f"holds a file that would be written outside its folder: '{name[:80]}'")
        if entry.file_size > limits.SMALL and entry.file_size > limits.RATIO * max(entry.compress_size, 1):
            raise refuse(f"grows beyond reason: '{name[:80]}' would be {entry.file_size >> 20} MB")
        if entry.flag_bits & 1:
            raise refuse(f"is encrypted: '{name[:80]}'")
        if entries.setdefault(name, entry) is not entry:
            raise refuse(f"holds '{name[:80]}' twice")
    return entries


def _stays_inside(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and parts[0] != "/" and not re.match(r"[A-Za-z]:", name)


def _unpack(archive: zipfile.ZipFile, media: dict[str, zipfile.ZipInfo], into: Path, path: Path) -> None:
    missing = {name: entry for name, entry in media.items() if not _is_there(into / name, entry)}
    need = sum(entry.file_size for entry in missing.values())
    if not missing:
        return
    with writing(into):
        into.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(into).free
    if need > free:
        raise OutputError(
            f"has no room for the media of {path.name}: {need >> 20} MB, {free >> 20} MB are free",
            file=into,
            remedy="Free some space or choose another output folder with --out",
        )
    for name, entry in missing.items():
        with (
            whole_file(into / name, sync=False) as temporary,
            archive.open(entry) as packed,
            temporary.open("wb") as out,
        ):
            # zipfile reads no more than an entry's own size, and checks its sum.
            shutil.copyfileobj(packed, out, 1 << 20)


def _is_there(file: Path, entry: zipfile.ZipInfo) -> bool:
    """The same bytes: a bundle that was made anew may hold another take of one name and size."""
    if not file.is_file() or file.stat().st_size != entry.file_size:
        return False
    crc = 0
    with file.open("rb") as stream:
        while part := stream.read(1 << 22):
            crc = zlib.crc32(part, crc)
    return crc == entry.CRC
