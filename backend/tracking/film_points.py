"""MediaPipe's 478 points of every face that is followed, read beside the tracker's own work.

The network says where each face is and that it is one; MediaPipe reads lids, irises, lips and brows
more finely than 68 landmarks do. Each face has a landmarker of its own, which sees a window of the
frame that hardly ever moves: then it goes on from frame to frame as in a film of that face alone,
however small the face, and however many there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import RoiBox
from backend.vision.landmarker import N_POINTS

Float = NDArray[np.float32]
Image = NDArray[np.uint8]
Boxes = dict[int, RoiBox]

# Side of a window in sides of the face's box, and the part of the box's side that stays free of the
# window's rim. A face that grew or shrank by more than `GROWN` gets another window too.
ROOM, RIM, GROWN = 2.2, 0.1, 1.6
# MediaPipe's face is the tracker's if the middle of its points, which reach further up, is nearer
# to the box's than this part of the box's side.
NEAR = 0.35
# Faces that are read at once, largest first: each landmarker takes about 10 MB and, on one core, 13
# milliseconds a frame.
MOST_FACES = 6
# Seconds after which a face that was not seen gives its landmarker to another.
FORGET_SECONDS = 0.5
# Frames that wait for MediaPipe before the tracker does.
WAITING = 4
UNREAD: Float = np.full((N_POINTS, 3), np.nan, np.float32)


class FaceFilm(Protocol):
    """What reads the points of the one face of a film; see `vision.landmarker.FilmLandmarker`."""

    def points(self, image: Image, time: float) -> Float:
        """(n, 478, 3) points of the next frame; `time` in seconds rises."""
        ...


@dataclass(frozen=True)
class Window:
    """Part of a frame: columns from `left` to before `right`, rows from `top` to before `bottom`.

    `side` is that of the face's box when the window was chosen.
    """

    left: int
    top: int
    right: int
    bottom: int
    side: float

    @classmethod
    def around(cls, box: RoiBox, image: Image) -> Window:
        """With room for a face to move in."""
        height, width = image.shape[:2]
        half = ROOM * box.side / 2
        left, right = np.clip([box.x - half, box.x + half], 0, width).astype(int).tolist()
        top, bottom = np.clip([box.y - half, box.y + half], 0, height).astype(int).tolist()
        return cls(left, top, right, bottom, box.side)

    def holds(self, box: RoiBox, image: Image) -> bool:
        """Whether a face can still be read in it."""
        height, width = image.shape[:2]
        free = box.side * (0.5 + RIM)
        return (
            1 / GROWN < box.side / self.side < GROWN
            and (self.left == 0 or box.x - free >= self.left)
            and (self.top == 0 or box.y - free >= self.top)
            and (self.right == width or box.x + free <= self.right)
            and (self.bottom == height or box.y + free <= self.bottom)
            and self.right <= width
            and self.bottom <= height
        )

    def cut(self, image: Image) -> Image:
        """Its pixels."""
        return image[self.top : self.bottom, self.left : self.right]


class FaceReader:
    """Reads the points of one face, frame by frame.

    Parameters
    ----------
    film
        A landmarker that looks at nothing else meanwhile.
    """

    def __init__(self, film: FaceFilm) -> None:
        self._film = film
        self._window: Window | None = None
        self.seen = -np.inf

    def read(self, image: Image, box: RoiBox, time: float) -> Float:
        """(478, 3) points in pixels of the frame, z to the viewer; NaN where MediaPipe fails."""
        moved = self._window is None or not self._window.holds(box, image)
        if moved:
            self._window = Window.around(box, image)
        self.seen = time
        found = self._look(image, box, time)
        if found is None and moved:
            # It looked where the face was in the former window, and now looks for it anew.
            found = self._look(image, box, time)
        return UNREAD if found is None else found

    def _look(self, image: Image, box: RoiBox, time: float) -> Float | None:
        assert self._window is not None
        picture = self._window.cut(image)
        if min(picture.shape[:2]) < 2:
            return None
        faces = self._film.points(picture, time)
        if not len(faces):
            return None
        points = faces[0] + np.array([self._window.left, self._window.top, 0], np.float32)
        if np.hypot(*(points[:, :2].mean(axis=0) - [box.x, box.y])) < NEAR * box.side:
            return points
        # Another face, which it would go on with: a frame without any makes it forget.
        self._film.points(np.zeros_like(picture), time)
        return None


class FilmPoints:
    """Reads the points of all faces of a film, in a thread of its own.

    Parameters
    ----------
    film
        Makes a landmarker.
    """

    def __init__(self, film: Callable[[], FaceFilm]) -> None:
        self._film = film
        self._readers: dict[int, FaceReader] = {}
        self._free: list[FaceFilm] = []
        self._films: dict[int, FaceFilm] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="points")
        self._waiting: deque[Future[dict[int, Float]]] = deque()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> FilmPoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def later(self, image: Image, boxes: Boxes, time: float) -> Future[dict[int, Float]]:
        """What `read` says, as soon as earlier frames are done; waits while many wait.

        Parameters
        ----------
        image
            It must not be changed afterwards.
        """
        while len(self._waiting) >= WAITING:
            self._waiting.popleft().exception()
        future = self._thread.submit(self.read, image, boxes, time)
        self._waiting.append(future)
        return future

    def read(self, image: Image, boxes: Boxes, time: float) -> dict[int, Float]:
        """Points of faces in the next frame.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        boxes
            Where the landmarks of each face are now, by the face's number.
        time
            Seconds; later than the last frame's.

        Returns
        -------
        (478, 3) of every face, see `FaceReader.read`.
        """
        self._forget(boxes, time)
        largest = sorted(boxes, key=lambda face: boxes[face].side, reverse=True)[:MOST_FACES]
        return {
            face: self._reader(face).read(image, box, time) if face in largest else UNREAD
            for face, box in boxes.items()
        }

    def _reader(self, face: int) -> FaceReader:
        if face not in self._readers:
            self._films[face] = self._free.pop() if self._free else self._film()
            self._readers[face] = FaceReader(self._films[face])
        return self._readers[face]

    def _forget(self, boxes: Boxes, time: float) -> None:
        """Free the landmarkers of faces that are gone, or have become too many."""
        gone = [f for f, r in self._readers.items() if time - r.seen > FORGET_SECONDS]
        if len(self._readers) >= MOST_FACES:
            gone += [face for face in self._readers if face not in boxes and face not in gone]
        for face in gone:
            del self._readers[face]
            self._free.append(self._films.pop(face))
