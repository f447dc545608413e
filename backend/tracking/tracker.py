"""Following faces from frame to frame, and finding new ones at little cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.morphable_model.boxes import RoiBox
from backend.tracking.sighting import Sighting, look, overlap
from backend.vision.detection import FaceDetector

Image = NDArray[np.uint8]

# Confidence from which a face is found, and below which it is lost. Between them lies a face that
# leaves the picture, or is half covered: were both the same, it would come and go with the noise.
FOUND, LOST = 0.3, 0.05
# Boxes that share more than this show the same face.
SAME = 0.4
# Seconds for which a face is awaited where it was last seen.
PATIENCE = 0.5
# Seconds between two glances for faces: while one is missed or none is known, and otherwise.
SEEKING, WATCHING = 0.1, 1.0
# Seconds until a frame without any face is searched with all means again; each time twice as long.
THOROUGH = 2.0
# A cut: frames in small, in grey levels, differ by that much on average and by that many times the
# change from frame to frame so far.
THUMBNAIL, SAMPLED = (32, 18), (128, 72)
CUT_DIFFERENCE, CUT_RATIO = 16.0, 4.0


@dataclass(frozen=True)
class Followed:
    """A face that is followed.

    Attributes
    ----------
    number
        A new one after a cut, or when the face was lost for longer than `PATIENCE`.
    roi_box
        Where to look next.
    seen
        When it was last seen, in seconds.
    """

    number: int
    roi_box: RoiBox
    seen: float


@dataclass(frozen=True)
class Memory:
    """All that a tracker knows, so that tracking can go on from here.

    Attributes
    ----------
    faces
        The faces that are followed, those that are missed for a moment included.
    count
        How many faces there have been.
    time
        Of the last frame, in seconds.
    sought
        When the frame was last searched for faces.
    thorough_at, thorough_wait
        When an empty frame is next searched with all means, and the wait after that.
    thumbnail, change
        The last frame in small, and how much frames change usually.
    """

    faces: tuple[Followed, ...] = ()
    count: int = 0
    time: float = -np.inf
    sought: float = -np.inf
    thorough_at: float = -np.inf
    thorough_wait: float = THOROUGH
    thumbnail: NDArray[np.int16] | None = None
    change: float = 0.0


class FaceTracker:
    """Follows all faces of a film or stream, given its frames one after the other.

    Each face is looked for where its landmarks were in the frame before; whether it is still there
    the network's own answer says (see `sighting.rigidity`). The detector, which takes several
    times as long, runs only now and then, when a face is missed, and at cuts. A face that was lost
    is back when the detector and the network both say so.

    Parameters
    ----------
    engine
        Runs the network.
    detector
        Finds faces.
    memory
        Goes on where another tracker stopped.
    """

    def __init__(
        self, engine: Engine, detector: FaceDetector, memory: Memory | None = None
    ) -> None:
        self._engine = engine
        self._detector = detector
        self.memory = memory or Memory()

    def step(self, image: Image, time: float) -> dict[int, Sighting]:
        """Faces of the next frame, by the numbers of `Followed`.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        time
            Seconds; later than the last frame's.
        """
        cut = self._notice_cut(image)
        if cut:
            self.memory = replace(self.memory, faces=())
        awaited = [f for f in self.memory.faces if time - f.seen <= PATIENCE]
        boxes = [face.roi_box for face in awaited]
        looks = dict(zip(awaited, look(image, boxes, self._engine), strict=True))
        followed = {f: s for f, s in looks.items() if f.seen == self.memory.time}
        seen = _without_doubles({f: s for f, s in followed.items() if s.confidence >= LOST})
        missed = [face for face in awaited if face not in seen]
        # Where a face was missed, the network may take the background for it: the detector decides.
        hopeful = any(s.confidence >= FOUND for f, s in looks.items() if f not in followed)
        count = self.memory.count
        wait = WATCHING if seen and not missed else SEEKING
        if cut or hopeful or time - self.memory.sought >= wait:
            for sighting in self._find(image, time, [*seen.values()]):
                face = _returning(sighting, missed)
                if face is None:
                    face, count = Followed(count, sighting.roi_box, time), count + 1
                else:
                    missed.remove(face)
                seen[face] = sighting
        faces = [Followed(f.number, s.next_box, time) for f, s in seen.items()]
        self.memory = replace(self.memory, faces=(*faces, *missed), count=count, time=time)
        return {face.number: sighting for face, sighting in seen.items()}

    def _find(self, image: Image, time: float, known: list[Sighting]) -> list[Sighting]:
        """Faces that are not known yet."""
        memory = self.memory
        detections = self._detector.glance(image)
        if not detections and not known and time >= memory.thorough_at:
            detections = self._detector.detect(image)
            memory = replace(
                memory,
                thorough_at=time + memory.thorough_wait,
                thorough_wait=2 * memory.thorough_wait,
            )
        self.memory = replace(memory, sought=time)
        boxes = [
            d.roi_box
            for d in detections
            if all(overlap(d.roi_box, s.next_box) < SAME for s in known)
        ]
        # The detector's boxes are not quite the training's: a second look takes the right one.
        first = look(image, boxes, self._engine)
        second = look(image, [s.next_box for s in first], self._engine)
        sure = {
            Followed(i, s.roi_box, time): s for i, s in enumerate(second) if s.confidence >= FOUND
        }
        return [*_without_doubles(sure).values()]

    def _notice_cut(self, image: Image) -> bool:
        """Whether this frame begins another shot than the last one's."""
        # Some of the pixels are enough, and far quicker to shrink.
        some = cv2.resize(image, SAMPLED, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(some, THUMBNAIL, interpolation=cv2.INTER_AREA)
        thumbnail = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.int16)
        before, usual = self.memory.thumbnail, self.memory.change
        if before is None:
            self.memory = replace(self.memory, thumbnail=thumbnail)
            return True
        difference = float(np.abs(thumbnail - before).mean())
        cut = difference > max(CUT_DIFFERENCE, CUT_RATIO * usual)
        change = usual if cut else 0.8 * usual + 0.2 * difference
        self.memory = replace(self.memory, thumbnail=thumbnail, change=change)
        return cut


def _without_doubles(seen: dict[Followed, Sighting]) -> dict[Followed, Sighting]:
    """Of faces that have come to the same place, the one that came from nearest stays."""
    kept = dict(seen)
    for a, b in combinations(seen, 2):
        if a in kept and b in kept and overlap(seen[a].next_box, seen[b].next_box) > SAME:
            kept.pop(max(a, b, key=lambda face: _moved(face, seen[face])))
    return kept


def _moved(face: Followed, sighting: Sighting) -> float:
    """How far a face moved and grew, in parts of its size."""
    old, new = face.roi_box, sighting.next_box
    shift = np.hypot(new.x - old.x, new.y - old.y) / old.side
    return float(shift + abs(np.log(new.side / old.side)))


def _returning(sighting: Sighting, missed: list[Followed]) -> Followed | None:
    """The missed face that a new one is."""
    nearest = max(missed, key=lambda f: overlap(f.roi_box, sighting.next_box), default=None)
    if nearest is None or overlap(nearest.roi_box, sighting.next_box) == 0:
        return None
    return nearest
