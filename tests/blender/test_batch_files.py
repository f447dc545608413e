"""Folders of photos and films that become a .blend file each, with the fake backend."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import pytest
from conftest import ops, submodule
from fake_backend import COLUMNS, ROWS, face
from test_scene import put

# A quarter of a second into the film, in frames that begin with 1: the face is turned furthest.
PEAK = 1 + 25 / 4

# Without the add-on: a .blend file has to say all of it by itself.
LOOK = """
import json, sys
import bpy
frame = float(sys.argv[2])
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
scene.frame_set(int(frame), subframe=frame % 1)
[head] = [thing for thing in scene.objects if thing.type == "MESH"]
[image] = [image for image in bpy.data.images if image.type == "IMAGE"]
active = bpy.context.view_layer.objects.active
says = {
    "scenes": [scene.name for scene in bpy.data.scenes],
    "range": [scene.frame_start, scene.frame_end],
    "rate": scene.render.fps / scene.render.fps_base,
    "objects": sorted(thing.name for thing in scene.objects),
    "active": active.name,
    "vertices": len(head.data.vertices),
    "first": list(head.data.vertices[0].co),
    "turn": head.matrix_world.to_euler().z,
    "expression": head.data.shape_keys.key_blocks["Expression_00"].value,
    "actions": sorted(action.name for action in bpy.data.actions),
    "texture": list(image.size) + [image.packed_file.size > 0, list(image.pixels[:3])],
    "shown": any(getattr(n, "image", None) == image for n in head.active_material.node_tree.nodes),
    "parent": head.parent.name,
    "uuid": head["synergyface_uuid"],
}
print("says", json.dumps(says), flush=True)
"""


def look(path: Path, frame: float = PEAK) -> dict[str, Any]:
    """What a fresh Blender finds in a .blend file."""
    command = [sys.executable, "-c", LOOK, str(path), str(frame)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    [line] = [line for line in run.stdout.splitlines() if line.startswith("says ")] or [""]
    assert line, run.stdout + run.stderr
    return json.loads(line.removeprefix("says "))


def blocks() -> set[str]:
    """All data-blocks of the open file but the tables."""
    return {f"{block.id_type} {block.name}" for block in bpy.data.user_map()} - {
        f"TEXT {text.name}" for text in bpy.data.texts
    }


def rows() -> list[list[str]]:
    """Lines of the result table."""
    text: Any = bpy.data.texts["SynergyFace Batch Files"]
    return [line.split("\t") for line in text.as_string().splitlines()[1:]]


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file may grow larger, as if the disk were full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def settings(scene: bpy.types.Scene) -> Any:
    """A .blend file for each file, and motion as it was measured."""
    chosen: Any = scene
    chosen.synergyface.batch.result = "files"
    animation = chosen.synergyface.animation
    chosen.synergyface.keys = "bfm"
    animation.rotation = animation.position = animation.expression = 0.0
    return chosen.synergyface


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photo, a film, and something else."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("anna.jpg", "talk.mp4", "notes.txt"):
        (folder / name).write_bytes(b"not looked at")
    return folder


def test_each_file_becomes_a_blend_that_opens_by_itself(
    fake_backend: Callable[[str], None], folder: Path, settings: Any
) -> None:
    fake_backend("none")
    before = blocks()
    assert ops.synergyface.batch(directory=str(folder)) == {"FINISHED"}
    assert blocks() == before
    names = {"anna.jpg", "talk.mp4", "notes.txt", "anna.blend", "talk.blend"}
    assert {path.name for path in folder.iterdir()} == names
    written = [str(folder / name) for name in ("anna.blend", "talk.blend")]
    assert [row[1:] for row in rows()] == [["done", "1", path] for path in written]
    film = look(folder / "talk.blend")
    assert film["scenes"] == ["talk"]
    assert film["objects"] == ["talk head", "talk pose"]
    assert film["active"] == "talk head" and film["parent"] == "talk pose"
    assert film["vertices"] == COLUMNS * ROWS
    assert film["rate"] == pytest.approx(25) and film["range"] == [1, 50]
    assert math.degrees(film["turn"]) == pytest.approx(30, abs=0.2)
    assert film["expression"] == pytest.approx(2, abs=0.02)
    assert film["texture"][:3] == [64, 64, True]
    assert film["texture"][3] == pytest.approx([120 / 255, 150 / 255, 200 / 255], abs=0.002)
    assert film["shown"]
    assert film["actions"][0] == "talk" and len(film["actions"]) <= 2
    photo = look(folder / "anna.blend")
    assert photo["objects"] == ["anna head", "anna pose"]
    assert photo["actions"] == [] and photo["turn"] == 0
    assert photo["texture"][:3] == [64, 64, True] and photo["shown"]


def test_what_is_there_is_not_done_again(
    fake_backend: Callable[[str], None],
    folder: Path,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend("none")
    output = tmp_path / "out"
    output.mkdir()
    settings.batch.output = str(output)
    own = b"somebody's own file"
    (output / "anna.blend").write_bytes(own)
    asked: list[str] = []
    client = submodule("connection.client").BackendClient
    photo, film = client.submit_face, client.submit_video
    monkeypatch.setattr(
        client, "submit_face", lambda self, *a, **k: asked.append("photo") or photo(self, *a, **k)
    )
    monkeypatch.setattr(
        client, "submit_video", lambda self, *a, **k: asked.append("film") or film(self, *a, **k)
    )
    ops.synergyface.batch(directory=str(folder))
    assert asked == ["film"]
    assert (output / "anna.blend").read_bytes() == own
    (output / "anna.blend").unlink()
    # Another file is open, which has no table.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    ops.synergyface.batch(directory=str(folder), result="files", output=str(output))
    assert asked == ["film", "photo"]
    ops.synergyface.batch(directory=str(folder), result="files", output=str(output))
    assert len(asked) == 2
    assert look(output / "talk.blend")["objects"] == ["talk head", "talk pose"]


def test_a_selected_head_plays_in_the_file_and_stays_as_it_is_here(
    fake_backend: Callable[[str], None], folder: Path, settings: Any
) -> None:
    fake_backend("none")
    (folder / "anna.jpg").unlink()
    scene: Any = bpy.context.scene
    [head] = put(scene, face(100, width=1.3))
    place: Any = head.parent
    place.location = (5, 0, 0)
    hat = bpy.data.objects.new("hat", None)
    hat.parent = head
    scene.collection.objects.link(hat)
    bpy.context.view_layer.objects.active = head
    ops.synergyface.animate_from_video(filepath=str(folder / "talk.mp4"))
    here: Any = place.animation_data.action
    curves_of = submodule("scene.compat").curves_of
    before, keys = blocks(), len(curves_of(here, place)[0].keyframe_points)
    settings.animation.first_second = 1.0
    ops.synergyface.batch(directory=str(folder))
    assert blocks() == before
    assert place.animation_data.action == here
    assert len(curves_of(here, place)[0].keyframe_points) == keys
    copy = look(folder / "talk.blend")
    assert len(copy["objects"]) == 3 and any(name.startswith("hat") for name in copy["objects"])
    assert copy["first"] == pytest.approx(list(head.data.vertices[0].co))
    assert copy["uuid"] != head["synergyface_uuid"]
    assert copy["texture"][3] == pytest.approx([200 / 255, 150 / 255, 120 / 255], abs=0.002)
    assert math.degrees(copy["turn"]) != pytest.approx(0, abs=1)


def test_files_of_one_name_keep_their_endings(
    fake_backend: Callable[[str], None], folder: Path, settings: Any
) -> None:
    fake_backend("none")
    for name in ("Talk.png", "talk.PNG.heic"):
        (folder / name).write_bytes(b"not looked at")
    ops.synergyface.batch(directory=str(folder))
    written = {path.name for path in folder.glob("*.blend")}
    names = {"anna.blend", "Talk.png.blend", "talk.mp4.blend", "talk.PNG.heic.blend"}
    assert written == names


def test_a_failure_leaves_nothing_behind(
    fake_backend: Callable[[str], None],
    folder: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend("none")
    (folder / "anna.jpg").unlink()
    before = blocks()
    settings.animation.faces, settings.animation.number = "number", 7
    ops.synergyface.batch(directory=str(folder))
    assert rows()[0][1] == "failed" and "no face with the number 7" in rows()[0][3]
    settings.animation.faces = "largest"
    results = submodule("batch.results")
    write = results.write_scene

    def write_on_full_disk(*arguments: Any) -> None:
        with small_files(4096):
            write(*arguments)

    monkeypatch.setattr(results, "write_scene", write_on_full_disk)
    ops.synergyface.batch(directory=str(folder))
    assert rows()[0][1] == "failed" and "Cannot write" in rows()[0][3]
    monkeypatch.undo()
    assert blocks() == before
    assert {path.name for path in folder.iterdir()} == {"talk.mp4", "notes.txt"}
    ops.synergyface.batch(directory=str(folder))
    assert rows()[0][1] == "done"


def test_a_missing_folder_is_explained(folder: Path, settings: Any) -> None:
    with pytest.raises(RuntimeError, match="There is no folder"):
        ops.synergyface.batch(directory=str(folder), output=str(folder / "talk.mp4"))
