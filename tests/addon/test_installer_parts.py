"""The installer's parts: where things lie, which Python and PyTorch, what pip's output means."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from addon.connection.client import BackendError
from addon.connection.search import find_command
from addon.installer import pythons
from addon.installer.children import CommandError, run_module
from addon.installer.failures import PIP_FAILURES, InstallError, recognise
from addon.installer.lock import only_one
from addon.installer.locks import LOCK_NAMES, locked_versions, without
from addon.installer.pip_progress import PipProgress
from addon.installer.places import data_folder, install_state
from addon.installer.plan import (
    BFM_LICENCE,
    DATA_WHEELS,
    PYTORCH_CUDA,
    Options,
    choose_device,
    make_plan,
)
from addon.installer.programs import find_program
from addon.installer.secrets import without_secrets
from backend.data_folder import data_folder as backend_data_folder
from backend.morphable_model.sources import MODEL_SOURCE
from backend.vision.sources import DETECTOR_FILES
from tests.addon.fake_backend_wheel import payload

PIP = Path(sys.executable)
ROOT = Path(__file__).parents[2]
LOCKS, CONSTRAINTS = ROOT / "addon" / "installer" / "locks", ROOT / "constraints.txt"


def program(path: Path, script: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_data_folder_is_the_backends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("SYNERGYFACE_DATA", "XDG_DATA_HOME", None):
        for name in ("SYNERGYFACE_DATA", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        if variable:
            monkeypatch.setenv(variable, str(tmp_path))
        assert data_folder() == backend_data_folder()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/synergyface"),
        ("win32", {}, "/home/jane/AppData/Local/synergyface"),
        ("darwin", {}, "/home/jane/Library/Application Support/synergyface"),
        ("linux", {}, "/home/jane/.local/share/synergyface"),
    ],
)
def test_data_folder_elsewhere(platform: str, environment: dict[str, str], expected: str) -> None:
    assert data_folder(environment, Path("/home/jane"), platform) == Path(expected)


def test_licence_and_data_are_the_backends() -> None:
    assert MODEL_SOURCE.licence == BFM_LICENCE
    sources = (MODEL_SOURCE, *(file.source for file in DETECTOR_FILES))
    assert tuple(source.requirement for source in sources) == DATA_WHEELS


@pytest.mark.parametrize(
    ("answer", "expected", "why"),
    [
        ("echo 'NVIDIA H100 80GB HBM3, 580.95.05'", "cuda", "NVIDIA H100 80GB HBM3"),
        ("echo 'NVIDIA GeForce GTX 1080, 535.10'", "cpu", "needs driver 580"),
        ("echo 'NVIDIA-SMI has failed'; exit 9", "cpu", "no NVIDIA GPU was found"),
        ("true", "cpu", "no NVIDIA GPU was found"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="a shell script stands in for nvidia-smi")
def test_device_by_gpu_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, expected: str, why: str
) -> None:
    monkeypatch.setenv("PATH", f"{program(tmp_path / 'nvidia-smi', answer).parent}:/bin")
    device, reason = choose_device("auto")
    assert device == expected
    assert why in reason
    assert choose_device("cpu")[0] == "cpu"


@pytest.mark.parametrize(
    ("platform", "device", "chosen", "index"),
    [
        ("linux", "cpu", "", ""),
        ("linux", "cuda", "", ""),
        ("win32", "cpu", "", ""),
        ("win32", "cuda", "", PYTORCH_CUDA),
        ("darwin", "cpu", "", ""),
        ("linux", "cuda", "pip", ""),
        ("linux", "cuda", "https://mirror.example/simple", "https://mirror.example/simple"),
    ],
)
def test_index_of_pytorch(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    device: str,
    chosen: str,
    index: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    options = Options(device=device, torch_index=chosen)  # type: ignore[arg-type]
    plan = make_plan(options, payload(tmp_path), tmp_path / "data")
    assert plan.torch_index == index
    assert (index in "\n".join(plan.lines())) or not index


def test_full_disk_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**9})())
    with pytest.raises(InstallError, match=r"needs 1\.\d GB .* has 1\.0 GB free"):
        make_plan(Options(device="cpu"), payload(tmp_path), tmp_path / "data")


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand in for Pythons")
def test_a_python_that_will_not_do_is_refused_with_the_reason(tmp_path: Path) -> None:
    facts = '{{"version": [3, {}, 0], "bits": {}, "lacks": {}}}'
    for name, said, reason in (
        ("old", facts.format(9, 64, "[]"), "is Python 3.9.0"),
        ("narrow", facts.format(12, 32, "[]"), "is a 32-bit Python"),
        ("debian", facts.format(11, 64, '["ensurepip"]'), "lacks Python's module ensurepip"),
        ("mute", "", "does not run"),
    ):
        path = program(tmp_path / name, f"echo '{said}'")
        with pytest.raises(InstallError, match=reason):
            pythons.find_python(str(path))
    with pytest.raises(InstallError, match="does not run"):
        pythons.find_python(str(tmp_path / "gone"))


def test_the_python_that_made_a_virtual_environment_is_taken() -> None:
    found = pythons.find_python()
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.path.resolve() == Path(sys.executable).resolve()


def test_progress_of_pip() -> None:
    progress = PipProgress(100 * 10**6)
    assert progress.feed("Collecting torch==2.13.0")
    assert progress.stage == "Checking torch"
    progress.feed("  Downloading torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl (60.0 MB)")
    assert progress.stage == "Fetching torch (60.0 MB)"
    assert not progress.feed("Progress 30000000 of 60000000")
    assert progress.fraction == pytest.approx(0.3)
    progress.feed("Progress 60000000 of 60000000")
    progress.feed("  Using cached scipy-1.17.1-cp311-cp311-linux_x86_64.whl (20.0 MB)")
    assert progress.fraction == pytest.approx(0.8)
    progress.feed("Processing /a-b-c/pip-1/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl (from x)")
    assert progress.stage == "Checking torch"
    progress.feed("Installing collected packages: scipy, torch")
    assert progress.fraction == 1.0


def pip_says(*arguments: str) -> str:
    """Output of a pip that fails."""
    command = (str(PIP), "-m", "pip", "download", "--no-deps", *arguments)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode
    return run.stdout + run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--no-index", "no-such-package"), "package no-such-package is not available"),
        (
            ("--isolated", "--retries=1", "--index-url=https://127.0.0.1:9/", "tqdm"),
            "the network is missing|Cannot reach",
        ),
    ],
)
def test_what_pip_says_becomes_advice(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    found = recognise(pip_says("--dest", str(tmp_path), *arguments), PIP_FAILURES)
    assert found
    known, match = found
    words, remedy = known.words(match, "")
    with pytest.raises(InstallError, match=message):
        raise InstallError(words, remedy)


def test_a_host_that_is_blocked_is_named() -> None:
    """As pip 26.1 says it."""
    said = (
        "WARNING: Retrying (Retry(total=0, connect=None, read=None)) after connection broken by "
        "'NewConnectionError(\"HTTPSConnection(host='mirror.example', port=443): Failed to "
        "establish a new connection: [Errno 111] Connection refused\")': /whl/cu130/torch/"
    )
    found = recognise(said, PIP_FAILURES)
    assert found
    assert found[0].words(found[1], "")[0] == "Cannot reach mirror.example."


def test_a_failing_module_is_quoted_and_a_cancelled_one_ended(tmp_path: Path) -> None:

    lines: list[str] = []
    with pytest.raises(CommandError, match="No module named no_such_module"):
        run_module(PIP, ("no_such_module",), lines.append, lambda: None)

    def check() -> None:
        if lines:
            raise KeyboardInterrupt

    lines.clear()
    with pytest.raises(KeyboardInterrupt):
        run_module(PIP, ("http.server", "0", "--bind", "127.0.0.1"), lines.append, check)


def test_one_installation_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from installer.lock import only_one; from pathlib import Path\n"
        "with only_one(Path(sys.argv[2])): print('held', flush=True); sys.stdin.read()"
    )
    addon = Path(__file__).parents[2] / "addon"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(addon), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(InstallError, match="being installed already"), only_one(tmp_path):
            pass
        holder.kill()
    with only_one(tmp_path):
        pass


def test_state_of_an_empty_folder(tmp_path: Path) -> None:
    assert install_state(tmp_path, "1.0").kind == "none"


def test_locks_are_those_of_the_constraints() -> None:
    """If this fails, run ``python build_addon.py --locks``."""
    constraints = dict(line.split("==") for line in CONSTRAINTS.read_text().split() if "==" in line)
    locks = {name: (LOCKS / f"{name}.txt").read_text() for name in LOCK_NAMES}
    versions = {name: locked_versions(lock) for name, lock in locks.items()}
    for lock in versions.values():
        pinned = {name: constraints.get(name, version) for name, version in lock.items()}
        assert pinned == lock
    assert requirements("synergyface", set()) <= versions["cpu"].keys()
    assert requirements("synergyface", {"gpu"}) <= versions["cpu"].keys() | versions["gpu"].keys()
    assert not versions["cpu"].keys() & versions["gpu"].keys()
    # Each has at least one hash, and nothing else is in the files.
    for lock in locks.values():
        for entry in re.split(r"\n(?=\S)", lock.strip()):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def requirements(name: str, extras: set[str]) -> set[str]:
    """What an installed package needs on this system, and what that needs, and so on."""
    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    while waiting:
        package, wanted = waiting.pop()
        for text in importlib.metadata.requires(package) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": e}) for e in wanted or {""}):
                continue
            needed = canonicalize_name(requirement.name)
            # This computer may have PyTorch for the processor, which needs less.
            if needed not in found and needed != "synergyface":
                found.add(needed)
                waiting.append((needed, frozenset(requirement.extras)))
    return found


def test_a_package_can_be_left_out_of_a_lock() -> None:
    lock = "a==1 \\\n    --hash=sha256:0\nb==2 ; sys_platform == 'win32' \\\n    --hash=sha256:1\n"
    assert without(lock, ["a"]) == lock[lock.index("b==") :]
    assert without(lock, ["b"]) == lock[: lock.index("b==")]
    assert locked_versions(lock) == {"a": "1", "b": "2"}


def test_passwords_in_addresses_are_not_told() -> None:
    said = "Looking in indexes: https://jane:geheim@mirror.example/simple, https://pypi.example/a@b"
    told = without_secrets(said)
    assert "geheim" not in told and "jane" not in told
    assert "https://***@mirror.example/simple, https://pypi.example/a@b" in told


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_programs_are_not_taken_from_where_one_happens_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    suffix = ".exe" if platform == "win32" else ""
    planted = program(tmp_path / "photos" / f"nvidia-smi{suffix}", "exit 1")
    right = program(tmp_path / "bin" / f"nvidia-smi{suffix}", "exit 0")
    monkeypatch.chdir(planted.parent)
    separator = os.pathsep
    for path in ("", ".", str(planted.parent), "../photos"):
        assert find_program("nvidia-smi", {"PATH": path}, platform) is None
    path = separator.join(("", ".", str(planted.parent), str(right.parent)))
    assert find_program("nvidia-smi", {"PATH": path}, platform) == right


def test_an_environment_in_downloads_is_not_run(tmp_path: Path) -> None:
    program(tmp_path / "Downloads" / "synergyface" / ".venv" / "bin" / "python", "exit 0")
    with pytest.raises(BackendError, match="not found"):
        find_command("", {"PATH": "", "SYNERGYFACE_DATA": str(tmp_path / "data")}, tmp_path)
