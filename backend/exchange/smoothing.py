"""Smoothing of a measured motion that is known as a whole: without lag, by local polynomials.

Around every frame a parabola over time is fitted to the frames near it, weighted by a Gaussian and
by their confidence, and the frame takes its value: the filter of Savitzky & Golay (1964) for
frames at any times (Cleveland & Loader 1996, *Smoothing by local regression*). What moves as a
parabola or slower is reproduced exactly, and nothing comes late.

Rotations are fitted as rotation vectors from the frame in the middle. A head that is held still
should stand still: where a far wider window says nearly the same, it is believed instead.
No window reaches over a long gap or over a jump that no head makes, as at a cut.

Keys of the face move in another way: a blink lasts three frames, lips touch for two, and eyes jump
from one rest to the next. There a window counts only the frames whose values are near to that of
the one in the middle (the bilateral filter of Tomasi & Manduchi 1998, over time): what trembles is
smoothed, and what jumps stays as it is, in depth and in time.

The add-on carries a copy of this file, so it imports nothing but NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .expressions import EXPRESSIONS, GAZE_DEGREES

Array = NDArray[np.floating]
Differences = Callable[[int], Array]

# Standard deviation of the Gaussian in seconds at strength 1, and where it ends.
LONGEST_SECONDS = 0.2
CUT_OFF = 4.0
# How many times wider windows are while the head is held still, and by how much their answer may
# differ from the usual window's, in radians, in parts of the scale and in millimetres: as much as
# noise does, and less than anybody sees.
CALM = 4.0
CALM_RADIANS, CALM_SCALE, CALM_MILLIMETRES = np.radians(0.3), 0.003, 0.5
# A window reaches over frames without the face that last no longer than this.
LONGEST_BRIDGE = 0.25
# A head that moved between two frames by more than base + rate * seconds is another shot.
JUMP_MILLIMETRES = (60.0, 1500.0)
JUMP_RADIANS = (0.35, 10.0)
JUMP_LOG_SCALE = (0.1, 2.0)
# How near a value has to be to the one in the middle to count: keys by the group that they are of,
# and directions of the eyes in degrees. It is some three times what MediaPipe's noise does to them,
# and less than a blink, a touch of the lips or a glance.
NEAR_LIDS, NEAR_MOUTH, NEAR_BROWS, NEAR_DEGREES = 0.08, 0.08, 0.1, 2.0
# A parabola goes through any three points, so fewer than four leave every value as it is.
FEWEST = 4
# Signs of the powers 0 to 4 of the time from a frame to later and to earlier ones.
AHEAD, BACK = np.ones(5), np.array([1.0, -1.0, 1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Strengths:
    """How much to smooth, each from 0 (not at all) to 1 (windows of about a second).

    A window's standard deviation is the strength times 0.2 seconds. Expressions are quicker than
    heads: a blink lasts a tenth of a second. `expression` is for the model's own ten, the others
    for the 52 keys: of the lids, of the eyes' directions, of the mouth and cheeks, of the brows.

    Raises
    ------
    ValueError
        A strength is not between 0 and 1.
    """

    rotation: float = 0.5
    position: float = 0.5
    expression: float = 0.2
    lids: float = 0.3
    gaze: float = 0.4
    mouth: float = 0.3
    brows: float = 0.4

    def __post_init__(self) -> None:
        for name, strength in vars(self).items():
            if not 0 <= strength <= 1:
                raise ValueError(f"The strength of the {name} is {strength}, not from 0 to 1.")


@dataclass(frozen=True)
class Motion:
    """A face's motion, one row for every frame. In gaps, rows other than times are not looked at.

    Attributes
    ----------
    times
        (F,) seconds, rising.
    confidence
        (F,) weight of a frame; 0 is a gap.
    quaternions
        (F, 4) unit quaternions w, x, y, z, in any frame.
    scale
        (F,) image pixels per millimetre.
    translation
        (F, 3) image pixels.
    expression
        (F, E) coefficients.
    keys
        (F, 52) from 0 to 1, in the order of `EXPRESSION_NAMES`, or (F, 0).
    gaze
        (F, G) degrees: directions of the eyes, or (F, 0).
    """

    times: Array
    confidence: Array
    quaternions: Array
    scale: Array
    translation: Array
    expression: Array
    keys: Array = field(default_factory=lambda: np.zeros((0, 0)))
    gaze: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        for name in ("keys", "gaze"):
            if not np.size(getattr(self, name)):
                object.__setattr__(self, name, np.zeros((len(self.times), 0)))


def smooth(motion: Motion, strengths: Strengths) -> Motion:
    """Smooth a motion.

    Returns
    -------
    The motion as float64. Rows of gaps are NaN, consecutive quaternions have like signs.

    Notes
    -----
    It does not depend on the frame of the quaternions: turning the frame first or afterwards is
    the same.
    """
    present = np.flatnonzero(motion.confidence > 0)
    seen = _rows(motion, present)
    pieces = _pieces(seen)

    def windows(strength: float) -> _Windows:
        return _Windows(seen.times, seen.confidence, pieces, LONGEST_SECONDS * strength)

    rotation, position = (
        (windows(strength), windows(CALM * strength))
        for strength in (strengths.rotation, strengths.position)
    )
    place = _smooth_places(np.column_stack([seen.scale, seen.translation]), *position)
    smoothed = replace(
        seen,
        quaternions=like_signs(_smooth_rotations(seen.quaternions, *rotation)),
        scale=place[:, 0],
        translation=place[:, 1:],
        expression=windows(strengths.expression).smooth(seen.expression),
        gaze=windows(strengths.gaze).smooth_near(seen.gaze, NEAR_DEGREES),
        keys=_smooth_keys(seen.keys, strengths, windows),
    )
    return replace(
        motion,
        quaternions=_spread(smoothed.quaternions, present, len(motion.times)),
        scale=_spread(smoothed.scale, present, len(motion.times)),
        translation=_spread(smoothed.translation, present, len(motion.times)),
        expression=_spread(smoothed.expression, present, len(motion.times)),
        keys=_spread(smoothed.keys, present, len(motion.times)),
        gaze=_spread(smoothed.gaze, present, len(motion.times)),
    )


def _smooth_keys(keys: Array, strengths: Strengths, windows: Callable[[float], _Windows]) -> Array:
    """(N, 52) or (N, 0) -> the same, each group by its own strength."""
    smoothed = keys.copy()
    for groups, strength, near in (
        (("lids",), strengths.lids, NEAR_LIDS),
        (("gaze",), strengths.gaze, NEAR_DEGREES / min(GAZE_DEGREES.values())),
        (("mouth", "cheeks"), strengths.mouth, NEAR_MOUTH),
        (("brows",), strengths.brows, NEAR_BROWS),
    ):
        chosen = [i for i, key in enumerate(EXPRESSIONS[: keys.shape[1]]) if key.group in groups]
        smoothed[:, chosen] = windows(strength).smooth_near(keys[:, chosen], near)
    return np.clip(smoothed, 0, 1)


@dataclass(frozen=True)
class _Windows:
    """Where to look around each of N frames that show the face.

    Attributes
    ----------
    times, confidence
        (N,)
    pieces
        (N,) numbers of the pieces of the motion; windows stay inside of theirs.
    sigma
        Standard deviation in seconds; 0 leaves values as they are.
    """

    times: Array
    confidence: Array
    pieces: NDArray[np.intp]
    sigma: float

    def smooth(self, values: Array) -> Array:
        """(N, C) -> (N, C)"""
        return values + self._corrections(lambda step: values[step:] - values[:-step], values.shape)

    def smooth_near(self, values: Array, near: float) -> Array:
        """(N, C) -> (N, C), of each column only with the frames whose values are about as near."""
        total = np.repeat(_weight(np.zeros(1)) * self.confidence[:, None], values.shape[1], axis=1)
        summed = values * total
        for _, weight, earlier, later in self._pairs():
            apart = (values[later] - values[earlier]) / near
            alike = np.exp(-0.5 * apart**2) * weight[:, None]
            for here, there in ((earlier, later), (later, earlier)):
                share = alike * self.confidence[there, None]
                total[here] += share
                summed[here] += share * values[there]
        return summed / total

    def turns(self, quaternions: Array) -> Array:
        """(N, 4) -> (N, 3) rotation vectors from each frame's rotation to the smooth one."""

        def differences(step: int) -> Array:
            before, after = quaternions[:-step], quaternions[step:]
            return rotation_vectors(quaternion_product(conjugate(before), after))

        return self._corrections(differences, (len(quaternions), 3))

    def _corrections(self, differences: Differences, shape: tuple[int, ...]) -> Array:
        """(N, C) what the parabola around each frame adds to its value.

        `differences(step)` are (N - step, C) from every frame to the one `step` after it. Seen
        from that one, the difference is the negative, for rotations too, so each pair is computed
        once.
        """
        n, channels = shape
        count = np.ones(n, int)
        moments, sums = np.zeros((n, 5)), np.zeros((n, 3, channels))
        moments[:, 0] = self.confidence * _weight(np.zeros(n))
        for distance, weight, earlier, later in self._pairs():
            powers = np.vander(distance, 5, increasing=True) * weight[:, None]
            found = differences(later.start)
            for here, there, signs in ((earlier, later, AHEAD), (later, earlier, BACK)):
                weighted = powers * signs * self.confidence[there, None]
                moments[here] += weighted
                sums[here] += signs[1] * weighted[:, :3, None] * found[:, None]
                count[here] += weight > 0
        return np.where(count[:, None] >= FEWEST, _at_centre(moments, sums), 0.0)

    def _pairs(self) -> Iterator[tuple[Array, Array, slice, slice]]:
        """Pairs of frames that count for each other, those that lie `step` rows apart together.

        Yields
        ------
        (N - step,) their distances in standard deviations and their weights, 0 for those that do
        not count; the rows of the earlier frames and of the later ones.
        """
        n, step = len(self.times), 1
        while self.sigma > 0 and step < n:
            distance = (self.times[step:] - self.times[:-step]) / self.sigma
            if distance.min() > CUT_OFF:
                return
            near = (distance <= CUT_OFF) & (self.pieces[step:] == self.pieces[:-step])
            yield distance, near * _weight(distance), slice(0, n - step), slice(step, n)
            step += 1


