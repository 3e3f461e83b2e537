"""The installer for Resolve, against the folder trees of the three systems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from install import resolve
from install.resolve import MANIFEST, ResolveProblem, choose, install, installed, places, plan, uninstall

ROOT = Path(resolve.__file__).parent.parent
FILES = {
    "Fuses/FaceplateSwap.fuse": b"one",
    "Scripts/Utility/Faceplate/Monitor.lua": b"two",
    "Faceplate/python/a.py": b"3",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Fusion root with things of the user's own."""
    for name in ("Fuses/Mine.fuse", "Scripts/Utility/mine.lua", "Macros/mine.setting"):
        (tmp_path / "Fusion" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "Fusion" / name).write_text("mine")
    return tmp_path / "Fusion"


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(ROOT / "install" / "resolve.py"), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, cwd="/")


@pytest.mark.parametrize(
    ("system", "there", "user", "shared"),
    [
        (
            "darwin",
            "Library/Application Support/Blackmagic Design/DaVinci Resolve",
            ["Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion"],
            "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
        ),
        (
            "darwin",
            "Library/Containers/com.blackmagic-design.DaVinciResolveLite/Data/Library/Application Support/Blackmagic Design/DaVinci Resolve",
            [
                "Library/Containers/com.blackmagic-design.DaVinciResolveLite/Data/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion"
            ],
            "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
        ),
        (
            "win32",
            "Roaming/Blackmagic Design/DaVinci Resolve/Support",
            ["Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion"],
            "Shared/Blackmagic Design/DaVinci Resolve/Fusion",
        ),
        (
            "linux",
            ".local/share/DaVinciResolve",
            [".local/share/DaVinciResolve/Fusion"],
            "/opt/resolve/Fusion",
        ),
    ],
)
def test_each_system_has_its_folders(tmp_path: Path, system: str, there: str, user: list[str], shared: str) -> None:
    environment = {"APPDATA": str(tmp_path / "Roaming"), "PROGRAMDATA": str(tmp_path / "Shared")}
    found = places(system, tmp_path, environment)
    with pytest.raises(ResolveProblem, match="start Resolve once, or name its Fusion folder with --root"):
        choose(found, all_users=False)
    (tmp_path / there).mkdir(parents=True)
    assert [place.path for place in choose(found, all_users=False)] == [tmp_path / path for path in user]
    assert [place.path for place in found if place.kind == "all-users"] == [tmp_path / shared]


def test_the_folder_of_all_users_is_used_only_if_asked_for(tmp_path: Path) -> None:
    shared = tmp_path / "Shared" / "Blackmagic Design" / "DaVinci Resolve"
    shared.mkdir(parents=True)
    found = places("win32", tmp_path, {"APPDATA": str(tmp_path / "no"), "PROGRAMDATA": str(tmp_path / "Shared")})
    assert [place.path for place in choose(found, all_users=True)] == [shared / "Fusion"]
    with pytest.raises(ResolveProblem):
        choose(found, all_users=False)


def test_what_is_installed_is_written_down_and_taken_away_again(root: Path) -> None:
    before = tree(root)
    done = install(root, FILES)
    assert sorted(done.write) == sorted(FILES) and set(installed(root)) == set(FILES)
    assert tree(root) == {**before, **FILES, MANIFEST.as_posix(): (root / MANIFEST).read_bytes()}
    again = install(root, FILES)
    assert not again.write and sorted(again.same) == sorted(FILES)
    (root / "Faceplate/python/__pycache__").mkdir()
    (root / "Faceplate/python/__pycache__/a.cpython-311.pyc").write_bytes(b"")
    gone = uninstall(root)
    assert sorted(gone.remove) == sorted(FILES) and tree(root) == before
    assert not (root / "Faceplate").exists() and not (root / "Scripts/Utility/Faceplate").exists()
    assert (root / "Fuses").is_dir()
    assert not uninstall(root).remove


