"""What lies before a face goes, and bare faces lose nothing, in any light."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from backend.commands.demo import sample_image
from backend.exchange.contract import TextureMode
from backend.pipeline import Face, FaceReconstructor
from backend.texture.baker import TextureBaker
from backend.texture.covers.finding import CoverFinder
from backend.texture.filters import sample
from backend.texture.observation import PosedPicture, observe
from tests.backend.painted_head import SKIN, painted, photograph

SIZE = 512
Image = np.ndarray
LIGHTS = {
    "daylight": (1, 1, 1),
    "candle": (1, 0.54, 0.08),
    "red": (1.1, 0.4, 0.4),
    "green": (0.5, 1, 0.5),
    "blue": (0.4, 0.6, 1.1),
    "pink": (1.1, 0.45, 1),
    "purple": (0.7, 0.35, 1.1),
}


@pytest.fixture(scope="module")
def photo() -> Image:
    return sample_image()


@pytest.fixture(scope="module")
def face(reconstructor: FaceReconstructor, photo: Image) -> Face:
    return reconstructor.faces_from_image(photo, which="largest", texture_size=None)[0]


@pytest.fixture(scope="module")
def baker(reconstructor: FaceReconstructor) -> TextureBaker:
    return reconstructor.baker(SIZE, TextureMode.PHOTO_NETWORK)


def mask(shape: Image, marks: Image) -> None:
    corners = [marks[29], *marks[[14, 12, 10, 8, 6, 4, 2]]]
    cv2.fillPoly(shape, [np.rint(corners).astype(np.int32)], 1.0)


def lenses(shape: Image, marks: Image) -> None:
    half = 0.27 * np.linalg.norm(marks[45] - marks[36])
    for eye in (marks[36:42].mean(0), marks[42:48].mean(0)):
        cv2.ellipse(shape, np.rint(eye).astype(int).tolist(), (int(half), int(0.75 * half)),
                    0, 0, 360, 1.0, -1)  # fmt: skip

    bridge = [np.rint(marks[i]).astype(int).tolist() for i in (39, 42)]
    cv2.line(shape, bridge[0], bridge[1], 1.0, max(2, int(half / 6)))


def rim(shape: Image, marks: Image) -> None:
    left, right = marks[17:22].mean(0), marks[22:27].mean(0)
    along, up = right - left, 0.15 * (marks[27] - marks[33])
    low = [left - along + up, right + along + up]
    corners = [*low, low[1] + 8 * up, low[0] + 8 * up]
    cv2.fillPoly(shape, [np.rint(corners).astype(np.int32)], 1.0)


def microphone(shape: Image, marks: Image) -> None:
    end = np.rint((marks[57] + marks[8]) / 2).astype(int)
    width = np.linalg.norm(marks[45] - marks[36])
    cv2.circle(shape, end.tolist(), int(0.2 * width), 1.0, -1)
    cv2.line(shape, end.tolist(), (end + np.int64(width * np.array([0.2, 2]))).tolist(), 1.0,
             int(0.1 * width))  # fmt: skip


Draw = Callable[[Image, Image], None]
COVERS: dict[str, tuple[Draw, tuple[int, int, int], float]] = {
    "white mask": (mask, (235, 235, 238), 1.0),
    "black mask": (mask, (25, 25, 28), 1.0),
    "brown sunglasses": (lenses, (70, 45, 30), 0.85),
    "cap": (rim, (35, 45, 85), 1.0),
    "microphone": (microphone, (30, 30, 30), 1.0),
}


def behind(photo: Image, face: Face, name: str) -> tuple[Image, Image]:
    """A photo with something before the face, and (H, W) where."""
    draw, colour, opaque = COVERS[name]
    shape = np.zeros(photo.shape[:2], np.float32)
    draw(shape, face.landmarks[:, :2])
    amount = opaque * cv2.GaussianBlur(shape, (0, 0), 0.8)[..., None]
    hidden = np.rint(photo + amount * (np.array(colour) - photo)).astype(np.uint8)
    if draw is lenses:  # dark frames, around each lens
        outline, _ = cv2.findContours(
            shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(hidden, outline, -1, (20, 20, 20), 2, cv2.LINE_AA)
    return hidden, shape


def share_taken(
    baker: TextureBaker, pictures: list[PosedPicture], shape: Image, kept: bool = False
) -> float:
    """Share of the middle of the face's covered texels that is taken from the pictures."""
    made = baker.texture_set(pictures, TextureMode.PHOTO_NETWORK)
    where = in_texture(baker, shape, pictures[0].vertices_image)
    chosen = (where < 0.02) if kept else (where > 0.98)
    regions = baker.chart.regions
    chosen &= cv2.resize(np.maximum(regions.face_core, regions.forehead), (SIZE, SIZE)) > 0.9
    bare = baker.observe(PosedPicture(pictures[0].image, pictures[0].vertices_image)).confidence
    chosen &= bare > (0.9 if kept else 0.0)
    assert chosen.sum() > 100
    return float(made.visibility[chosen].mean() / 255)


