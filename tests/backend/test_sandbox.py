"""Functions in child processes: what comes back, and what no child can do to this process."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.errors import BadInputError, CancelledError, SynergyFaceError
from backend.sandbox.children import Children, stopped_by
from backend.sandbox.process import Child, Limits, OverLimitError
from backend.sandbox.wire import MAX_HEADER, WireError, read_answer, receive
from tests.backend import sandbox_functions

HERE = sandbox_functions.__name__
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """With patience for slow computers; a child stays warm from test to test."""
    made = Children(Limits(seconds=60))
    yield made
    made.end()


@pytest.fixture
def hasty() -> Iterator[Children]:
    made = Children(Limits(seconds=0.3))
    yield made
    made.end()


def pid_of(children: Children) -> int:
    return children.call(f"{HERE}:state").value["pid"]


def test_values_and_arrays_come_over(children: Children) -> None:
    arguments = {"name": "Zoë", "list": [1, None]}
    answer = children.call(f"{HERE}:echo", b"abc", b"", arguments=arguments)
    assert answer.value == arguments
    first, second, *kinds, fortran, empty = answer.arrays
    assert (first.tobytes(), second.tobytes()) == (b"abc", b"")
    for kind, array in zip("?bBhHiIqQfd", kinds, strict=True):
        np.testing.assert_array_equal(array, np.arange(6).reshape(2, 3).astype(kind))
        assert array.dtype == kind and array.flags.writeable
    assert fortran.tolist() == [[1, 2], [3, 4]]
    assert empty.shape == (0, 3)


def test_rows_come_as_one_array(children: Children) -> None:
    (array,) = children.call(f"{HERE}:rows", arguments={"height": 1000, "parts": 7}).arrays
    np.testing.assert_array_equal(array, np.arange(4000, dtype=np.uint16).reshape(1000, 4))


def test_one_child_does_all(children: Children) -> None:
    assert len({pid_of(children) for _ in range(3)}) == 1


def test_bad_input_is_told_as_it_was_said(children: Children) -> None:
    before = pid_of(children)
    with pytest.raises(BadInputError) as caught:
        children.call(f"{HERE}:refuse", b"x")
    error = caught.value
    assert (error.problem, error.remedy, error.code) == ("It is bad.", "Take another.", "bad-thing")
    assert pid_of(children) == before


def test_our_own_faults_are_not_blamed_on_the_file(children: Children) -> None:
    with pytest.raises(RuntimeError, match="TypeError: ours"):
        children.call(f"{HERE}:fail")


@pytest.mark.parametrize("function", ["crash", "too_few_rows"])
def test_a_child_that_dies_costs_its_file_only(children: Children, function: str) -> None:
    before = pid_of(children)
    with pytest.raises(OverLimitError, match=r"me\.jpg cannot be read: the process") as caught:
        children.call(f"{HERE}:{function}", what="me.jpg")
    assert caught.value.code == "reader-ended" and caught.value.remedy
    assert pid_of(children) != before


def test_a_child_that_died_unseen_is_replaced(children: Children) -> None:
    process = psutil.Process(pid_of(children))
    process.kill()
    process.wait(10)
    assert pid_of(children) != process.pid


def test_time_is_limited(hasty: Children) -> None:
    hasty.call(f"{HERE}:state")
    with pytest.raises(OverLimitError, match=r"takes more than 0\.3 seconds") as caught:
        hasty.call(f"{HERE}:wait")
    assert caught.value.code == "takes-too-long"


@needs_linux
def test_memory_is_limited_by_the_system() -> None:
    children = Children(Limits(memory=2**29))
    try:
        assert children.call(f"{HERE}:take_memory", arguments={"size": 2**20}).value == 1
        with pytest.raises(OverLimitError, match=r"more than 0\.5 GB") as caught:
            children.call(f"{HERE}:take_memory", arguments={"size": 2**30})
        assert caught.value.code == "takes-too-much-memory"
        assert children.call(f"{HERE}:take_memory", arguments={"size": 2**20}).value == 1
    finally:
        children.end()


def test_memory_is_watched_where_the_system_does_not_limit_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    children = Children(Limits(memory=2**40, seconds=60))
    monkeypatch.setattr(Child, "memory", lambda _: 2**41)
    try:
        with pytest.raises(OverLimitError, match="takes more than 1024 GB"):
            children.call(f"{HERE}:wait")
    finally:
        children.end()


def test_memory_of_a_child_is_known(children: Children) -> None:
    pid = pid_of(children)
    (child,) = children._idle
    assert child.memory() == pytest.approx(psutil.Process(pid).memory_info().rss, rel=0.2)


def test_a_call_can_be_stopped(children: Children) -> None:
    started = time.monotonic()

    def check() -> None:
        raise CancelledError

    with stopped_by(check), pytest.raises(CancelledError):
        children.call(f"{HERE}:wait")
    assert time.monotonic() - started < 5
    assert children.call(f"{HERE}:echo", b"").value == {}


@needs_posix
def test_ending_children_ends_calls(children: Children, tmp_path: Path) -> None:
    """As the server does when it shuts down."""
    mark = tmp_path / "begun"
    failures: list[BaseException] = []

    def call() -> None:
        try:
            children.call(f"{HERE}:wait", arguments={"mark": str(mark)})
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not mark.exists():
        assert thread.is_alive()
        time.sleep(0.01)
    children.end()
    thread.join(10)
    assert [type(error) for error in failures] == [OverLimitError]


@needs_linux
def test_a_busy_child_ends_with_its_parent(tmp_path: Path) -> None:
    """Even if that one is killed while native code runs."""
    mark = tmp_path / "begun"
    script = (
        "import sys; from backend.sandbox.children import call_in_child;"
        f"call_in_child('{HERE}:wait', what='', arguments={{'mark': sys.argv[1]}})"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(mark)], cwd=Path.cwd())
    while not mark.exists():
        assert parent.poll() is None
        time.sleep(0.01)
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    child.wait(10)


@needs_posix
def test_an_idle_child_ends_with_its_parent() -> None:
    script = (
        "from backend.sandbox.children import call_in_child;"
        f"print(call_in_child('{HERE}:state', what='').value['pid'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    end = time.monotonic() + 10
    while psutil.pid_exists(int(done.stdout)):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_children_of_its_own() -> None:
    """As the workers of a data loader: two must not talk through one pipe."""
    script = (
        "import os; from backend.sandbox.children import call_in_child\n"
        f"pid = lambda: call_in_child('{HERE}:state', what='').value['pid']\n"
        "before = pid()\n"
        "worker = os.fork()\n"
        "if not worker: os._exit(pid() == before)\n"
        "assert os.waitpid(worker, 0)[1] == 0\n"
        "assert pid() == before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_what_libraries_print_does_not_get_into_the_answer(children: Children) -> None:
    assert children.call(f"{HERE}:print_much").value == "printed"


@needs_posix
def test_a_child_writes_no_files(children: Children, tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path / "file")}
    assert children.call(f"{HERE}:write_file", arguments=arguments).value == "refused"


def test_a_child_begins_small() -> None:
    """Nothing that a photo does not need is imported."""
    children = Children(Limits(seconds=60))
    try:
        modules = set(children.call(f"{HERE}:state").value["modules"])
    finally:
        children.end()
    heavy = {"torch", "mediapipe", "cv2", "scipy", "onnxruntime", "psutil", "fastapi", "PIL"}
    assert not modules & heavy


def test_a_computer_that_starts_no_child_is_not_the_files_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    children = Children()
    monkeypatch.setattr("backend.sandbox.process._BOOT", "raise SystemExit(3)")
    with pytest.raises(SynergyFaceError, match="could not be started: it ended, code 3") as caught:
        children.call(f"{HERE}:state")
    assert not isinstance(caught.value, BadInputError)
    monkeypatch.setattr(sys, "executable", str(Path(sys.executable).parent / "no python"))
    with pytest.raises(SynergyFaceError, match="could not be started"):
        children.call(f"{HERE}:state")


def framed(header: bytes) -> io.BytesIO:
    return io.BytesIO(struct.pack("<I", len(header)) + header)


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0", struct.pack("<I", MAX_HEADER + 1), struct.pack("<I", 100) + b"{}"],
    ids=["nothing", "half a length", "too long", "cut off"],
)
def test_headers_are_not_believed(sent: bytes) -> None:
    with pytest.raises(WireError):
        receive(io.BytesIO(sent).readinto)


@pytest.mark.parametrize("header", [b"not json", b"[1]", b"\xff\xff", b"null"])
def test_headers_are_objects(header: bytes) -> None:
    with pytest.raises(WireError):
        receive(framed(header).readinto)


def an_array(dtype: Any, shape: Any) -> dict[str, Any]:
    return {"arrays": [{"dtype": dtype, "shape": shape}]}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"arrays": 3},
        {"arrays": [None]},
        {"arrays": [{}]},
        {"arrays": [{"dtype": "|u1", "shape": [0]}] * 5000},
        an_array("|O", [1]),
        an_array("object", [1]),
        an_array(None, [1]),
        an_array(["|u1"], [1]),
        an_array("|u1", None),
        an_array("|u1", [-1]),
        an_array("|u1", [1.0]),
        an_array("|u1", [True]),
        an_array("|u1", ["1"]),
        an_array("|u1", [2**62, 4]),
        an_array("|u1", [1] * 40),
        an_array("|u1", [1001]),
        an_array("<f8", [126]),
        an_array("|u1", [1000]),
    ],
)
def test_a_childs_lies_are_not_believed(header: dict[str, Any]) -> None:
    """The last is no lie, but there is less."""
    with pytest.raises(WireError):
        read_answer(io.BytesIO(bytes(999)).readinto, header, 1000)
