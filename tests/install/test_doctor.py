"""`install/doctor.py`: findings about this machine, as data, with a remedy for whatever is not well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from install import doctor
from install.doctor import Check


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program that prints a text on PATH, or at a path."""
    if os.name == "nt":
        pytest.skip("stand-ins for programs are shell scripts")

    def make(path: str, prints: str) -> Path:
        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\n")
        program.chmod(0o755)
        return program

    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return make


def by_name(checks) -> dict[str, Check]:
    return {c.name: c for c in checks}


def test_everything_that_faceplate_needs_is_looked_at_and_is_well_here() -> None:
    found = by_name(doctor.diagnose())
    assert {
        "Python",
        "Faceplate",
        "ONNX Runtime",
        "NVIDIA GPU",
        "Trainer",
        "Video and audio: decode",
        "Video and audio: encode",
        "Image sequences",
        "OpenColorIO",
        "Weights: face_detection_short",
        "Disk: cache",
        "Disk: current folder",
        "Host: Blender",
        "Host: DaVinci Resolve",
        "Host: Fusion Studio",
    } <= found.keys()
    assert not [c for c in found.values() if c.status == "fail"]
    assert "CPU" in found["ONNX Runtime"].detail


def test_findings_are_json_and_whatever_is_not_well_has_a_remedy() -> None:
    findings = doctor.diagnose()
    for finding in json.loads(json.dumps([c.to_json() for c in findings])):
        assert finding.keys() == {"name", "status", "detail", "remedy"}
        assert finding["status"] == "ok" or finding["remedy"]


def test_the_worst_finding_counts() -> None:
    ok, warn, fail = (Check("x", status, "") for status in ("ok", "warn", "fail"))
    assert doctor.worst([ok, fail, warn]) == "fail"
    assert doctor.worst([ok, warn]) == "warn"
    assert doctor.worst([]) == "ok"


def test_a_library_that_does_not_load_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenImageIO", None)
    failed = [c for c in doctor.diagnose() if c.status == "fail"]
    assert len(failed) == 1
    assert "OpenImageIO" in failed[0].detail and "bootstrap.py" in str(failed[0].remedy)


def test_a_missing_codec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ENCODERS", ("ffv1", "no_such_codec"))
    encoding = by_name(doctor.check_codecs())["Video and audio: encode"]
    assert encoding.status == "warn" and "missing: no_such_codec" in encoding.detail
    monkeypatch.setattr(doctor, "_REQUIRED", {("encode", "no_such_codec")})
    assert by_name(doctor.check_codecs())["Video and audio: encode"].status == "fail"


def test_an_ocio_configuration_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", "/nowhere/config.ocio")
    (found,) = doctor.check_colour()
    assert found.status == "fail" and "/nowhere/config.ocio" in found.detail and "OCIO" in str(found.remedy)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "a.onnx").write_bytes(b"network")
    models = {"a": {"file": "a.onnx", "sha256": hashlib.sha256(b"network").hexdigest()}}
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": "faceplate.weights/1", "models": models}))
    return tmp_path


def test_weights_are_held_against_the_manifest(weights: Path) -> None:
    assert [c.status for c in doctor.check_weights(weights)] == ["ok"]
    (weights / "a.onnx").write_bytes(b"netw0rk")
    (corrupt,) = doctor.check_weights(weights)
    assert corrupt.status == "fail" and "a.onnx is corrupt" in corrupt.detail and "git checkout" in str(corrupt.remedy)
    (weights / "a.onnx").unlink()
    (missing,) = doctor.check_weights(weights)
    assert missing.status == "fail" and "a.onnx" in missing.detail


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "faceplate.weights/2", "models": {}}', '{"models": {"a": {}}}']
)
def test_a_manifest_that_cannot_be_read_is_one_finding(weights: Path, text: str) -> None:
    (weights / "manifest.json").write_text(text)
    assert [(c.name, c.status) for c in doctor.check_weights(weights)] == [("Weights", "fail")]


