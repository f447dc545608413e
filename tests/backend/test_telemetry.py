"""No library reports to others what is done with it."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage.data import astronaut

from backend.exchange.contract import TOKEN_VARIABLE
from tests.backend_client import PROCESS_TOKEN, BackendProcess
from tests.clips import steady, write_clip
from tests.long import only_when_there_is_time

ROOT = Path(__file__).parents[2]

# Makes what onnxruntime reports: a session. Its telemetry writes within that time.
SESSION = """
import backend
import onnxruntime
from onnx import TensorProto, helper
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
"""
# Addresses as strace writes them.
ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
LOOPBACK = {"127.0.0.1", "::1"}


@pytest.mark.parametrize("outside", [None, "0"])
def test_nothing_is_written_down_about_the_use(tmp_path: Path, outside: str | None) -> None:
    """Neither where nothing is set, nor where somebody has switched the reports on."""
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "ORT_DISABLE_TELEMETRY": outside}
    kept = {name: value for name, value in os.environ.items() if name not in environment}
    variables = kept | {name: value for name, value in environment.items() if value}
    ended = subprocess.run([sys.executable, "-c", SESSION], env=variables, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_children_inherit_the_silence() -> None:
    """Whatever Python they are, and whatever they import first."""
    code = "import os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    program = f"import backend, subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    variables = os.environ | {"ORT_DISABLE_TELEMETRY": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True
    )
    assert ended.stdout == "1\n"


def test_nothing_is_asked_of_libraries_that_comes_too_late() -> None:
    """The switches work at the import, so nothing may be imported before they are set."""
    code = "import sys, backend; print(*(set(sys.modules) & {'onnxruntime', 'ray', 'fastapi'}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "\n", ended.stderr


@only_when_there_is_time
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("command", ["batch", "serve"])
def test_no_call_leaves_the_computer(
    model: object, detector_file: Path, tmp_path: Path, command: str
) -> None:
    """Every system call on the network, those of children too, as the system itself saw them."""
    for name in ("home", "in"):
        (tmp_path / name).mkdir()
    traced = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(tmp_path / "calls")]
    variables = {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    if command == "batch":
        work_off(traced, variables, tmp_path)
    else:
        answer_photo(traced, variables)
    calls = (tmp_path / "calls").read_text("utf-8", "replace")
    assert command == "batch" or "127.0.0.1" in calls
    assert set(ADDRESS.findall(calls)) <= LOOPBACK
    assert [path.name for path in (tmp_path / "home").rglob("*Microsoft*")] == []


def work_off(traced: list[str], variables: dict[str, str], folder: Path) -> None:
    """A photo and a film, each in a process of its own."""
    photo = astronaut()
    Image.fromarray(photo).save(folder / "in" / "photo.png")
    write_clip(folder / "in" / "film.mp4", [photo] * 5, steady(5))
    arguments = ["batch", str(folder / "in"), str(folder / "out"), "--jobs", "2"]
    ended = subprocess.run(
        [*traced, sys.executable, "-m", "backend.cli", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


def answer_photo(traced: list[str], variables: dict[str, str]) -> None:
    """A backend's life: started, asked for a head with its texture, stopped."""
    file = io.BytesIO()
    Image.fromarray(astronaut()).save(file, "PNG")
    backend = BackendProcess(
        ["--exit-with-parent"], variables | {TOKEN_VARIABLE: PROCESS_TOKEN}, traced=traced
    )
    try:
        assert backend.loaded()["state"] == "ready"
        assert backend.finished(backend.submit(file.getvalue()))["state"] == "done"
    finally:
        assert backend.process.stdin
        backend.process.stdin.close()
        backend.process.wait(60)
        backend.kill()