def _smooth_rotations(quaternions: Array, usual: _Windows, calm: _Windows) -> Array:
    """(N, 4) -> (N, 4), with windows for heads that move and for heads that are held still."""
    turns = usual.turns(quaternions)
    further = calm.turns(quaternions) - turns
    turns += _held_still(further / CALM_RADIANS) * further
    return quaternion_product(quaternions, quaternions_of(turns))


def _smooth_places(places: Array, usual: _Windows, calm: _Windows) -> Array:
    """(N, 4) scale and translation -> (N, 4), with windows as for rotations.

    How deep a head lies, no picture shows: that does not count.
    """
    smoothed = usual.smooth(places)
    further = calm.smooth(places) - smoothed
    tolerance = places[:, :1] * [CALM_SCALE, CALM_MILLIMETRES, CALM_MILLIMETRES]
    return smoothed + _held_still(further[:, :3] / tolerance) * further


def _held_still(apart: Array) -> Array:
    """(N, C) differences of the windows' answers in parts of what is tolerated -> (N, 1) share."""
    return np.exp(-0.5 * (apart**2).sum(axis=1, keepdims=True))


def _weight(distance: Array) -> Array:
    """Of frames at distances in standard deviations: a Gaussian that ends at zero.

    With a step at its end, frames there would come and go by rounding.
    """
    return np.exp(-0.5 * distance**2) - np.exp(-0.5 * CUT_OFF**2)


