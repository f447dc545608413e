"""Folders of photos and films, with the fake backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from conftest import heads_in, ops, submodule
from fake_backend import face
from modal import GOES_ON, TICK, begun, press_esc, to_end
from test_scene import put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos, a film, and something else."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("anna.jpg", "ben.PNG", "cleo.jpeg", "talk.mp4", "notes.txt"):
        (folder / name).write_bytes(b"not looked at")
    return folder


def table() -> list[list[str]]:
    """Lines of the result table."""
    text: Any = bpy.data.texts["SynergyFace Batch"]
    return [line.split("\t") for line in text.as_string().splitlines()]


def test_a_folder_becomes_heads_in_a_row(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    assert ops.synergyface.batch(directory=str(folder)) == {"FINISHED"}
    heads: Any = sorted(heads_in(scene), key=lambda o: o.name)
    assert [head.name for head in heads] == ["anna head", "ben head", "cleo head", "talk head"]
    scene.frame_set(1)
    places = [head.matrix_world.translation.x for head in heads]
    assert places == pytest.approx([0, 0.3, 0.6, 0.9], abs=1e-6)
    assert heads[3].parent.animation_data.action.name == "talk"
    assert set(bpy.context.selected_objects) == set(heads)
    header, *rows = table()
    assert header == ["file", "state", "heads", "detail"]
    assert [row[1:] for row in rows] == [["done", "1", ""]] * 4
    assert rows[0][0] == str(folder / "anna.jpg")
    others: Any = bpy.data.texts["SynergyFace Batch Left Out"]
    (other,) = [line.split("\t") for line in others.as_string().splitlines()[1:]]
    assert other[:2] == [str(folder / "notes.txt"), "left out"] and "neither a photo" in other[3]


def test_a_batch_goes_on_where_it_ended(
    fake_backend: Callable[[str], None],
    folder: Path,
    scene: bpy.types.Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend("none")
    (folder / "ben.PNG").rename(tmp_path / "ben.PNG")
    (folder / "ben.PNG").mkdir()
    ops.synergyface.batch(directory=str(folder))
    assert [row[1] for row in table()[1:]] == ["done"] * 3, "a folder is no file"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "row.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "row.blend"))
    asked: list[str] = []
    client = submodule("connection.client").BackendClient
    submit = client.submit_face
    monkeypatch.setattr(
        client, "submit_face", lambda self, *a, **k: asked.append("photo") or submit(self, *a, **k)
    )
    (folder / "ben.PNG").rmdir()
    (tmp_path / "ben.PNG").rename(folder / "ben.PNG")
    bpy.data.objects.remove(bpy.data.objects["anna head"])
    ops.synergyface.batch(directory=str(folder))
    assert asked == ["photo", "photo"], "ben, who is new, and anna, whose head was removed"
    assert bpy.data.objects["ben pose"].location.x == pytest.approx(0.9)
    ops.synergyface.batch(directory=str(folder))
    assert len(asked) == 2


def test_one_bad_file_does_not_stop_the_others(
    fake_backend: Callable[[str], None],
    folder: Path,
    scene: bpy.types.Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend("none")
    client = submodule("connection.client")
    submit = client.BackendClient.submit_face
    calls: list[int] = []

    def sometimes(self: Any, *arguments: Any, **options: Any) -> str:
        calls.append(1)
        if len(calls) == 2:
            raise client.BackendError("No face was found\tin it.", "Take another.", "no-face")
        return submit(self, *arguments, **options)

    monkeypatch.setattr(client.BackendClient, "submit_face", sometimes)
    ops.synergyface.batch(directory=str(folder))
    rows = table()[1:]
    assert [row[1] for row in rows] == ["done", "failed", "done", "done"]
    assert rows[1][2:] == ["0", "No face was found in it. Take another."]
    ops.synergyface.batch(directory=str(folder))
    assert [row[1] for row in table()[1:]] == ["done"] * 4
    assert len(calls) == 4, "only the failed one again"


def test_without_a_backend_the_batch_stops(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("no-models")
    with pytest.raises(RuntimeError, match="Basel Face Model is missing"):
        ops.synergyface.batch(directory=str(folder))
    assert not scene.objects and "SynergyFace Batch" not in bpy.data.texts


def test_films_go_to_the_selected_head_one_action_each(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, tmp_path: Path
) -> None:
    fake_backend("none")
    for name in ("one.mp4", "two.mov"):
        (tmp_path / name).write_bytes(b"not looked at")
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    ops.synergyface.batch(directory=str(tmp_path))
    names = {a.name for a in bpy.data.actions if "expression" not in a.name}
    assert names == {"one", "two"}
    assert len(scene.objects) == 2


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        ("", "No folder is given"),
        ("/nowhere", "Cannot read the folder"),
        (".", "no photos or videos"),
    ],
)
def test_a_wrong_folder_is_explained(
    scene: bpy.types.Scene, tmp_path: Path, directory: str, message: str
) -> None:
    given = str(tmp_path) if directory == "." else directory
    with pytest.raises(RuntimeError, match=message):
        ops.synergyface.batch(directory=given)


def test_esc_keeps_what_is_done(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    operator, context = begun(
        submodule("operators.batch").SYNERGYFACE_OT_batch, directory=str(folder)
    )
    while not scene.objects:
        assert operator.modal(context, TICK) in GOES_ON
    assert press_esc(operator, context) == {"FINISHED"}
    assert operator.reports == [
        ({"INFO"}, "Process Folder: cancelled"),
        ({"INFO"}, "1 of 4 files done. See the text 'SynergyFace Batch'"),
    ]
    assert [row[1] for row in table()[1:]] == ["done"]
    assert submodule("runtime").runtime().timer is None


def test_esc_at_the_first_file_changes_nothing(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("hangs")
    operator, context = begun(
        submodule("operators.batch").SYNERGYFACE_OT_batch, directory=str(folder)
    )
    assert press_esc(operator, context) == {"CANCELLED"}
    assert operator.reports == [({"INFO"}, "Process Folder: cancelled")]
    assert "SynergyFace Batch" not in bpy.data.texts


def test_a_backend_that_fails_in_the_middle_leaves_what_is_done_and_an_undo_step(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("dies-later")
    operator, context = begun(
        submodule("operators.batch").SYNERGYFACE_OT_batch, directory=str(folder)
    )
    assert to_end(operator, context) == {"FINISHED"}, "Blender makes an undo step then"
    assert [head.name for head in heads_in(scene)] == ["anna head"]
    (failed, why), (done, summary), _ = operator.reports
    assert failed == {"ERROR"} and "stopped unexpectedly" in why
    assert done == {"INFO"} and summary.startswith("1 of 4 files done")
    assert [row[1] for row in table()[1:]] == ["done"]