def in_texture(baker: TextureBaker, shape: Image, vertices: Image) -> Image:
    position = baker.chart.uv_map.spread(np.ascontiguousarray(vertices[:, :2]))
    return sample(shape, position)


@pytest.mark.parametrize("name", COVERS)
def test_what_lies_before_the_face_goes(baker, photo, face, name):
    hidden, shape = behind(photo, face, name)
    picture = PosedPicture(hidden, face.vertices_image)
    assert share_taken(baker, [picture], shape) < 0.1
    assert share_taken(baker, [picture], shape, kept=True) > 0.7


def test_it_goes_from_films_too(baker, photo, face):
    """In every frame, and if a frame shows the face bare, from there comes what it hid."""
    hidden, shape = behind(photo, face, "white mask")
    frames = [
        PosedPicture(
            np.roll(picture, 1, axis=1), face.vertices_image + np.array([1, 0, 0], np.float32)
        )
        if moved
        else PosedPicture(picture, face.vertices_image)
        for picture, moved in ((hidden, False), (hidden, True), (photo, True))
    ]
    assert share_taken(baker, frames[:2], shape) < 0.1
    assert share_taken(baker, frames, shape) > 0.5


@pytest.mark.parametrize("light", LIGHTS)
def test_a_bare_face_is_taken_whole_in_any_light(baker, photo, face, light):
    """The middle of the face is the photo's, which `photo` shows as it is."""
    lit = np.clip(photo * np.array(LIGHTS[light]), 0, 255).astype(np.uint8)
    picture = [PosedPicture(lit, face.vertices_image)]
    made = baker.texture_set(picture, TextureMode.PHOTO_NETWORK)
    plain = baker.observe(PosedPicture(photo, face.vertices_image)).confidence
    middle = (plain > 0.95) & (cv2.resize(baker.chart.regions.face_core, (SIZE, SIZE)) > 0.9)
    assert made.visibility[middle].mean() > 0.93 * 255
    sampled = in_texture(baker, lit.astype(np.float32), face.vertices_image)
    apart = np.abs(made.albedo.astype(float) - sampled).max(axis=2)
    assert np.median(apart[middle]) < 3
    assert made.remark == ""


def test_what_is_made_has_the_lights_colour(baker, photo, face):
    """What the photo does not show is not lit by daylight."""
    colour = np.array(LIGHTS["blue"])
    pair = [
        baker.texture_set([PosedPicture(p.astype(np.uint8), face.vertices_image)]).template / 255
        for p in (photo, np.clip(photo * colour, 0, 255))
    ]
    ratio = np.median((pair[1] / pair[0].clip(0.01)).reshape(-1, 3), axis=0)
    np.testing.assert_allclose(ratio, colour, rtol=0.25)


def test_a_half_in_shadow_does_not_darken_the_rest(reconstructor):
    """Both halves are seen, so both are taken; what is filled is as light as the lit one."""
    baker = TextureBaker.load(reconstructor.model, SIZE)
    colors = painted(baker.model)
    dark = baker.model.mean[:, 0] > -4
    colors[dark] *= 0.25
    photo, vertices = photograph(baker.model, colors, 0)
    seen = observe(PosedPicture(photo, vertices), baker.chart)
    shown = cv2.resize(seen.confidence, (256, 256)) > 0.5
    cheeks = baker.chart.regions.cheeks > 0.5
    assert shown[cheeks].mean() > 0.95
    mean = np.median(baker.bake(photo, vertices, TextureMode.MEAN).reshape(-1, 3), axis=0) / 255
    np.testing.assert_allclose(mean, SKIN, atol=0.2)


def test_a_face_that_is_none_is_taken_and_said(baker, photo, face):
    """Nearly all of it is hidden: what is there is shown, not somebody else."""
    patches = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    larger = cv2.resize(patches, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    hidden = np.asarray(larger, np.uint8)
    made = baker.texture_set([PosedPicture(hidden, face.vertices_image)])
    kept = baker.texture_set([PosedPicture(hidden, face.vertices_image)], TextureMode.PHOTO)
    assert "look at it" in made.remark
    assert (made.visibility > 127).mean() > 0.1
    assert made.visibility.mean() == pytest.approx(kept.visibility.mean(), rel=0.1)


def test_the_finder_sees_nothing_where_nothing_is_seen():
    dark = np.zeros((128, 128, 3), np.float32)
    covered = CoverFinder.load().find(dark, np.zeros((256, 256), np.float32))
    assert covered.shape == (256, 256)
    assert np.isfinite(covered).all()
