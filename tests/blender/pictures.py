"""The README's pictures of a head in Blender. Two steps, with two Pythons:

.venv/bin/python tests/blender/pictures.py reconstruct PHOTO FOLDER
.venvs/bpy-5.0.1/bin/python tests/blender/pictures.py render FOLDER
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SIZE, SAMPLES = 420, 32
VIEWS = (0.0, -40.0, -90.0)
KEYS = (0, 1, 3, 4, 6)


def reconstruct(photo: Path, folder: Path) -> None:
    """Write what the backend would send to the add-on."""
    from backend.answers.faces import faces_result, static_model
    from backend.exchange import contract
    from backend.pipeline import FaceReconstructor
    from backend.vision.images import read_image

    reconstructor = FaceReconstructor.load("cpu")
    image = read_image(photo)
    faces = reconstructor.faces_from_image(image, which="largest")
    height, width = image.shape[:2]
    folder.mkdir(parents=True, exist_ok=True)
    result = contract.encode_faces(faces_result(faces, (width, height)))
    (folder / "faces.bin").write_bytes(result)
    (folder / "model.bin").write_bytes(contract.encode_model(static_model(reconstructor.model)))


def render(folder: Path) -> None:
    """Write one still per view and per expression key."""
    import bpy

    scene = put_head(bpy, folder)
    [head] = [thing for thing in scene.objects if thing.type == "MESH"]
    prepare(bpy, scene)
    for yaw in VIEWS:
        look(scene, yaw)
        scene.render.filepath = str(folder / f"view_{abs(yaw):02.0f}.png")
        bpy.ops.render.render(write_still=True)
    keys: Any = head.data
    blocks = keys.shape_keys.key_blocks
    look(scene, -20.0)
    for key in KEYS:
        for block in blocks[1:]:
            block.value = 0.0
        blocks[f"Expression_{key:02d}"].value = 2.5
        scene.render.filepath = str(folder / f"key_{key:02d}.png")
        bpy.ops.render.render(write_still=True)


def put_head(bpy: Any, folder: Path) -> Any:
    """An empty scene with the head that `reconstruct` left in a folder."""
    # The add-on's scene modules without its __init__, which registers the user interface.
    package = ModuleType("addon")
    package.__path__ = [str(ROOT / "addon")]
    sys.modules["addon"] = package
    from addon.exchange import contract
    from addon.scene import build

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene: Any = bpy.context.scene
    build.put_faces(
        scene,
        scene.collection,
        "photo",
        "Head",
        contract.decode_model((folder / "model.bin").read_bytes()),
        contract.decode_faces((folder / "faces.bin").read_bytes()),
    )
    return scene


def prepare(bpy: Any, scene: Any) -> None:
    """Camera, light and renderer."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    light = bpy.data.objects.new("light", bpy.data.lights.new("light", "AREA"))
    camera.data.angle = 0.3
    light.location, light.rotation_euler = (0.3, -1.2, 0.4), (1.2, 0, 0.25)
    light.data.energy, light.data.size = 14, 1.2
    for thing in (camera, light):
        scene.collection.objects.link(thing)
    scene.camera = camera
    light_evenly(bpy, scene, 0.55)
    use_cycles(scene, SAMPLES)
    scene.render.resolution_x = scene.render.resolution_y = SIZE


def light_evenly(bpy: Any, scene: Any, grey: float) -> None:
    """The same light from all around."""
    world: Any = bpy.data.worlds.new("world")
    # Since 5.0 a world always has nodes, and then its own colour is not used.
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (grey, grey, grey, 1)
    scene.world = world


def use_cycles(scene: Any, samples: int) -> None:
    """Render by Cycles on the processor, colours as textures have them."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.use_denoising = samples, "CPU", False
    scene.view_settings.view_transform = "Standard"


def look(scene: Any, yaw: float) -> None:
    """Put the camera on a circle around the head; 0 is the front."""
    angle = math.radians(yaw)
    scene.camera.location = (0.95 * math.sin(angle), -0.95 * math.cos(angle) - 0.03, -0.01)
    scene.camera.rotation_euler = (math.pi / 2, 0, angle)


if __name__ == "__main__":
    if sys.argv[1] == "reconstruct":
        sys.path.insert(0, str(ROOT))
        reconstruct(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        render(Path(sys.argv[2]))
