"""Reasons to doubt what a picture shows, one a module; a new one is a file here and a line below.

Each takes the (M, M, 3) logarithm of the picture over the mean face, the evidence so far and the
parts of the face, and returns the evidence that is left.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backend.texture.doubts.frames import without_frames
from backend.texture.doubts.hair import without_hair
from backend.texture.doubts.side_light import in_even_light
from backend.texture.evidence import Evidence
from backend.texture.regions import Regions

Doubt = Callable[[NDArray[np.float32], Evidence, Regions], Evidence]

# In this order.
DOUBTS: tuple[Doubt, ...] = (without_hair, without_frames, in_even_light)
