"""What the user is told when the backend is missing, old, dying or stuck."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from conftest import ops, submodule
from fake_backend import face
from modal import FakeContext, made, press_esc
from test_scene import put


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("old-protocol", "backend is too old.* Update the backend"),
        ("new-protocol", "add-on is too old.* Install version 9.9.9 of the add-on"),
        ("dies", "backend stopped unexpectedly .exit code 3.* log"),
        ("no-models", "Basel Face Model is missing.*assets fetch"),
        ("no-package", "lacks the Python package onnxruntime.* Repair the backend"),
    ],
)
def test_a_faulty_backend_is_explained(
    fake_backend: Callable[[str], None],
    any_file: str,
    scene: bpy.types.Scene,
    fault: str,
    message: str,
) -> None:
    fake_backend(fault)
    with pytest.raises(RuntimeError, match=message):
        ops.synergyface.face_from_image(filepath=any_file)
    assert not scene.objects
    assert not bpy.data.meshes


def test_a_silent_backend_is_given_up(
    fake_backend: Callable[[str], None],
    any_file: str,
    scene: bpy.types.Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submodule("connection.connection"), "START_SECONDS", 1.0)
    fake_backend("silent")
    with pytest.raises(RuntimeError, match="was not ready after 1 seconds"):
        ops.synergyface.face_from_image(filepath=any_file)


def test_without_a_backend_the_user_learns_how_to_get_one(
    preferences: Any,
    any_file: str,
    scene: bpy.types.Scene,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in ("HOME", "PATH", "SYNERGYFACE_DATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(RuntimeError, match=r"backend was not found\. Install the backend"):
        ops.synergyface.face_from_image(filepath=any_file)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "python", "python": "/nowhere/python"}, "does not exist: /nowhere/python"),
        ({"mode": "address", "address": "10.0.0.7:80", "token": "t"}, "not an address of this"),
        ({"mode": "address", "address": "127.0.0.1:9", "token": "t"}, "No backend answers on"),
    ],
)
def test_a_wrong_location_is_explained(
    preferences: Any,
    any_file: str,
    scene: bpy.types.Scene,
    settings: dict[str, str],
    message: str,
) -> None:
    for name, value in settings.items():
        setattr(preferences, name, value)
    with pytest.raises(RuntimeError, match=message):
        ops.synergyface.face_from_image(filepath=any_file)


def test_the_backend_is_searched_for_in_order(addon: Any, tmp_path: Path) -> None:
    find = submodule("connection.search").find_command
    program = tmp_path / "bin/synergyface"
    installed = tmp_path / "data/backend/0.1/bin/python"
    named = tmp_path / "elsewhere/python"
    environment = {"PATH": str(program.parent), "SYNERGYFACE_DATA": str(tmp_path / "data")}
    with pytest.raises(submodule("connection.client").BackendError, match="was not found"):
        find("", environment, tmp_path / "home")
    for path in (program, installed, named):
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)
        if path == installed:
            record = json.dumps({"python": str(installed)})
            (tmp_path / "data/installation.json").write_text(record)
        if path == named:
            environment["SYNERGYFACE_PYTHON"] = str(named)
        assert find("", environment, tmp_path / "home")[0] == str(path)
    assert find(str(program), environment, tmp_path / "home")[0] == str(program)


def test_a_missing_photo_is_named(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, tmp_path: Path
) -> None:
    fake_backend("none")
    with pytest.raises(RuntimeError, match=r"There is no file .*gone\.jpg"):
        ops.synergyface.face_from_image(filepath=str(tmp_path / "gone.jpg"))
    with pytest.raises(RuntimeError, match="is a folder"):
        ops.synergyface.face_from_image(filepath=str(tmp_path))
    with pytest.raises(RuntimeError, match="No image is open"):
        ops.synergyface.face_from_active_image(image="gone")


@pytest.mark.parametrize("kind", ["pipe", "device", "huge", "unreadable", "circle"])
def test_what_is_no_photo_is_not_read(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, tmp_path: Path, kind: str
) -> None:
    """As the photo of a head in a .blend file from somebody else, too."""
    fake_backend("none")
    path, reason = tmp_path / "photo.jpg", "is a pipe or a device, not a file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "huge":
        path.touch()
        os.truncate(path, 3 * 2**30)
        reason = "is larger than 64 MiB"
    elif kind == "unreadable":
        path, reason = Path("/proc/self/mem"), "Cannot read"
    else:
        path.symlink_to(path)
        # Python 3.13 tells what it meets, earlier ones that there is no file.
        reason = "is not a file|Too many levels"
    with pytest.raises(RuntimeError, match=reason):
        ops.synergyface.face_from_image(filepath=str(path))
    [head] = put(scene, face(100))
    head["synergyface_source"] = str(path)
    bpy.context.view_layer.objects.active = head
    with pytest.raises(RuntimeError, match=reason):
        ops.synergyface.change_texture(mode="mean")


def test_a_file_that_grows_while_it_is_read(
    addon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, path = submodule("files"), tmp_path / "log.jpg"
    path.write_bytes(b"12345678")
    monkeypatch.setattr(files, "_check_size", lambda *_: None)
    assert files.read_whole(path, 8, "") == b"12345678"
    with pytest.raises(submodule("problems").Problem, match="is larger than"):
        files.read_whole(path, 7, "")


@pytest.mark.parametrize("name", ["choose_photo", "choose_clip", "choose_folder"])
def test_a_missing_backend_is_told_before_a_file_is_chosen(
    preferences: Any,
    scene: bpy.types.Scene,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    [cls] = [
        cls
        for cls in bpy.types.Operator.__subclasses__()
        if getattr(cls, "bl_idname", "") == f"synergyface.{name}" and cls.is_registered
    ]
    for variable in ("HOME", "PATH", "SYNERGYFACE_DATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    browsers: list[Any] = []
    context: Any = FakeContext()
    context.fileselect_add = browsers.append

    def chosen() -> tuple[list[Any], int]:
        """What is said, and how many file browsers are open then."""
        operator = made(cls)
        operator.invoke(context, None)
        return [text for _, text in operator.reports], len(browsers)

    [said], shown = chosen()
    assert "was not found. Install the backend" in said and not shown
    preferences.mode, preferences.python = "python", "/nowhere/python"
    [said], shown = chosen()
    assert "does not exist: /nowhere/python" in said and not shown
    preferences.python = sys.executable
    assert chosen() == ([], 1)
    # Nothing is asked of one that was started by hand before there is work for it.
    preferences.mode, preferences.address = "address", "127.0.0.1:9"
    assert chosen() == ([], 2)


def test_start_and_stop_are_grey_while_they_have_no_use(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_backend("none")
    module, runtime = submodule("operators.backend"), submodule("runtime").runtime()

    def offered() -> tuple[bool, bool]:
        switches = module.SYNERGYFACE_OT_start_backend, module.SYNERGYFACE_OT_stop_backend
        with monkeypatch.context() as patch:
            app = SimpleNamespace(background=False)
            patch.setattr(module, "bpy", SimpleNamespace(app=app))
            return tuple(switch.poll(bpy.context) for switch in switches)

    assert offered() == (True, False)
    ops.synergyface.start_backend()
    assert offered() == (False, True)
    runtime.task = SimpleNamespace()
    assert offered() == (False, False), "its job would be lost"
    runtime.task = None
    runtime.connection._process._process.kill()
    runtime.connection._process._process.wait()
    assert offered() == (True, False)
    ops.synergyface.stop_backend()
    # Scripts need not ask.
    assert ops.synergyface.stop_backend() == {"FINISHED"}


def test_a_backend_that_died_is_started_again(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    ops.synergyface.start_backend()
    connection = submodule("runtime").runtime().connection
    first = connection._process
    first._process.kill()
    first._process.wait()
    assert connection.status.state == "failed"
    assert ops.synergyface.face_from_image(filepath=any_file) == {"FINISHED"}
    assert connection._process.pid != first.pid


def test_esc_ends_a_stuck_job_at_once(
    fake_backend: Callable[[str], None],
    preferences: Any,
    addon: Any,
    scene: bpy.types.Scene,
) -> None:
    fake_backend("hangs")
    probe, context = modal_probe(preferences)
    assert probe.begin(context) == {"RUNNING_MODAL"}
    task = submodule("runtime").runtime().task
    with pytest.raises(submodule("problems").Problem, match="busy with another job"):
        probe.begin(context)
    while "Fitting" not in context.shown:
        assert probe.modal(context, SimpleNamespace(type="TIMER")) == {"PASS_THROUGH"}
    assert probe.modal(context, SimpleNamespace(type="LEFTMOUSE")) == {"PASS_THROUGH"}
    assert press_esc(probe, context) == {"CANCELLED"}
    assert probe.reports == [({"INFO"}, "Probe: cancelled")]
    assert submodule("runtime").runtime().timer is None
    assert context.shown == ""
    assert submodule("runtime").runtime().task is None
    assert task.join(5), "the worker goes on"
    log = submodule("runtime").runtime().diagnostics.log_file.read_text()
    assert "cancelled by the client" in log


def test_switching_the_addon_off_ends_the_work(
    fake_backend: Callable[[str], None], preferences: Any, addon: Any, scene: bpy.types.Scene
) -> None:
    fake_backend("hangs")
    probe, context = modal_probe(preferences)
    probe.begin(context)
    while "Fitting" not in context.shown:
        probe.modal(context, SimpleNamespace(type="TIMER"))
    runtime = submodule("runtime").runtime()
    task, process = runtime.task, runtime.connection._process
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    assert task.join(0)
    assert not process.alive
    assert runtime.timer is None
    bpy.ops.preferences.addon_enable(module=addon.__name__)


def test_a_finished_task_ends_the_modal_operator(
    fake_backend: Callable[[str], None], preferences: Any, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    probe, context = modal_probe(preferences)
    probe.begin(context)
    while (outcome := probe.modal(context, SimpleNamespace(type="TIMER"))) == {"PASS_THROUGH"}:
        pass
    assert outcome == {"FINISHED"}
    assert len(probe.values) == 1
    assert submodule("runtime").runtime().timer is None


def modal_probe(preferences: Any) -> tuple[Any, Any]:
    """The modal base operator on a photo, and a context without a user interface."""
    reconstruction, runtime = submodule("connection.reconstruction"), submodule("runtime").runtime()
    location = submodule("connection.connection").Location("python", preferences.python)

    class Probe(submodule("operators.base").TaskOperator):
        bl_label = "Probe"
        job = "photo"

        def __init__(self) -> None:
            self.reports: list[Any] = []
            self.values: list[Any] = []

        def report(self, kind: set[str], text: str) -> None:
            self.reports.append((kind, text))

        def work(self, context: Any) -> Any:
            return lambda report: reconstruction.reconstruct(
                runtime.connection, location, lambda: b"photo", reconstruction.PhotoOrder(), report
            )

        def finish(self, context: Any, value: Any) -> None:
            self.values.append(value)

    return Probe(), FakeContext()


def test_diagnostics_hold_the_error_and_no_personal_path(
    preferences: Any, addon: Any, any_file: str, scene: bpy.types.Scene
) -> None:
    preferences.mode = "python"
    preferences.python = str(Path.home() / "somewhere/python")
    with pytest.raises(RuntimeError, match="does not exist"):
        ops.synergyface.face_from_image(filepath=any_file)
    runtime = submodule("runtime").runtime()
    text = runtime.diagnostics.report(runtime.connection)
    assert f"Blender {bpy.app.version_string}" in text
    assert "does not exist: <path>. Install" in text
    assert "somewhere" not in text and str(Path.home()) not in text


def test_an_unknown_failure_is_reported_without_a_traceback(
    fake_backend: Callable[[str], None],
    any_file: str,
    scene: bpy.types.Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend("none")

    def fail(*arguments: Any) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(submodule("operators.photo"), "put_faces", fail)
    with pytest.raises(RuntimeError) as caught:
        ops.synergyface.face_from_image(filepath=any_file)
    assert "surprise" not in str(caught.value)
    assert "Copy Diagnostics" in str(caught.value)
    runtime = submodule("runtime").runtime()
    assert "ZeroDivisionError: surprise" in runtime.diagnostics.report(runtime.connection)
