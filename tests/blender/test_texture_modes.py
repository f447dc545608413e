"""Another texture for a head that is in the scene, by the real backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import PYTHON, ops, submodule


@pytest.fixture(scope="module", autouse=True)
def backend(addon: Any) -> Iterator[None]:
    """The real backend, started by the add-on."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.mode, preferences.python = "python", PYTHON
    yield
    ops.synergyface.stop_backend()
    preferences.property_unset("mode")


@pytest.fixture
def head(scene: bpy.types.Scene, photo: Path) -> Any:
    """The astronaut's head with a small texture."""
    made = ops.synergyface.face_from_image(filepath=str(photo), texture_size="512", keys="bfm")
    assert made == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def texture_of(head: Any) -> Any:
    """The one image of a head."""
    [image] = [i for i in bpy.data.images if i.get("synergyface_uuid") == head["synergyface_uuid"]]
    return image


def pixels_of(image: Any) -> np.ndarray:
    """(H, W, 3) colours, the first row below."""
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[..., :3]


def test_the_mode_is_switched_on_a_head_that_is_there(head: Any, tmp_path: Path):
    head.parent.location.x = 2
    head.data.shape_keys.key_blocks["Expression_03"].value = 0.5
    before, shape = pixels_of(texture_of(head)), head.data.vertices[0].co.copy()
    assert ops.synergyface.change_texture(mode="mean") == {"FINISHED"}

    after = pixels_of(texture_of(head))
    assert after.shape == before.shape == (512, 512, 3)
    assert np.abs(after - before).mean() > 0.008
    # The mean face is symmetric; a person hardly is.
    assert asymmetry(after) < asymmetry(before)
    assert head.parent.location.x == 2
    assert head.data.shape_keys.key_blocks["Expression_03"].value == 0.5
    assert head.data.vertices[0].co == shape
    assert len(head.data.materials) == 2

    file = tmp_path / "head.blend"
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    again = texture_of(bpy.data.objects[name])
    assert again.packed_file is not None
    np.testing.assert_array_equal(pixels_of(again), after)


def asymmetry(pixels: np.ndarray) -> float:
    """Mean difference of the two halves of a chart that is nearly symmetric."""
    return float(np.abs(pixels - pixels[:, ::-1]).mean())


def test_back_to_the_default_gives_the_first_texture(head: Any):
    before = pixels_of(texture_of(head))
    ops.synergyface.change_texture(mode="photo")
    ops.synergyface.change_texture(mode="photo+gan")
    assert np.abs(pixels_of(texture_of(head)) - before).max() <= 2 / 255


def test_another_size(head: Any):
    ops.synergyface.change_texture(mode="photo", texture_size="1024")
    assert tuple(texture_of(head).size) == (1024, 1024)


def test_a_photo_that_is_gone_is_named_and_the_texture_kept(head: Any, tmp_path: Path):
    before = pixels_of(texture_of(head))
    head["synergyface_source"] = str(tmp_path / "gone.png")
    with pytest.raises(RuntimeError, match=r"gone\.png"):
        ops.synergyface.change_texture(mode="mean")
    np.testing.assert_array_equal(pixels_of(texture_of(head)), before)


def test_a_head_of_another_origin_is_refused(head: Any):
    del head["synergyface_parameters"]
    with pytest.raises(RuntimeError, match="photo"):
        ops.synergyface.change_texture(mode="mean")


def test_the_choices_are_those_of_the_contract():
    names = tuple(name for name, *_ in submodule("settings.heads").TEXTURE_MODES)
    assert names == tuple(submodule("exchange.contract").TextureMode)
