"""A real photo through the whole pipeline, with the weights that we ship.

The sample is scikit-image's portrait of Eileen Collins (NASA, public domain), 512x512 pixels.
"""

from __future__ import annotations

import json
import struct
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from backend.cli import main
from backend.engines.engine import network_digest
from backend.errors import BadInputError, CancelledError, NoFaceError
from backend.exchange.contract import TextureMode
from backend.geometry.rasterizer import rasterize
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.pipeline import Face, FaceReconstructor
from backend.synergynet.weights import SHIPPED_WEIGHTS, active_weights
from tests.bfm_traces import contents, traces

Image = NDArray[np.uint8]

# Measured by hand in the photo: middles of her eyes (the image's left one first), nose tip, chin.
EYES = np.array([[203, 101], [248, 103]])
NOSE_TIP = np.array([226, 129])
EYE_LEFT, EYE_RIGHT, NOSE = slice(36, 42), slice(42, 48), 30


@pytest.fixture(scope="module")
def photo() -> Image:
    return data.astronaut()


@pytest.fixture(scope="module")
def face(reconstructor: FaceReconstructor, photo: Image) -> Face:
    faces = reconstructor.faces_from_image(photo)
    assert len(faces) == 1
    return faces[0]


def eyes_of(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.array([landmarks[part, :2].mean(axis=0) for part in (EYE_LEFT, EYE_RIGHT)])


def test_the_network_is_named_by_its_weights(model: MorphableModel, tmp_path: Path) -> None:
    others = tmp_path / "others.safetensors"
    others.write_bytes(SHIPPED_WEIGHTS.read_bytes()[:-1] + b"x")
    shipped = network_digest(SHIPPED_WEIGHTS, model)
    assert FaceReconstructor.load("cpu").network == network_digest(active_weights(), model)
    assert network_digest(others, model) != shipped == network_digest(SHIPPED_WEIGHTS, model)


def test_landmarks_lie_on_her_eyes_and_nose(face: Face) -> None:
    for landmarks in (face.landmarks, face.landmarks_coarse):
        np.testing.assert_allclose(eyes_of(landmarks), EYES, atol=4)
        np.testing.assert_allclose(landmarks[NOSE, :2], NOSE_TIP, atol=6)


def test_mesh_landmarks_are_vertices_of_the_mesh_in_the_image(
    face: Face, model: MorphableModel
) -> None:
    """Two ways to the same place: the network's own decoder, and the dense mesh."""
    vertices = face.vertices_image[model.landmark_indices]
    np.testing.assert_allclose(vertices, face.landmarks_coarse, atol=0.05)


def test_pose_places_the_canonical_head(face: Face) -> None:
    """Scale, rotation and translation alone put the head within a pixel of the mesh."""
    posed = face.pose.scale * face.head @ face.pose.rotation.T
    posed = posed * [1, -1, 1] + face.pose.translation
    assert np.abs(posed[:, :2] - face.vertices_image[:, :2]).mean() < 1.0


def test_overlay_covers_her_face_and_not_the_background(face: Face, model: MorphableModel) -> None:
    covered = rasterize(face.vertices_image, model.triangles, 512, 512).triangle >= 0
    assert covered[101, 203]
    assert covered[129, 226]
    assert covered[170, 226]
    assert not covered[100, 100]
    assert not covered[100, 350]
    assert not covered[300, 226]


def test_her_texture_shows_her_eyes_where_the_mesh_has_eyes(
    face: Face, model: MorphableModel
) -> None:
    """The darkest of the brow-to-cheek column at each eye's UV is the eye, not the skin below."""
    assert face.texture is not None
    size = len(face.texture)
    assert face.texture.shape == (size, size, 3)
    grey = cv2.GaussianBlur(face.texture.mean(axis=2), (0, 0), size / 256)
    landmark_uv = model.uv[model.landmark_indices]
    for part in (EYE_LEFT, EYE_RIGHT):
        u, v = landmark_uv[part].mean(axis=0)
        x, y = round(u * size), round((1 - v) * size)
        cheek = grey[y + size // 12, x]
        assert grey[y - 4 : y + 5, x - 8 : x + 9].min() < 0.75 * cheek


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_same_head(
    reconstructor: FaceReconstructor, photo: Image, face: Face, turns: int
) -> None:
    (turned,) = reconstructor.faces_from_image(np.rot90(photo, turns).copy(), texture_size=None)
    # rot90 once takes (x, y) to (y, 511 - x).
    expected = EYES.astype(float)
    for _ in range(turns):
        expected = np.stack([expected[:, 1], 511 - expected[:, 0]], 1)
    np.testing.assert_allclose(eyes_of(turned.landmarks), expected, atol=5)
    assert np.abs(turned.neutral - face.neutral).mean() < 1.5
    relative = turned.pose.rotation @ face.pose.rotation.T
    angle = np.degrees(np.arctan2(relative[1, 0], relative[0, 0])) % 360
    assert abs((angle - 90 * turns + 180) % 360 - 180) < 4


def test_a_mirrored_photo_mirrors_yaw_and_roll(
    reconstructor: FaceReconstructor, photo: Image, face: Face
) -> None:
    from backend.geometry.pose import euler_angles

    (mirrored,) = reconstructor.faces_from_image(photo[:, ::-1].copy(), texture_size=None)
    yaw, pitch, roll = euler_angles(face.pose.rotation)
    assert euler_angles(mirrored.pose.rotation) == pytest.approx((-yaw, pitch, -roll), abs=5)


def test_two_people_come_left_to_right(reconstructor: FaceReconstructor, photo: Image) -> None:
    small = cv2.resize(photo[:300, 80:380], (240, 240))
    pair = np.full((400, 900, 3), 120, np.uint8)
    pair[80:320, 60:300] = small
    pair[:300, 560:860] = photo[:300, 80:380]
    faces = reconstructor.faces_from_image(np.asarray(pair, np.uint8), texture_size=None)
    assert [face.roi_box.x < 450 for face in faces] == [True, False]
    (largest,) = reconstructor.faces_from_image(pair, which="largest", texture_size=None)
    assert largest.roi_box.x > 450


def test_no_face_is_said(reconstructor: FaceReconstructor) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    with pytest.raises(NoFaceError) as error:
        reconstructor.faces_from_image(noise)
    assert error.value.remedy


def test_progress_rises_and_can_stop_the_work(
    reconstructor: FaceReconstructor, photo: Image
) -> None:
    seen: list[float] = []

    def stop_at_texture(fraction: float, stage: str) -> None:
        seen.append(fraction)
        if stage == "making the texture":
            raise CancelledError

    with pytest.raises(CancelledError):
        reconstructor.faces_from_image(photo, progress=stop_at_texture)
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_progress_goes_on_while_the_texture_is_made(
    reconstructor: FaceReconstructor, photo: Image
) -> None:
    seen: list[float] = []
    reconstructor.faces_from_image(
        photo, texture_size=512, progress=lambda fraction, _: seen.append(fraction)
    )
    assert seen == sorted(seen)
    assert np.diff(seen).max() <= 0.3


def test_face_command_writes_what_it_promises(
    photo: Image,
    reconstructor: FaceReconstructor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cv2.imwrite(str(tmp_path / "eileen.png"), photo[:, :, ::-1])
    code = main(
        ["face", str(tmp_path / "eileen.png"), "-o", str(tmp_path / "out"), "--json", "--preview"]
    )
    assert code == 0
    (result,) = json.loads(capsys.readouterr().out)
    (record,) = result["faces"]
    directory = tmp_path / "out" / "eileen"
    assert record["directory"] == str(directory)
    assert set(record) >= {"directory", "roi_box", "landmarks", "pose", "params"}
    assert np.array(record["landmarks"]).shape == (68, 3)
    assert len(record["params"]) == 62
    np.testing.assert_allclose(eyes_of(np.array(record["landmarks"])), EYES, atol=4)
    assert json.loads((directory / "params.json").read_text()) == record
    for name in ("head.glb", "head.obj", "head.mtl", "texture.png", "preview.png"):
        assert (directory / name).stat().st_size > 0, name
    assert not [path for path in directory.iterdir() if path.name.startswith(".")]
    # The face comes first, whatever stands beside it.
    face = (directory / "head.obj").read_text().split("\no ")[1]
    assert sum(line.startswith("v ") for line in face.splitlines()) == 53_215
    glb = (directory / "head.glb").read_bytes()
    length = struct.unpack_from("<I", glb, 12)[0]
    tree = json.loads(glb[20 : 20 + length])
    (primitive,) = tree["meshes"][0]["primitives"]
    for name in ("POSITION", "NORMAL", "TEXCOORD_0"):
        assert tree["accessors"][primitive["attributes"][name]]["count"] == 53_215


def test_shipped_files_hold_no_bfm_arrays(model: MorphableModel) -> None:
    """No run of 64 bytes of the model's arrays stands in what we distribute."""
    root = Path(__file__).parents[2]
    shipped = [p for p in (root / "backend").rglob("*") if p.suffix in {".safetensors", ".png"}]
    shipped += list((root / "backend").rglob("*.onnx")) + list((root / "dist").glob("*.zip"))
    assert len(shipped) >= 2
    needles = traces(model)
    for path in shipped:
        for member, content in contents(path):
            for name, needle in needles.items():
                assert needle not in content, f"{path}: {member} holds {name}"


def test_textures_of_impossible_heads_are_refused(
    reconstructor: FaceReconstructor, photo: Image, face: Face
) -> None:
    def texture(factor: float, box: RoiBox, column: slice = slice(0, 12)) -> None:
        parameters = face.parameters.copy()
        with np.errstate(over="ignore"):
            parameters[column] *= np.float32(factor)
        reconstructor.texture_from_parameters(photo, parameters, box, 512, TextureMode.PHOTO)

    texture(1, face.roi_box)
    turn, shape = slice(0, 12), slice(12, 52)
    far = RoiBox(1e6, 0, face.roi_box.side)
    dot, giant = RoiBox(200, 100, 1e-3), RoiBox(200, 100, 1e9)
    for factor, box, column in [
        (1e6, face.roi_box, turn), (0, face.roi_box, turn), (1e38, face.roi_box, shape),
        (1, far, turn), (1, dot, turn), (1, giant, turn), (1, RoiBox(0, 0, 1e39), turn),
    ]:  # fmt: skip
        with pytest.raises(BadInputError, match="not in the photo"):
            texture(factor, box, column)


def test_one_chart_at_a_time_is_kept(reconstructor: FaceReconstructor) -> None:
    """A backend that made a large texture once would hold its chart for good."""
    large = reconstructor.baker(128, TextureMode.PHOTO)
    assert reconstructor.baker(128, TextureMode.PHOTO_NETWORK).chart is large.chart
    gone = weakref.ref(large.chart)
    del large
    assert reconstructor.baker(64, TextureMode.PHOTO).chart.size == 64
    assert gone() is None
