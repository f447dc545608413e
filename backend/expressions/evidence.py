"""What of MediaPipe's points tells the keys, and how much it counts.

Points alone would do if they had no noise. With it, a fit of all points gives away small movements
of lids, brows and mouth corners against large ones of cheeks. So distances between points that say
what a face does (lids apart, brows above the eyes, corners of the mouth) count by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

N_POINTS = 478
X, Y = 0, 1

# MediaPipe's points of the person's right and left lids, of lips and of brows.
RIGHT_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_LIDS = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375,
              291, 185, 40, 39, 37, 0, 267, 269, 270, 409)  # fmt: skip
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324,
              308, 191, 80, 81, 82, 13, 312, 311, 310, 415)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)

# What a millimetre of a point counts, by region, and that of its depth, which MediaPipe guesses.
ELSEWHERE, LIDS, LIPS, BROW, DEPTH = 0.3, 1.5, 1.0, 1.0, 0.3

# Pairs of points, the axis along which their distance counts, and how much a millimetre of it does.
# Upper and lower lids; upper and lower lips; brows and the eyes' corners; corners of the mouth.
_LIDS = ((159, 145), (160, 144), (158, 153), (386, 374), (387, 373), (385, 380))
_LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
_BROWS = ((107, 133), (55, 133), (66, 133), (336, 362), (285, 362), (296, 362))
_OUTER_BROWS = ((70, 33), (63, 33), (300, 263), (293, 263))
_CORNERS = ((61, 291),)
_NOSE = 1
_BELOW_NOSE = (61, 291, 13, 14, 0, 17, 152)
_EYES = (33, 263)
# Mouth and chin against the eyes, sideways.
_MOUTH, _CHIN = (61, 291, 13, 14), (152, 148, 377, 176, 400)
RELATIONS: tuple[tuple[tuple[tuple[int, int], ...], int, float], ...] = (
    (_LIDS, Y, 4.0),
    (_LIPS, Y, 2.0),
    (_BROWS, Y, 4.0),
    (_OUTER_BROWS, Y, 7.0),
    (_CORNERS, X, 4.0),
    (_CORNERS, Y, 4.0),
    (tuple((point, _NOSE) for point in _BELOW_NOSE), Y, 2.0),
    (tuple((point, eye) for point in (*_MOUTH, *_CHIN) for eye in _EYES), X, 3.0),
)


def evidence(reliable: NDArray[np.bool_]) -> csr_array:
    """Make the map from displacements of points to what counts of them.

    Parameters
    ----------
    reliable
        (478,) whether a point has a place on the head.

    Returns
    -------
    (R, 1434) sparse: times displacements of the 478 points in millimetres, x, y, z in turn (x to
    the person's left, y up, z out of the face), it gives R numbers whose squares count alike.
    """
    entries = [*_points(reliable), *_relations(reliable)]
    row = [index for index, terms in enumerate(entries) for _ in terms]
    column = [place for terms in entries for place, _ in terms]
    value = [weight for terms in entries for _, weight in terms]
    return csr_array((value, (row, column)), shape=(len(entries), 3 * N_POINTS))


def _points(reliable: NDArray[np.bool_]) -> Iterator[Sequence[tuple[int, float]]]:
    weights = np.full(N_POINTS, ELSEWHERE)
    weights[[*RIGHT_LIDS, *LEFT_LIDS]] = LIDS
    weights[[*OUTER_LIPS, *INNER_LIPS]] = LIPS
    weights[list(BROWS)] = BROW
    for point in np.flatnonzero(reliable).tolist():
        for axis, share in enumerate((1.0, 1.0, DEPTH)):
            yield [(3 * point + axis, float(weights[point]) * share)]


def _relations(reliable: NDArray[np.bool_]) -> Iterator[Sequence[tuple[int, float]]]:
    for pairs, axis, weight in RELATIONS:
        for one, other in pairs:
            if reliable[one] and reliable[other]:
                yield [(3 * one + axis, weight), (3 * other + axis, -weight)]
