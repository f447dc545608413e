"""Lids and lips that meet: exactly, for each person's own face.

A key that is carried over closes an eye nearly, or too much. So it is scaled until the gap between
the rims is closed on the whole, and then rims are moved onto the line where they meet. The skin
around follows, less and less with its distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from backend.expressions.rims import Rim

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Millimetres along the skin over which it follows a rim that is moved.
FOLLOW_LID, FOLLOW_LIP = 9.0, 16.0
# How far up the lower rim comes on the way to the meeting line that is left by the key.
SHARE_LID, SHARE_LIP = 0.1, 0.5
# The model's eyes are pieces of spheres of this radius, of everybody; an eyeball of 12 mm that
# touches one from inside in front never leaves it.
EYE_RADIUS = 17.0
# Millimetres by which lids stay in front of that.
CLEARANCE = 0.1
# Bounds of the scale that closes a gap: a face whose gap asks for more is not a face.
LEAST_SCALE, GREATEST_SCALE = 0.3, 2.0


@dataclass(frozen=True)
class Closure:
    """How one opening closes.

    Attributes
    ----------
    upper, lower
        (U,), (L,) vertices of the rims with the corners.
    onto_lower, onto_upper
        (U, L) and (L, U) weights: the place on the other rim that a vertex meets.
    around
        (R,) vertices that follow the rims, which are among them.
    follow
        (R, U + L - 2) float32 how much each follows each vertex of the `loop`.
    inside
        (I,) vertices between the rims of an eye, and in `fill` (I, U + L - 2) what they follow.
    share
        How far the lower rim comes to the upper on the rest of the way.
    """

    upper: Int
    lower: Int
    onto_lower: Float
    onto_upper: Float
    around: Int
    follow: Float
    inside: Int
    fill: Float
    share: float

    @property
    def loop(self) -> Int:
        """All vertices of the rims once, as in `Rim`."""
        return np.concatenate([self.upper, self.lower[-2:0:-1]])

    def closing_scale(self, rest: Float, delta: Float) -> float:
        """How much of a delta closes the gap that a face has at rest, on the whole."""
        gap = self._gap(rest)
        closing = -self._gap(delta)
        scale = (gap * closing).sum() / max((closing**2).sum(), 1e-9)
        return float(np.clip(scale, LEAST_SCALE, GREATEST_SCALE))

    def _gap(self, vertices: Float) -> Float:
        """(U,) height of the upper rim above the lower."""
        return (vertices[self.upper] - self.onto_lower @ vertices[self.lower])[:, 1]

    def close(self, moved: Float, centre: Float | None = None) -> Float:
        """What is to be added for the rims to meet.

        Parameters
        ----------
        moved
            (V, 3) the face with a key that nearly closes it.
        centre
            (3,) of the eye's sphere, in front of which lids stay; None for the mouth.

        Returns
        -------
        (R, 3) for the vertices `around`.
        """
        upper, lower = moved[self.upper], moved[self.lower]
        meeting = lower + self.share * (self.onto_upper @ upper - lower)
        if centre is not None:
            meeting = outside_sphere(meeting, centre, EYE_RADIUS)
        change = np.concatenate([self.onto_lower @ meeting - upper, (meeting - lower)[-2:0:-1]])
        added = self.follow @ change
        if centre is not None:
            skin = moved[self.around] + added
            clear = outside_sphere(skin, centre, EYE_RADIUS + CLEARANCE)
            # Rims lie where they meet, and corners further in than the sphere.
            free = ~np.isin(self.around, self.loop)
            added[free] += (clear - skin)[free]
        return added

    def fill_inside(self, delta: Float) -> None:
        """Have what lies between the rims follow them, in place."""
        if len(self.inside):
            delta[self.inside] = self.fill @ delta[self.loop]


def eye_centre(rest: Float, closure: Closure) -> Float:
    """(3,) centre of the sphere that is nearest to what a face has between its lids."""
    surface = rest[closure.inside].astype(np.float64)
    centre = surface.mean(axis=0) - (0, 0, EYE_RADIUS)
    for _ in range(6):
        away = centre - surface
        distance = np.linalg.norm(away, axis=1)
        slope = away / distance[:, None]
        centre = centre - np.linalg.lstsq(slope, distance - EYE_RADIUS, rcond=None)[0]
    return centre


def outside_sphere(points: Float, centre: Float, radius: float) -> Float:
    """(N, 3) points, those inside of a sphere moved out to it."""
    away = points - centre
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    return centre + away * np.maximum(radius / np.maximum(distance, 1e-9), 1)


def make_closure(rim: Rim, rest: Float, triangles: Int, *, lid: bool) -> Closure:
    """Prepare an opening of the mean head.

    Parameters
    ----------
    rest
        (V, 3) millimetres.
    triangles
        (T, 3), with those between the lids.
    lid
        Whether it is an eye; else the mouth.
    """
    inner = np.isin(triangles, rim.inside).any(axis=1)
    reach = FOLLOW_LID if lid else FOLLOW_LIP
    around, follow = _following(rest, triangles[~inner], rim.loop, reach)
    fill = _harmonic(rest, triangles[inner], rim.inside, rim.loop)
    upper, lower = _along(rest, rim.upper), _along(rest, rim.lower)
    return Closure(
        rim.upper,
        rim.lower,
        _between(upper, lower),
        _between(lower, upper),
        around,
        follow,
        rim.inside,
        fill,
        SHARE_LID if lid else SHARE_LIP,
    )


def _along(rest: Float, line: Int) -> Float:
    """(N,) places along the straight line between the corners, never backwards, 0 to 1."""
    points = rest[line].astype(np.float64)
    axis = points[-1] - points[0]
    place = np.maximum.accumulate((points - points[0]) @ axis / (axis @ axis))
    place = np.clip(place, 0, 1)
    # The first and the last are the corners, whatever lies beyond them.
    place[0], place[-1] = 0, 1
    return place


def _between(places: Float, others: Float) -> Float:
    """(N, M) weights that interpolate values at `others` linearly at `places`."""
    increasing = others + 1e-9 * np.arange(len(others))
    return np.stack([np.interp(places, increasing, unit) for unit in np.eye(len(others))], axis=1)


def _following(rest: Float, triangles: Int, loop: Int, reach: float) -> tuple[Int, Float]:
    """Vertices near a loop, and how they follow it, like a skin of soap."""
    import igl

    from backend.expressions.registration import along_skin

    distance = along_skin(rest, triangles, loop, reach)
    region = np.isfinite(distance[triangles]).any(axis=1)
    used, faces = np.unique(triangles[region], return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int64)
    points = rest[used].astype(np.float64)
    laplacian = igl.cotmatrix(points, faces).tocsc()
    at_loop = np.searchsorted(used, loop)
    near = distance[used]
    free = np.flatnonzero((near < reach * 0.9) & ~np.isin(used, loop))
    weights = np.zeros((len(used), len(loop)), np.float32)
    weights[at_loop, np.arange(len(loop))] = 1
    rows = laplacian[free]
    weights[free] = splu(rows[:, free].tocsc()).solve(-rows[:, at_loop].toarray())
    keep = np.isfinite(near) & (np.abs(weights).max(axis=1) > 0)
    return used[keep], weights[keep]


def _harmonic(rest: Float, triangles: Int, inside: Int, loop: Int) -> Float:
    """(I, N) weights with which vertices inside a loop follow it."""
    if len(inside) == 0:
        return np.zeros((0, len(loop)), np.float32)
    import igl

    laplacian = igl.cotmatrix(rest.astype(np.float64), triangles.astype(np.int64)).tocsc()
    rows = laplacian[inside]
    solved = splu(rows[:, inside].tocsc()).solve(-rows[:, loop].toarray())
    return np.maximum(solved, 0).astype(np.float32)
