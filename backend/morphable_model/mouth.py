"""The mouth: the model's is a slit without an inside, and open lips show what lies behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# sRGB of the dark behind open lips.
MOUTH_COLOR = (0.16, 0.07, 0.06)


def mouth_cover(mean: Float, triangles: Int) -> NDArray[np.int32]:
    """Return triangles between the lips, which the model leaves open.

    Parameters
    ----------
    mean
        (V, 3) millimetres in the model frame.
    triangles
        (T, 3), anticlockwise seen from outside.

    Returns
    -------
    (M, 3) int32, in the same sense: a strip from the left corner of the mouth in the picture to
    the right. Its corners are vertices of the lips' inner rims; none is added.
    """
    import igl

    loop = np.asarray(min(igl.boundary_loop_all(triangles.astype(np.int64)), key=len))
    loop = np.roll(loop, -int(mean[loop, 0].argmin()))
    right = int(mean[loop, 0].argmax())
    upper, lower = loop[: right + 1], np.append(loop[:right:-1], loop[right])
    lower = np.insert(lower, 0, loop[0])
    # Go along both lips at once, always on with the one whose next vertex is further left.
    following = [np.maximum.accumulate(mean[lip[1:], 0]) for lip in (upper, lower)]
    on_upper = np.argsort(np.concatenate(following), kind="stable") < len(following[0])
    i, j = np.cumsum(on_upper), np.cumsum(~on_upper)
    behind = np.where(on_upper, upper[i - on_upper], lower[j - ~on_upper])
    strip = np.where(
        on_upper[:, None],
        np.stack([upper[i], behind, lower[j]], axis=1),
        np.stack([behind, lower[j], upper[i]], axis=1),
    )
    distinct = (strip != np.roll(strip, 1, axis=1)).all(axis=1)
    return strip[distinct].astype(np.int32)