def _at_centre(moments: Array, sums: Array) -> Array:
    """(N, C) values at 0 of the parabolas with the given (N, 5) and (N, 3, C) sums."""
    normal = moments[:, np.add.outer(np.arange(3), np.arange(3))]
    # Frames that share one time leave a parabola open: the flattest is taken.
    normal += moments[:, :1, None] * np.diag([0.0, 1e-12, 1e-12])
    return np.linalg.solve(normal, sums)[:, 0]


def _pieces(motion: Motion) -> NDArray[np.intp]:
    """(N,) numbers of the pieces of a motion without gaps in its rows."""
    seconds = np.diff(motion.times)
    moved = np.linalg.norm(np.diff(motion.translation[:, :2], axis=0), axis=1)
    millimetres = moved / np.minimum(motion.scale[1:], motion.scale[:-1])
    turned = rotation_vectors(
        quaternion_product(conjugate(motion.quaternions[:-1]), motion.quaternions[1:])
    )
    apart = seconds > LONGEST_BRIDGE
    for change, (base, rate) in (
        (millimetres, JUMP_MILLIMETRES),
        (np.linalg.norm(turned, axis=1), JUMP_RADIANS),
        (np.abs(np.diff(np.log(motion.scale))), JUMP_LOG_SCALE),
    ):
        apart |= change > base + rate * seconds
    return np.concatenate([[0], np.cumsum(apart)]).astype(np.intp)[: len(motion.times)]


def _rows(motion: Motion, rows: NDArray[np.intp]) -> Motion:
    arrays = {name: np.asarray(array, np.float64)[rows] for name, array in vars(motion).items()}
    return Motion(**arrays)


def _spread(values: Array, rows: NDArray[np.intp], count: int) -> Array:
    """(count, ...) with values in some rows and NaN in the others."""
    everywhere = np.full((count, *values.shape[1:]), np.nan)
    everywhere[rows] = values
    return everywhere


def like_signs(quaternions: Array) -> Array:
    """(N, 4) the same rotations, each quaternion in the half space of the one before it."""
    towards = np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1])
    signs = np.cumprod(np.concatenate([[1.0], np.where(towards < 0, -1.0, 1.0)]))
    return quaternions * signs[: len(quaternions), None]


def quaternion_product(a: Array, b: Array) -> Array:
    """(..., 4) rotation `b`, then `a`."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(quaternions: Array) -> Array:
    """(..., 4) inverse rotations of unit quaternions."""
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0])


def rotation_vectors(quaternions: Array) -> Array:
    """(..., 3) axis times angle in radians, at most pi long, of (..., 4) unit quaternions."""
    upper = quaternions * np.where(quaternions[..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(upper[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, upper[..., :1])
    small = sine < 1e-12
    return upper[..., 1:] * np.where(small, 2.0, angle / np.where(small, 1.0, sine))


def quaternions_of(vectors: Array) -> Array:
    """(..., 4) unit quaternions of (..., 3) rotation vectors."""
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), vectors / 2 * np.sinc(half / np.pi)], axis=-1)
