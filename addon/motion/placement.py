"""From a picture to space: where in front of a lens a head is that the picture shows.

A weak-perspective pose knows the head's direction, its place in the picture and its size there,
but no distance. A lens of a known focal length gives it: ``focal length in pixels / pixels per
metre``. The lens stands at the origin and looks along +Y with Z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exchange.smoothing import Motion, quaternion_product

Float = NDArray[np.floating]

# Of the longer side: Blender's sensor fit "AUTO".
SENSOR_MILLIMETRES = 36.0


@dataclass(frozen=True)
class Lens:
    """What took the picture.

    Attributes
    ----------
    focal_length
        Millimetres, in front of a sensor whose longer side is 36 mm.
    image_size
        Width and height of the picture in pixels.
    """

    focal_length: float
    image_size: tuple[int, int]

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels of the picture."""
        return self.focal_length / SENSOR_MILLIMETRES * max(self.image_size)

    def rays(self, right: Float, up: Float) -> Float:
        """Return (N, 3) directions to points so many pixels from the picture's centre, as long in
        Y as
        the focal length."""
        return np.stack([right, np.full_like(right, self.focal_pixels), up], axis=-1)


@dataclass(frozen=True)
class Placement:
    """Where heads are: (N, 4) unit quaternions w, x, y, z and (N, 3) metres."""

    quaternions: Float
    locations: Float


def place(motion: Motion, lens: Lens) -> Placement:
    """Turn as the picture shows the heads, their origins where it shows them.

    Parameters
    ----------
    motion
        (N,) frames, all of which show the face.
    lens
        What took the picture.
    """
    quaternions = np.asarray(motion.quaternions, np.float64)
    right, up, per_metre = _in_picture(motion, lens)
    return Placement(quaternions, lens.rays(right, up) / per_metre[:, None])


def place_matched(motion: Motion, lens: Lens, points: Float) -> Placement:
    """As `place`, so that heads look through the lens as they do in the picture.

    Parameters
    ----------
    motion, lens
        As in `place`.
    points
        (P, 3) points all over the head: metres, in its own frame.

    Notes
    -----
    Perspective shows two things that a weak-perspective pose does not know. What is not in the
    middle of the picture is seen from the side: the head is turned with the ray that leads to it.
    And what is nearer is larger: the location is the one for which the points, in perspective,
    lie as near as can be to where the pose has them in the picture.
    """
    quaternions = np.asarray(motion.quaternions, np.float64)
    right, up, per_metre = _in_picture(motion, lens)
    seen = rotate(quaternions[:, None], points)
    pixels = np.stack([right, up], -1)[:, None] + per_metre[:, None, None] * seen[..., [0, 2]]
    rays = lens.rays(*pixels.mean(axis=1).T)
    turned = quaternion_product(_from_forward(rays), quaternions)
    return Placement(turned, _locations(rotate(turned[:, None], points), pixels, lens.focal_pixels))


def _locations(points: Float, pixels: Float, focal: float) -> Float:
    """Return (N, 3) what to add to (N, P, 3) points, so that a lens shows them at (N, P, 2) pixels.

    A point at depth y shows at ``focal * across / y``, so ``focal * across = pixel * y``: linear
    in what is added, and least squares have a closed form.
    """
    wanted = pixels * points[..., 1:2] - focal * points[..., [0, 2]]
    about_pixels = pixels - pixels.mean(axis=1, keepdims=True)
    about_wanted = wanted - wanted.mean(axis=1, keepdims=True)
    depth = -(about_pixels * about_wanted).sum(axis=(1, 2)) / (about_pixels**2).sum(axis=(1, 2))
    across = (wanted.mean(axis=1) + pixels.mean(axis=1) * depth[:, None]) / focal
    return np.stack([across[:, 0], depth, across[:, 1]], axis=-1)


def rotate(quaternions: Float, vectors: Float) -> Float:
    """Return (..., 3) vectors turned by (..., 4) unit quaternions."""
    scalar, axis = quaternions[..., :1], quaternions[..., 1:]
    twice = 2 * np.cross(axis, vectors)
    return vectors + scalar * twice + np.cross(axis, twice)


def _in_picture(motion: Motion, lens: Lens) -> tuple[Float, Float, Float]:
    """Return origins' pixels right and up of the picture's centre, and pixels per metre: (N,)
    each.
    """
    width, height = lens.image_size
    x, y = np.asarray(motion.translation, np.float64)[:, :2].T
    # The centre of the first pixel is at 0.
    per_metre = np.asarray(motion.scale, np.float64) * 1000
    return x - (width - 1) / 2, (height - 1) / 2 - y, per_metre


def _from_forward(rays: Float) -> Float:
    """Return (N, 4) shortest rotations from +Y to rays that point forward."""
    x, y, z = (rays / np.linalg.norm(rays, axis=1, keepdims=True)).T
    halfway = np.stack([1 + y, z, np.zeros_like(x), -x], axis=1)
    return halfway / np.linalg.norm(halfway, axis=1, keepdims=True)
