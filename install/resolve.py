"""Installer of Faceplate in DaVinci Resolve and Fusion: `python3 install/resolve.py install|uninstall|status [--all-users] [--root FOLDER] [--dry-run]`.

Copies Fuses and menu scripts into the Fusion folder, lists them with their digests, and removes nothing else.
Run it with the Python of Faceplate's environment, which the scripts will start. Standard library only here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = Path("Faceplate") / "installed.json"
SCHEMA = "faceplate.installed/1"
_MINE = "Blackmagic Design/DaVinci Resolve"
_STORES = ("com.blackmagic-design.DaVinciResolveLite", "com.blackmagic-design.DaVinciResolveAppStore")


class ResolveProblem(Exception):
    """Problem that the user can mend; the message is one line with a remedy."""


@dataclass(frozen=True)
class FusionRoot:
    """A Fusion root: of this user, of all users, or of the edition of Apple's store."""

    kind: str
    path: Path


@dataclass(frozen=True)
class InstallPlan:
    """Changes to one root: files to write, files to remove, and the user's own files, which stay."""

    write: dict[str, bytes]
    remove: list[str]
    keep: list[str]
    same: list[str]


def places(system: str, home: Path, environment: Mapping[str, str]) -> list[FusionRoot]:
    """List the Fusion roots of each system, existing or not. system: as sys.platform."""
    if system == "win32":
        roaming = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
        programs = Path(environment.get("PROGRAMDATA") or "C:/ProgramData")
        return [
            FusionRoot("user", roaming / _MINE / "Support" / "Fusion"),
            FusionRoot("all-users", programs / _MINE / "Fusion"),
        ]
    if system == "darwin":
        library = Path("Library") / "Application Support" / _MINE / "Fusion"
        stores = [FusionRoot("app-store", home / "Library" / "Containers" / s / "Data" / library) for s in _STORES]
        return [FusionRoot("user", home / library), *stores, FusionRoot("all-users", Path("/") / library)]
    return [
        FusionRoot("user", home / ".local/share/DaVinciResolve/Fusion"),
        FusionRoot("all-users", Path("/opt/resolve/Fusion")),
    ]


def choose(roots: Sequence[FusionRoot], *, all_users: bool) -> list[FusionRoot]:
    """Choose roots: this user's, with the App Store edition's if it exists, or that of all users. Raises ResolveProblem if Resolve has none."""
    candidates = [place for place in roots if (place.kind == "all-users") == all_users]
    existing = [place for place in candidates if place.path.parent.is_dir()]
    if not existing:
        names = " or ".join(str(place.path) for place in candidates)
        raise ResolveProblem(
            f"Resolve has no folder {names}: start Resolve once, or name its Fusion folder with --root"
        )
    return existing


def built(root: Path, watched: Path, results: Path) -> dict[str, bytes]:
    """Make all files, by their place below a root, with the Faceplate of this Python. Raises ResolveProblem."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "host_bridge.fusion", folder, str(root)]
        command += [watched.as_posix(), results.as_posix()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
        if process.returncode:
            why = (process.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            python = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            raise ResolveProblem(
                f"the files cannot be made ({why}): run this with the Python of Faceplate, as {python}"
            )
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def plan(root: Path, files: Mapping[str, bytes]) -> InstallPlan:
    """Plan an installation. A file that we did not write, or that was changed since, is its owner's. Raises ResolveProblem."""
    recorded = installed(root)
    write, keep, same = {}, [], []
    for name, content in files.items():
        current = _digest_of(root / name)
        if current == digest(content) and name in recorded:
            same.append(name)
        elif current is None or current == recorded.get(name):
            write[name] = content
        else:
            keep.append(name)
    old = [name for name in recorded if name not in files]
    remove = [name for name in old if _digest_of(root / name) == recorded[name]]
    keep += [name for name in old if name not in remove and _digest_of(root / name) is not None]
    return InstallPlan(write, remove, keep, same)


def install(root: Path, files: Mapping[str, bytes]) -> InstallPlan:
    """Install the files, each whole or not at all, and list them first, in case of interruption. Raises ResolveProblem."""
    todo, recorded = plan(root, files), installed(root)
    after = {name: digest(content) for name, content in files.items() if name not in todo.keep}
    _note(root, {**recorded, **after})
    for name, content in todo.write.items():
        _write(root / name, content)
    _remove(root, todo.remove)
    _note(root, {**after, **{name: recorded[name] for name in todo.keep if name in recorded}})
    return todo


