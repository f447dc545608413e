"""Pictures of a scene: heads with skin, light, background, blur and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.mouth import MOUTH_COLOR
from backend.texture.filters import outside, resize, sample
from backend.texture.mean_face import MEAN_TEXTURE
from backend.texture.uv_map import texel_position
from backend.vision.images import read_image
from training.data.appearance import Light, background, marks, skin_tone
from training.data.profiling.zbuffer import draw
from training.evaluation.clips.scenarios import Person, Scene, Setting

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

SUPERSAMPLING = 2
# Of the lens, standard deviation in pixels; of the sensor, in parts of the brightest value.
BLUR, NOISE = 0.7, 0.012
NOISE_MARGIN = 64
# Multiples of it, less their whole part, are far from each other.
GOLDEN_RATIO = 0.618


@dataclass(frozen=True)
class Shot:
    """What stays the same from cut to cut: (H, W, 3) background in [0, 1] and light."""

    background: Float
    light: Light


@dataclass(frozen=True)
class Camera:
    """Draws the frames of a scene. The same seed draws the same pictures.

    Attributes
    ----------
    model
        The morphable model.
    width, height
        Of the pictures.
    seed
        Of skin tones, light, background and noise.
    """

    model: MorphableModel
    width: int
    height: int
    seed: int = 0

    def frames(self, scene: Scene) -> Iterator[Image]:
        """(H, W, 3) uint8 RGB for every frame of the scene."""
        texture = np.asarray(read_image(MEAN_TEXTURE), np.float32) / np.float32(255)
        skins = [texture * self._complexion(n, len(texture)) for n in range(len(scene.people))]
        numbers = range(int(scene.shots.max()) + 1)
        shots = [self._shot(number, scene.setting(number)) for number in numbers]
        noise = self._noise_field()
        for index, number in enumerate(scene.shots.tolist()):
            picture = shots[number].background.copy()
            there = [n for n, person in enumerate(scene.people) if person.present[index]]
            for n in sorted(there, key=lambda n: scene.people[n].scale[index]):
                self._put(picture, scene.people[n], index, skins[n], shots[number].light)
            picture = cv2.GaussianBlur(picture, (0, 0), BLUR)
            x, y = self._rng(2, index).integers(0, NOISE_MARGIN, 2).tolist()
            picture += noise[y : y + self.height, x : x + self.width]
            yield np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)

    def _rng(self, *what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *what])

    def _complexion(self, number: int, size: int) -> Float:
        """(size, size, 3) factors on the mean texture: all of somebody's looks."""
        return self._skin_tone(number) * marks(self._rng(5, number), size)

    def _skin_tone(self, number: int) -> Float:
        """Of one person, clearly unlike the next one's."""
        first = self._rng(1).uniform()
        return skin_tone(self._rng(1, number), (first + GOLDEN_RATIO * number) % 1)

    def _shot(self, number: int, setting: Setting) -> Shot:
        behind, _ = self._room(number)
        _, light = self._room(setting.room)
        return Shot(behind, light.turned(rotation_from_euler(*setting.turn)))

    def _room(self, number: int) -> tuple[Float, Light]:
        rng = self._rng(3, number)
        return background(self.height, self.width, rng), Light.drawn(rng)

    def _noise_field(self) -> Float:
        """Larger than a picture: each frame takes another part of it."""
        shape = self.height + NOISE_MARGIN, self.width + NOISE_MARGIN, 3
        return self._rng(4).normal(0, NOISE, shape).astype(np.float32)

    def _put(self, picture: Float, person: Person, index: int, skin: Float, light: Light) -> None:
        """Draw somebody over a picture, in place."""
        turned, vertices = posed(self.model, person, index)
        low = np.floor(vertices[:, :2].min(axis=0)).astype(int) - 1
        side = int(np.ceil((vertices[:, :2].max(axis=0) - low).max())) + 2
        x0, y0 = np.maximum(low, 0).tolist()
        x1, y1 = np.minimum(low + side, [self.width, self.height]).tolist()
        if x0 >= x1 or y0 >= y1:
            return
        colors, opacity = self._head(vertices - np.append(low, 0), turned, side, skin, light)
        part = slice(y0 - low[1], y1 - low[1]), slice(x0 - low[0], x1 - low[0])
        behind = picture[y0:y1, x0:x1]
        picture[y0:y1, x0:x1] = behind * (1 - opacity[part]) + colors[part]

    def _head(
        self, vertices: Float, turned: Float, side: int, skin: Float, light: Light
    ) -> tuple[Float, Float]:
        """(side, side, 3) colours times opacity, (side, side, 1) opacity."""
        model = self.model
        fine = (vertices + np.float32(0.5)) * np.float32(SUPERSAMPLING) - np.float32(0.5)
        normals = vertex_normals(turned, model.triangles)
        attributes = np.column_stack([texel_position(model.uv, len(skin)), normals])
        drawn, depth = draw(fine, model.triangles, attributes, side * SUPERSAMPLING, cull=False)
        covered: NDArray[np.bool_] = np.isfinite(depth)
        seen = covered & (drawn[..., 4] >= 0)
        colors = sample(skin, drawn[..., :2]) * light.on(drawn[..., 2:])
        # The model is a mask without a back and without a mouth: both show dark.
        colors = np.where(seen[..., None], colors, MOUTH_COLOR)
        opacity = (~outside(covered)).astype(np.float32)[..., None]
        return resize(colors * opacity, side, side), resize(opacity, side, side)[..., None]


def posed(model: MorphableModel, person: Person, index: int) -> tuple[Float, Float]:
    """(V, 3) head of a person in one frame: turned and scaled, y up; and in the image frame."""
    alpha_exp = (person.expression[index] * model.expression_sigma).astype(np.float32)
    head = model.vertices(person.alpha_shape.astype(np.float32), alpha_exp)
    matrix = person.scale[index] * rotation_from_euler(*person.angles[index])
    turned = head @ matrix.T.astype(np.float32)
    place = np.append(person.place[index], 0).astype(np.float32)
    return turned, turned * np.array([1, -1, 1], np.float32) + place
