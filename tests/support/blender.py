"""A real Blender of each version: 4.5 and 5.0 are the module bpy, in an environment that is made once; 5.2 is a program, where there is one."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

RELEASES = {"4.5": "4.5.15", "5.0": "5.0.1"}  # of bpy
VERSIONS = (*RELEASES, "5.2")
PROGRAM = "FACEPLATE_BLENDER52"  # the command of a Blender 5.2, as `blender` or `chroot ROOT blender`
INSIDE = Path(__file__).parent / "blender_inside.py"  # what scripts in Blender share
_ANSWER = "ANSWER "


@dataclass(frozen=True)
class Blender:
    """One version. program: Blender itself, or the Python that has bpy. user: its folder of settings, as yet without anything."""

    version: str
    program: Path
    user: Path

    def run(self, code: str, *, seconds: float = 60, **environment: str) -> Any:
        """Run code that begins with all of `blender_inside`, and return what it gives to `answer`. Python's errors are failures, and so is
        whatever else is said on the error output of an extension."""
        done = self.process(code, seconds=seconds, **environment)
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"status {done.returncode}: {said[-4000:]}"
        assert "Traceback" not in said, said[-4000:]
        answers = [line[len(_ANSWER) :] for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
        assert answers, said[-4000:]
        return json.loads(answers[-1])

    def play(self, stages: Sequence[str], code: str, *, seconds: float = 120) -> Any:
        """Run code after these stages, files beside this one, with the extension enabled and with the engine of the tests."""
        files = [str(INSIDE.with_name(f"{stage}.py")) for stage in stages]
        before = "".join(f"exec(compile(open({file!r}).read(), {file!r}, 'exec'))\n" for file in files)
        return self.run(f"{before}enable()\n{code}", seconds=seconds, FACEPLATE_PYTHON=sys.executable)

    def process(self, code: str, *, seconds: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run code, whatever comes of it. It ends at once: bpy 4.5 may wait for ever for a lock of its own when Python ends."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        env |= {"BLENDER_USER_RESOURCES": str(self.user), "OMP_NUM_THREADS": "1", **environment}
        text = f"exec(compile(open({str(INSIDE)!r}).read(), {str(INSIDE)!r}, 'exec'))\n{code}\nleave()"
        run = ["-c"] if self.is_module else ["--background", "--python-exit-code", "1", "--python-expr"]
        return subprocess.run(
            [str(self.program), *run, text], env=env, capture_output=True, text=True, timeout=seconds, cwd=self.user
        )

    @property
    def is_module(self) -> bool:
        """Whether it is bpy in a Python, which has no window and no command line."""
        return self.program.name.startswith("python")


def program(version: str, cache: Path) -> Path:
    """The Python that has bpy of this version: FACEPLATE_BPY45 or FACEPLATE_BPY50, else made by pip, once; of 5.2 a script that runs Blender."""
    if version not in RELEASES:
        if not (command := os.environ.get(PROGRAM)):
            pytest.skip(f"{PROGRAM} names no Blender 5.2: the registries have only its Debian package")
        script = cache / f"blender-{version}"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(shlex.split(command))} "$@"\n', "utf-8")
        script.chmod(0o755)
        return script
    if told := os.environ.get("FACEPLATE_BPY" + version.replace(".", "")):
        return Path(told)
    release = RELEASES[version]
    env = cache / release
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with FileLock(cache / f"{release}.lock"):
        if not (env / "complete").is_file():
            shutil.rmtree(env, ignore_errors=True)
            base = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
            assert base, (
                "bpy needs Python 3.11: install it, or name interpreters by FACEPLATE_BPY45 and FACEPLATE_BPY50"
            )
            subprocess.run([base, "-m", "venv", str(env)], check=True, capture_output=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"bpy=={release}"]
            done = subprocess.run(pip, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
            (env / "complete").touch()
    return python
