"""Bootstrap from a fresh checkout to a running Faceplate: `python3 install/bootstrap.py demo|test [arguments]`.

Makes `.venv` in the checkout, installs the project into it at the versions of `constraints.txt`, fetches the sample
footage, then runs `faceplate demo`, or the linters, the type checker and the tests. Finished parts are kept;
interrupted ones are made anew. Standard library only, and nothing newer than Python 3.7 in the syntax, so that an
old Python can report the problem.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
CUDA = 13  # what the onnxruntime-gpu of constraints.txt is built for
# Installed, with the trainer: 1.8 GB (measured) with a CPU build of torch; the rest is for downloads and caches.
FREE_GB = {"cpu": 4, "cuda": 14}
TORCH_GB = 12  # on Linux the package index has torch for CUDA, also without a GPU: 2.7 GB to download (measured)
CHECKS = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
)
USAGE = """usage: python3 install/bootstrap.py demo|test [arguments]

  demo   install what is missing, then run `faceplate demo` with the arguments
  test   install what is missing, then run ruff, mypy and pytest (which gets the arguments)

FACEPLATE_SAMPLES      a folder with the sample clips, instead of samples/ in the checkout
FACEPLATE_ACCELERATOR  cpu or cuda, instead of what this script finds
"""


class Problem(Exception):
    """Problem that the user can mend; the message is one line with a remedy."""


class Steps:
    """Printer of installation steps: one line a step, live while it lasts, with its time at the end."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.name, self.since, self.shown = "", 0.0, 0.0

    def begin(self, name: str) -> None:
        """Name the step that starts now."""
        self.name, self.since, self.shown = name, time.monotonic(), time.monotonic()

    def progress(self, what: str) -> None:
        """Say how far the step is: at once on a terminal, every ten seconds in a log."""
        now = time.monotonic()
        if now - self.shown < (0.1 if self.live else 10):
            return
        self.shown = now
        line = f"  {self.name}: {what} ({now - self.since:.0f} s)"
        print("\r" + line[:100].ljust(100) if self.live else line, end="" if self.live else "\n", flush=True)

    def say(self, what: str) -> None:
        """Print a line of its own within the step."""
        print(("\r" if self.live else "") + f"  {self.name}: {what}".ljust(100 if self.live else 0), flush=True)

    def done(self, what: str) -> None:
        """End the step with its result and the time it took."""
        self.say(f"{what} ({time.monotonic() - self.since:.1f} s)")


# ---- which Python


def newer_python(path: str | None = None) -> list[str] | None:
    """Find the command of a Python that Faceplate can use, on `path` (default: PATH); None when there is none."""
    names = [[f"python3.{minor}"] for minor in (11, 12, 13, 14)] + [["py", "-3"], ["python3"], ["python"]]
    probe = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST})"
    for name, *arguments in names:
        program = shutil.which(name, path=path)
        if not program:
            continue
        try:
            if not subprocess.run([program, *arguments, "-c", probe], capture_output=True, timeout=20).returncode:
                return [program, *arguments]
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None


def require_python(version: tuple[int, ...], system: str, path: str | None = None) -> list[str] | None:
    """Return None if this Python is new enough, else the command of a newer one. Raises Problem if this machine has none."""
    if version >= OLDEST:
        return None
    newer = newer_python(path)
    if newer:
        return newer
    how = {
        "Darwin": "`brew install python@3.12`, or the installer of python.org",
        "Windows": "`winget install Python.Python.3.12`, or the installer of python.org",
    }.get(system, "`sudo apt install python3.11 python3.11-venv`, `sudo dnf install python3.11`, or pyenv")
    raise Problem(
        f"Faceplate needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {'.'.join(map(str, version[:3]))} "
        f"({sys.executable}) and there is none on PATH. Install it ({how}), then run the same command again."
    )


# ---- which accelerator