def test_an_upgrade_writes_what_is_new_and_removes_what_is_gone(root: Path) -> None:
    install(root, FILES)
    newer = {"Fuses/FaceplateSwap.fuse": b"newer", "Fuses/FaceplateMask.fuse": b"new"}
    done = install(root, newer)
    assert sorted(done.write) == sorted(newer) and len(done.remove) == 2 and not done.keep
    assert set(installed(root)) == set(newer) and not (root / "Scripts/Utility/Faceplate").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_users_file_of_the_same_name_is_never_touched(root: Path, kind: str, tmp_path: Path) -> None:
    name = "Fuses/FaceplateSwap.fuse"
    if kind == "file":
        (root / name).write_bytes(b"my own")
    elif kind == "folder":
        (root / name).mkdir()
    else:
        (tmp_path / "elsewhere").write_bytes(FILES[name])
        (root / name).symlink_to(tmp_path / "elsewhere")
    done = install(root, FILES)
    assert done.keep == [name] and name not in installed(root)
    uninstall(root)
    assert (root / name).exists() and (root / name).is_symlink() == (kind == "link")


def test_what_the_user_has_changed_since_stays_at_upgrade_and_removal(root: Path) -> None:
    install(root, FILES)
    name = "Scripts/Utility/Faceplate/Monitor.lua"
    (root / name).write_bytes(b"changed by hand")
    assert install(root, {**FILES, name: b"newer"}).keep == [name]
    assert uninstall(root).keep == [name]
    assert (root / name).read_bytes() == b"changed by hand"


def test_an_interrupted_installation_can_be_finished_and_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write, count = tree(root), resolve._write, 0

    def failing(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(resolve, "_write", failing)
    with pytest.raises(OSError, match="No space"):
        install(root, FILES)
    monkeypatch.undo()
    assert len(plan(root, FILES).write) == 2
    uninstall(root)
    assert tree(root) == before


@pytest.mark.parametrize("text", ["{}", "no json", '{"schema": "faceplate.installed/9", "files": {}}', "[]"])
def test_a_list_that_cannot_be_understood_stops_it(root: Path, text: str) -> None:
    (root / MANIFEST).parent.mkdir()
    (root / MANIFEST).write_text(text)
    before = tree(root)
    for act in (lambda: install(root, FILES), lambda: uninstall(root)):
        with pytest.raises(ResolveProblem, match="move it away"):
            act()
    assert tree(root) == before


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/../../b", "C:/x", "a\\b"])
def test_a_list_that_names_files_outside_stops_it(root: Path, name: str) -> None:
    (root / MANIFEST).parent.mkdir()
    told = {"schema": "faceplate.installed/1", "files": {name: resolve.digest(b"x")}}
    (root / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(ResolveProblem, match="outside"):
        uninstall(root)


def test_the_command_installs_what_resolve_loads_and_removes_it(root: Path, tmp_path: Path) -> None:
    before, watched = tree(root), tmp_path / "watched folder"
    told = ("--root", root, "--folder", watched)
    tried = command("install", *told, "--dry-run")
    assert tried.returncode == 0 and "would write Fuses/FaceplateSwap.fuse" in tried.stdout, tried.stderr
    assert tree(root) == before and not watched.exists()
    done = command("install", *told)
    assert done.returncode == 0 and "Restart Resolve" in done.stdout, done.stderr
    files = tree(root)
    menu = "Scripts/Utility/Faceplate/Replace face in selected clips.lua"
    assert watched.as_posix().encode() in files[menu] and b"http" not in files[menu]
    assert files["Faceplate/python/host_bridge/client.py"] == (ROOT / "host_bridge/client.py").read_bytes()
    assert (watched / "edits").is_dir() and (watched / "results").is_dir()
    assert "write" not in command("install", *told).stdout
    assert f"{len(installed(root))} files of Faceplate" in command("status", *told).stdout
    assert command("uninstall", *told, "--dry-run").returncode == 0 and tree(root) == files
    assert command("uninstall", *told).returncode == 0 and tree(root) == before


def test_where_it_may_not_write_it_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed = command("install", "--root", tmp_path / "file" / "Fusion", "--folder", tmp_path / "w")
    assert failed.returncode == 1 and failed.stderr.startswith("Error: ") and failed.stderr.count("\n") == 1


def test_no_web_address_in_the_installer() -> None:
    assert "://" not in (ROOT / "install" / "resolve.py").read_text("utf-8")