def uninstall(root: Path) -> InstallPlan:
    """Remove unchanged files, and folders that are then empty. Raises ResolveProblem."""
    todo = plan(root, {})
    _remove(root, [*todo.remove, *([MANIFEST.as_posix()] if installed(root) else [])])
    return todo


def installed(root: Path) -> dict[str, str]:
    """Read the list of installed files: SHA-256 by place. Raises ResolveProblem for an invalid list."""
    path = root / MANIFEST
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(document["schema"])
        files = {str(name): str(sha) for name, sha in document["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ResolveProblem(
            f"{path} cannot be understood ({e}): move it away, and see by hand what is in {root}"
        ) from e
    for name in files:
        if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name or ":" in name:
            raise ResolveProblem(f"{path} names {name}, which is outside: move it away")
    return files


def digest(content: bytes) -> str:
    """Compute the SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; return the exit status."""
    parser = argparse.ArgumentParser(prog="install/resolve.py", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["install", "uninstall", "status"])
    parser.add_argument("--root", type=Path, help="a Fusion folder, instead of those that are found")
    parser.add_argument("--all-users", action="store_true", help="into the folder of all users of this machine")
    parser.add_argument("--folder", type=Path, default=Path.home() / "Faceplate", help="the folder that is watched")
    parser.add_argument("--results", type=Path, help="where results go; by default `results` in the watched folder")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    options = parser.parse_args(arguments)
    watched = options.folder.expanduser().absolute()
    results = (options.results or watched / "results").expanduser().absolute()
    try:
        roots = [FusionRoot("root", options.root.expanduser().absolute())] if options.root else None
        roots = roots or choose(places(sys.platform, Path.home(), os.environ), all_users=options.all_users)
        for place in roots:
            _act(options.action, place.path, watched, results, dry=options.dry_run)
        if options.action == "install":
            _prepare(watched, results, dry=options.dry_run)
        return 0
    except ResolveProblem as problem:
        message = str(problem)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}. Choose a folder that you may write to with --root."
    print(f"Error: {message}", file=sys.stderr)
    return 1


def _act(action: str, root: Path, watched: Path, results: Path, *, dry: bool) -> None:
    if action == "status":
        recorded = installed(root)
        changed = [name for name in recorded if _digest_of(root / name) != recorded[name]]
        print(f"{root}: {len(recorded)} files of Faceplate" + "".join(f"\n  changed: {name}" for name in changed))
        return
    files = built(root, watched, results) if action == "install" else {}
    result = plan(root, files) if dry else install(root, files) if files else uninstall(root)
    would = "would " if dry else ""
    print(f"{root}:")
    for verb, names in (("write", list(result.write)), ("remove", result.remove)):
        for name in names:
            print(f"  {would}{verb} {name}")
    for name in result.keep:
        print(f"  keep {name}: it is not as Faceplate wrote it. Move it away to get Faceplate's")
    if result.same:
        print(f"  {len(result.same)} files are up to date")


def _prepare(watched: Path, results: Path, *, dry: bool) -> None:
    """Make the folders that the scripts use: in the free edition they cannot make any."""
    for folder in (watched, watched / "edits", results):
        if not folder.is_dir():
            print(f"{'would make' if dry else 'made'} {folder}")
            if not dry:
                folder.mkdir(parents=True)
    if sys.platform == "win32" and not f"{watched}{results}".isascii():
        print(
            "Lua on Windows may not find paths with other letters than A to Z: choose others with --folder, --results"
        )
    if not dry:
        print(f'Restart Resolve. In its free edition, also run: faceplate engine watch "{watched}" --resolve')


def _digest_of(path: Path) -> str | None:
    """Compute the SHA-256 of a file; None if it is missing. A link or a folder is never ours."""
    if path.is_symlink() or path.is_dir():
        return "not ours"
    try:
        return digest(path.read_bytes())
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return "not ours"


def _note(root: Path, files: Mapping[str, str]) -> None:
    document = {"schema": SCHEMA, "files": dict(sorted(files.items()))}
    _write(root / MANIFEST, (json.dumps(document, indent=1) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remove(root: Path, names: Sequence[str]) -> None:
    for name in names:
        path = root / name
        path.unlink(missing_ok=True)
        # Resolve's own folders stay, even if they are empty; ours have our name in their path.
        for folder in path.relative_to(root).parents:
            if "Faceplate" not in folder.parts:
                break
            cache = root / folder / "__pycache__"
            if cache.is_dir():
                for compiled in cache.glob("*.pyc"):
                    compiled.unlink()
                cache.rmdir()
            if any((root / folder).iterdir()):
                break
            (root / folder).rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
