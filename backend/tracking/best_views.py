"""The frames that show a face best from each side: what its texture is made of."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.tracking.sighting import Sighting

Image = NDArray[np.uint8]

# Degrees of yaw between which a frame shows the same side.
SIDES = (-40.0, -15.0, 15.0, 40.0)
# What is kept around a face, in sides of its roi box, and in pixels at most.
MARGIN, MAX_PIXELS = 1.5, 1024
# A view is exchanged only for one that is better by so much: encoding takes time.
BETTER = 1.15
# How much a mouth that is as wide open as it is broad would take away from a view: teeth make a
# picture sharp, but they are not skin, and a head at rest is to have a face at rest.
OPEN_MOUTH, LEAST_CALM = 2.0, 0.1
# JPEG's quality, and the most views that are kept in all: about 100 kB each.
QUALITY, MAX_VIEWS = 95, 200


@dataclass(frozen=True)
class View:
    """Part of a frame with a face in it.

    Attributes
    ----------
    row
        Of the frame.
    score
        How well the face is seen.
    corner
        x and y of its first pixel in the frame.
    scale
        Its pixels per pixel of the frame.
    jpeg
        (N,) uint8, the picture.
    """

    row: int
    score: float
    corner: tuple[int, int]
    scale: float
    jpeg: NDArray[np.uint8]

    @property
    def image(self) -> Image:
        """(H, W, 3) RGB."""
        return np.asarray(cv2.imdecode(self.jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)

    def carry(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, 3) points of the frame to this picture's pixels."""
        corner = np.array([*self.corner, 0], np.float32)
        half = np.array([0.5, 0.5, 0], np.float32)
        return (points - corner + half) * np.float32(self.scale) - half


class BestViews:
    """Keeps the best view of every face from every side, while frames pass by.

    Parameters
    ----------
    views
        By the face's number and the side: those of earlier frames.
    """

    def __init__(self, views: dict[tuple[int, int], View] | None = None) -> None:
        self.views = dict(views or {})

    def offer(self, image: Image, row: int, face: int, sighting: Sighting) -> None:
        """Keep the part of a frame that shows a face if none was better."""
        key = face, int(np.searchsorted(SIDES, sighting.yaw))
        pixels = min(sighting.roi_box.side, MAX_PIXELS)
        score = sighting.confidence * pixels * np.sqrt(sighting.sharpness)
        score *= max(LEAST_CALM, 1 - OPEN_MOUTH * mouth_opening(sighting.landmarks))
        old = self.views.get(key)
        if old is not None and score < BETTER * old.score:
            return
        view = _view(image, row, float(score), sighting)
        if view is None:
            return
        self.views[key] = view
        if len(self.views) > MAX_VIEWS:
            del self.views[min(self.views, key=lambda k: self.views[k].score)]


def mouth_opening(landmarks: NDArray[np.float32]) -> float:
    """Tell how far the inner lips are apart, in widths of the mouth, of (68, 3) landmarks."""
    height, width = (np.linalg.norm(landmarks[a] - landmarks[b]) for a, b in ((62, 66), (48, 54)))
    return float(height / max(width, 1e-6))


def _view(image: Image, row: int, score: float, sighting: Sighting) -> View | None:
    box = sighting.roi_box
    reach = box.side * MARGIN / 2
    height, width = image.shape[:2]
    x0, y0 = max(0, int(box.x - reach)), max(0, int(box.y - reach))
    part = image[y0 : min(height, int(box.y + reach)), x0 : min(width, int(box.x + reach))]
    if part.size == 0:
        return None
    scale = min(1.0, MAX_PIXELS / max(part.shape[:2]))
    if scale < 1:
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", part[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    return View(row, score, (x0, y0), scale, np.asarray(jpeg, np.uint8).reshape(-1))