def accelerator(machine: str = platform.machine(), system: str = platform.system()) -> tuple[str, str]:
    """Choose "cpu" or "cuda" for this machine, and say why."""
    forced = os.environ.get("FACEPLATE_ACCELERATOR")
    if forced:
        if forced not in FREE_GB:
            raise Problem(f"FACEPLATE_ACCELERATOR is {forced!r}; it can be cpu or cuda.")
        return forced, "set by FACEPLATE_ACCELERATOR"
    tool = shutil.which("nvidia-smi")
    if not tool or system not in ("Linux", "Windows") or machine.lower() not in ("x86_64", "amd64"):
        return "cpu", "no NVIDIA GPU found"
    try:
        process = subprocess.run([tool], capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "cpu", "nvidia-smi does not answer"
    version = re.search(r"CUDA (?:UMD )?Version:\s*(\d+)\.(\d+)", process.stdout)
    if process.returncode or not version:
        return "cpu", "nvidia-smi finds no working driver"
    if int(version.group(1)) < CUDA:
        return "cpu", f"the NVIDIA driver knows CUDA {version.group(1)}.{version.group(2)}, {CUDA}.0 or newer is needed"
    return "cuda", f"NVIDIA driver with CUDA {version.group(1)}.{version.group(2)}"


# ---- the environment


def scripts_of(env: Path) -> Path:
    """Return the folder of the programs of the virtual environment `env`."""
    return env / ("Scripts" if os.name == "nt" else "bin")


def python_of(env: Path) -> Path:
    """Return the interpreter of the virtual environment `env`."""
    return scripts_of(env) / ("python.exe" if os.name == "nt" else "python")


def clean_environ() -> dict[str, str]:
    """Return the environment without settings for another Python: hosts such as Resolve ask users to make such."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")}
    return {**environment, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def wanted(root: Path) -> dict[str, str]:
    """Describe what an installation in `root` depends on: the two package lists, the folder, the NVIDIA driver."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "install/constraints.txt"):
        digest.update((root / name).read_bytes() + b"\0")
    driver = os.environ.get("FACEPLATE_ACCELERATOR") or shutil.which("nvidia-smi") or ""
    return {"packages": digest.hexdigest(), "root": str(root), "driver": driver}


def read_stamp(env: Path) -> dict[str, Any] | None:
    """Read what `install` noted in `env`; None when there is no such note."""
    try:
        stamp = json.loads((env / "faceplate.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and stamp.get("schema") == "faceplate.install/1" else None


def write_stamp(env: Path, state: str, **facts: str) -> None:
    """Note in `env`, whole or not at all, how far the installation is."""
    partial = env / "faceplate.json.partial"
    partial.write_text(json.dumps({"schema": "faceplate.install/1", "state": state, **facts}), "utf-8")
    partial.replace(env / "faceplate.json")


def version_of(env: Path) -> str:
    """Return the version of the interpreter of `env`; empty when it does not run (its base Python was removed, say)."""
    try:
        ask = [str(python_of(env)), "-c", "import platform; print(platform.python_version())"]
        return subprocess.run(ask, env=clean_environ(), capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def plan(env: Path, want: dict[str, str]) -> str:
    """Decide what the environment needs: "nothing", "update" (the packages only) or "make" (from nothing).

    Raises Problem when `env` is a folder that this script did not make.
    """
    stamp = read_stamp(env)
    if stamp is None:
        if env.exists() and not (env.is_dir() and not any(env.iterdir())):
            raise Problem(f"{env} was not made by this script: move it away, then run the same command again.")
        return "make"
    same_place = all(stamp.get(key) == want[key] for key in ("root", "driver"))
    if stamp.get("state") != "complete" or not same_place or version_of(env) != stamp.get("python"):
        return "make"
    return "nothing" if stamp.get("packages") == want["packages"] else "update"


def require_space(folder: Path, gigabytes: float) -> None:
    """Raise Problem unless the disk of `folder` has that much free."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise Problem(
            f"The disk of {folder} has {free:.1f} GB free and the installation needs {gigabytes:g} GB: free some space."
        )


def make_environment(env: Path) -> None:
    """Make an empty virtual environment with pip, in place of whatever `env` holds. Raises Problem."""
    how = "on Debian and Ubuntu: `sudo apt install python{}.{}-venv`".format(*sys.version_info[:2])
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        raise Problem(f"This Python ({sys.executable}) lacks its venv module. Install it ({how}), then run this again.")
    env.mkdir(exist_ok=True)
    for child in env.iterdir():
        if child.name != "faceplate.json":
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    write_stamp(env, "installing")
    process = subprocess.run(
        [sys.executable, "-m", "venv", str(env)], env=clean_environ(), capture_output=True, text=True, errors="replace"
    )
    if process.returncode:
        output = process.stderr + process.stdout
        raise Problem(
            f"{sys.executable} cannot make a virtual environment: {explain_pip(output, last_line(output))} "
            f"If its venv module is incomplete, install it ({how})."
        )


def last_line(log: str) -> str:
    """Return the last line of a log that is not empty."""
    return next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "it gave no reason")


def explain_pip(log: str, fallback: str) -> str:
    """Say in one sentence why pip failed, from its output."""
    if re.search(r"No space left|Errno 28\b|disk quota", log, re.IGNORECASE):
        return "the disk is full; free some space."
    if re.search(r"Read-only file system|Permission denied|Access is denied", log):
        return "the checkout cannot be written; put it where you may write."
    missing = re.search(r"satisfies the requirement (\S+).*\(from versions: ([^)]*)\)", log)
    offline = r"NewConnectionError|NameResolutionError|ConnectionError|Connection refused|timed out|ProxyError|SSLError"
    if re.search(offline, log) or (missing and missing.group(2) == "none"):
        package = f" (it looked for {missing.group(1)})" if missing else ""
        return f"no network, or the package index cannot be reached{package}; connect."
    if missing:
        return f"the package index has no {missing.group(1)} for this Python and system; Python 3.11 to 3.13 have all."
    if re.search(r"THESE PACKAGES DO NOT MATCH THE HASHES|BadZipFile|IncompleteRead", log, re.IGNORECASE):
        return "a download is corrupt; `pip cache purge` clears it."
    return next((line for line in log.splitlines() if line.startswith("ERROR")), fallback).rstrip(".") + "."


def run_pip(env: Path, root: Path, arguments: Sequence[str], steps: Steps) -> None:
    """Run pip in `env`, showing which package it is at; the whole output goes to `env`/install.log. Raises Problem."""
    total = sum(1 for line in (root / "install/constraints.txt").read_text("utf-8").splitlines() if "==" in line)
    pip = subprocess.Popen(
        [str(python_of(env)), "-m", "pip", *arguments],
        cwd=root,
        env=clean_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    log: list[str] = []
    at, packages = "starting", 0
    try:
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                steps.progress(at)
                continue
            if line is None:
                break
            log.append(line)
            words = line.split()
            if words[:1] == ["Collecting"]:
                packages += 1
                at = f"{words[1]}, {packages} of about {total} packages"
            elif line.startswith("Installing collected"):
                at = f"unpacking, {line.count(',') + 1} in all"
            steps.progress(at)
    except BaseException:
        pip.terminate()
        raise
    finally:
        pip.wait()
    with (env / "install.log").open("a", encoding="utf-8") as file:
        file.write(f"$ pip {' '.join(arguments)}\n{''.join(log)}\n")
    if pip.returncode:
        text = "".join(log)
        raise Problem(
            f"pip could not install the packages: {explain_pip(text, last_line(text))} "
            f"Then run the same command again. Its full output is in {env / 'install.log'}."
        )


def pin(root: Path, package: str) -> str:
    """Return the line of constraints.txt that pins `package`."""
    lines = (root / "install/constraints.txt").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(package + "=="))


def install(env: Path, root: Path, need: str, steps: Steps) -> None:
    """Bring `env` to what the two package lists say; `need` is from `plan`. Raises Problem."""
    want = wanted(root)
    device, why = accelerator()
    if need == "make":
        require_space(root, FREE_GB[device])
        if device == "cpu" and platform.system() == "Linux" and shutil.disk_usage(root).free / 1e9 < TORCH_GB:
            steps.say(
                f"with less than {TORCH_GB} GB free, torch may not fit unless pip finds a CPU build: see docs/install.md"
            )
        steps.say(f"making {env.name} with Python {platform.python_version()} for {device.upper()}: {why}")
        make_environment(env)
    else:
        write_stamp(env, "installing")
    (env / "install.log").unlink(missing_ok=True)
    constraints = ("-c", str(root / "install/constraints.txt"))
    # setuptools first, and the project without build isolation: an isolated build would ignore the constraints
    run_pip(env, root, ("install", pin(root, "setuptools")), steps)
    run_pip(env, root, ("install", *constraints, "--no-build-isolation", "-e", ".[dev,timeline,train]"), steps)
    if device == "cuda":
        # both unpack into the same folder, so both are removed first
        run_pip(env, root, ("uninstall", "-y", "onnxruntime", "onnxruntime-gpu"), steps)
        run_pip(env, root, ("install", *constraints, "onnxruntime-gpu[cuda,cudnn]"), steps)
    write_stamp(env, "complete", python=version_of(env), accelerator=device, **want)


# ---- the two commands


def load_samples(root: Path) -> ModuleType:
    """Load `samples.py` by its path: nothing is installed yet."""
    spec = importlib.util.spec_from_file_location("faceplate_samples", root / "install/samples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(root: Path, steps: Steps, footage: bool = True) -> Path:
    """Make sure that the environment and, where `footage` is wanted, the samples are there; return the environment. Raises Problem."""
    env = root / ".venv"
    steps.begin("environment")
    need = plan(env, wanted(root))
    if need != "nothing":
        install(env, root, need, steps)
    stamp = read_stamp(env) or {}
    steps.done(f"ready: Python {stamp.get('python')}, {str(stamp.get('accelerator')).upper()}")
    if not footage:
        return env
    samples = load_samples(root)
    steps.begin("sample footage")
    try:
        folder = samples.fetch_samples(samples.samples_folder(), steps.say, str(python_of(env)))
    except samples.SamplesError as e:
        raise Problem(str(e)) from None
    steps.done(f"ready: {folder}")
    return env


def become(command: Sequence[str]) -> int:
    """Run `command` in place of this process (on Windows: wait for it), so that Ctrl-C and signals reach it alone."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], list(command), clean_environ())
    try:
        return subprocess.call(list(command), env=clean_environ())
    except KeyboardInterrupt:
        return 130


def run_tests(env: Path, root: Path, arguments: Sequence[str], steps: Steps) -> int:
    """Run linters, type checker and tests; show every failure; return 0 when all pass, else pytest's status or 1."""
    failed = []
    for name, command in CHECKS:
        steps.begin(name)
        steps.progress("running")
        process = subprocess.run(
            [str(python_of(env)), "-m", *command],
            cwd=root,
            env=clean_environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        steps.done("passed" if not process.returncode else "FAILED")
        if process.returncode:
            failed.append(name)
            print(process.stdout.rstrip(), flush=True)
    workers = ("-n", str(max(1, min(os.cpu_count() or 1, 4))))
    status = subprocess.call([str(python_of(env)), "-m", "pytest", *workers, *arguments], cwd=root, env=clean_environ())
    if failed:
        print(f"Error: failed before the tests: {', '.join(failed)}", flush=True)
    return status or (1 if failed else 0)


def explain_os_error(error: OSError, root: Path) -> str:
    """Say in one line what the operating system refused."""
    message = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EROFS: f"{root} is on a read-only disk: copy the checkout to where you may write",
        errno.EACCES: f"{root} cannot be written: copy the checkout to where you may write",
        errno.EPERM: f"{root} cannot be written: copy the checkout to where you may write",
    }.get(error.errno or 0, f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else ""))
    return message + "."


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Do what the command line asks; return the exit status, 2 for a command line that is wrong."""
    command, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if command in ("-h", "--help"):
        print(USAGE)
        return 0
    if command not in ("demo", "test"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        newer = require_python(tuple(sys.version_info[:3]), platform.system())
        if newer:
            return become([*newer, str(Path(__file__).resolve()), *arguments])
        steps = Steps()
        env = prepare(root, steps, footage=command == "test" or "--offline" not in rest)
        if command == "test":
            return run_tests(env, root, rest, steps)
        program = scripts_of(env) / ("faceplate.exe" if os.name == "nt" else "faceplate")
        return become([str(program), "demo", *rest])
    except Problem as problem:
        message = str(problem)
    except OSError as error:
        message = explain_os_error(error, root)
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    print(f"\nError: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