@pytest.mark.parametrize(("gigabytes", "status"), [(100, "ok"), (3, "warn"), (0.5, "fail")])
def test_little_disk_is_a_warning_and_none_a_failure(
    gigabytes: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(0, 0, gigabytes * 1e9))
    assert {c.status for c in doctor.check_disk()} == {status}


def test_a_gpu_that_onnx_runtime_cannot_use_is_a_warning(script) -> None:
    script("bin/nvidia-smi", "NVIDIA RTX A4000, 580.65.06, 16376 MiB")
    assert doctor.nvidia_gpu() == "NVIDIA RTX A4000 (driver 580.65.06, 16376 MiB)"
    found = by_name(doctor.check_onnxruntime())
    if "CUDA" in found["ONNX Runtime"].detail:
        pytest.skip("this ONNX Runtime can use a GPU")
    assert found["NVIDIA GPU"].status == "warn" and "driver" in str(found["NVIDIA GPU"].remedy)


def test_what_the_trainer_lacks_is_a_warning_and_what_it_computes_on_is_told(
    script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = doctor.check_trainer()
    assert re.match(r"torch [\d.]+\S*, built for (CUDA|the CPU): trains on ", found.detail)
    monkeypatch.setattr(doctor, "_TRAINER", ("torch", "no-such-package"))
    (found,) = doctor.check_trainer()
    assert found.status == "warn" and "no-such-package not installed" in found.detail
    assert "pip install 'faceplate[train]'" in str(found.remedy)
    script("bin/nvidia-smi", "8.6\n9.0")
    assert doctor._gpu_has_bf16()
    script("bin/nvidia-smi", "7.5")
    assert not doctor._gpu_has_bf16()
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx512_bf16 sse")
    assert doctor._cpu_has_bf16(tmp_path / "cpuinfo")
    assert not doctor._cpu_has_bf16(tmp_path / "nothing")


def test_a_broken_driver_is_no_gpu(script) -> None:
    script("bin/nvidia-smi", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
    assert doctor.nvidia_gpu() is None


def test_blender_is_found_on_the_path_and_where_it_is_unpacked_and_asked_for_its_version(
    script, tmp_path: Path
) -> None:
    on_path = script("bin/blender", "Blender 4.5.3 LTS\n  build date: 2025-09-09")
    in_home = script("home/blender-5.0.0-linux-x64/blender", "Blender 5.0.0")
    found = doctor.find_hosts("Linux", tmp_path / "home", {"PATH": str(tmp_path / "bin")}, root=tmp_path / "root")
    assert found == {"Blender": (on_path, in_home), "DaVinci Resolve": (), "Fusion Studio": ()}
    assert [doctor._host_version("Blender", p) for p in found["Blender"]] == ["4.5.3", "5.0.0"]


@pytest.mark.parametrize(
    ("system", "places"),
    [
        ("Linux", ["opt/blender-4.2/blender", "opt/resolve/bin/resolve", "opt/BlackmagicDesign/Fusion20/Fusion"]),
        (
            "Darwin",
            [
                "Applications/Blender 4.2.app/Contents/MacOS/Blender",
                "Applications/DaVinci Resolve/DaVinci Resolve.app",
                "Applications/Blackmagic Fusion 20/Fusion.app",
            ],
        ),
        (
            "Windows",
            [
                "Program Files/Blender Foundation/Blender 4.2/blender.exe",
                "Program Files/Blackmagic Design/DaVinci Resolve/Resolve.exe",
                "Program Files/Blackmagic Design/Fusion 20/Fusion.exe",
            ],
        ),
    ],
)
def test_hosts_are_found_where_their_installers_put_them(system: str, places: list[str], tmp_path: Path) -> None:
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    environ = {"PATH": "", "PROGRAMFILES": "/Program Files"}
    found = doctor.find_hosts(system, tmp_path / "home", environ, root=tmp_path)
    assert [str(p.relative_to(tmp_path)) for programs in found.values() for p in programs] == places
    versions = [doctor._host_version(host, p) for host, programs in found.items() for p in programs]
    assert versions == ["4.2", None, "20"], "a program that does not run is told by its folder"
