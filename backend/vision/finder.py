"""Finding faces of any size and lean by CenterFace, and looking at each before it is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.vision.centerface import Candidate, CenterFace
from backend.vision.crop import crop
from backend.vision.roi import lean_of_five, roi_box_from_five
from backend.vision.views import Image, shrunk_and_turned

# Pixels of the longer side of the first view; each further one is so many times as large, up to a
# size that takes a third of a second.
FIRST_VIEW, FINER, LARGEST_VIEW = 128, 3, 1024
GLANCE_VIEW = 160
# A face is found when it is that high in a view; smaller ones than SMALLEST, in pixels of the
# image, are too coarse to reconstruct.
FACE_PIXELS, SMALLEST = 12, 33
# Faces less than this part as high as the largest one are bystanders.
SMALLEST_TO_LARGEST = 0.5
QUARTER_TURNS = (90.0, 270.0, 180.0)

# Scores from which a face is looked at more closely, and from which that look believes it. Seen
# like that, the score of 99 of 100 real profiles is above 0.67; without a face it is below 0.3.
MAYBE, SURE = 0.2, 0.6
LOOK_PIXELS, MARGIN = 96, 1.2
# Which side of a face is up the score tells best when the face fills half of so few pixels: of 497
# faces turned right 99 in 100 had 0.62 or more, of 123 turned upside down the best had 0.55.
TURN_PIXELS = 64
# A view's own answer counts as a closer look if the face was sure, upright and as large as there.
CERTAIN, UPRIGHT = 0.76, 30.0
AS_LARGE = (24, 56)


class FaceFinder:
    """Finds faces in views of an image that are small first, then finer, then turned.

    Parameters
    ----------
    model_path
        ``centerface.onnx``.

    Raises
    ------
    MissingAssetError
        The file is missing, or, with the first picture, damaged.
    """

    def __init__(self, model_path: Path) -> None:
        self._network = CenterFace(model_path)

    def glance(self, image: Image) -> list[Candidate]:
        """Faces of (H, W, 3) uint8 RGB higher than a tenth of it, in little time."""
        return self._view(image, GLANCE_VIEW, 0.0, [])

    def first_sight(self, image: Image) -> list[Candidate]:
        """What may be faces higher than an eighth of an (H, W, 3) uint8 RGB image."""
        return [face for face, _ in self._seen(image, FIRST_VIEW, 0.0)]

    def further(self, image: Image, known: list[Candidate]) -> list[Candidate]:
        """Find the smaller faces of an image, or where none is known, any.

        Finer views show them, until they would only show faces less than half as high as the
        largest one. If there still is none, the image is turned.
        """
        found = [] if known else self._turned(image, FIRST_VIEW)
        pixels = FIRST_VIEW
        while pixels < (enough := _pixels_that_show_all(image, known + found)):
            pixels = min(FINER * pixels, enough)
            found += self._view(image, pixels, 0.0, known + found)
        if known or found:
            return found
        return self._turned(image, min(pixels, FINER * FIRST_VIEW))

    def believed(
        self, image: Image, faces: list[Candidate], known: list[Candidate]
    ) -> list[Candidate]:
        """Those faces that a closer look confirms, as it saw them, and that are not known."""
        found: list[Candidate] = []
        for face in faces:
            if is_known(face, known + found):
                continue
            closer = self._closer(image, face)
            if closer is not None and not is_known(closer, known + found):
                found.append(closer)
        return found

    def _turned(self, image: Image, pixels: int) -> list[Candidate]:
        """Faces of the first turn of the image that shows any."""
        for turn in QUARTER_TURNS:
            found = self._view(image, pixels, turn, [])
            if found:
                return found
        return []

    def _view(
        self, image: Image, pixels: int, turn: float, known: list[Candidate]
    ) -> list[Candidate]:
        """Faces not yet known, in a view of so many pixels."""
        found: list[Candidate] = []
        for face, certain in self._seen(image, pixels, turn):
            others = known + found
            if certain and not is_known(face, others):
                found.append(face)
            elif not certain:
                found += self.believed(image, [face], others)
        return found

    def _seen(self, image: Image, pixels: int, turn: float) -> list[tuple[Candidate, bool]]:
        """What may be faces, and whether each is certainly one."""
        scale = min(1.0, pixels / max(image.shape[:2]))
        view, image_from_view = shrunk_and_turned(image, scale, turn)
        seen = self._network.find(view, MAYBE)
        return [(face.carried(image_from_view), _is_certain(face)) for face in seen]

    def _closer(self, image: Image, face: Candidate) -> Candidate | None:
        """The face as seen upright and by itself; None if there is none."""
        x, y = face.centre.tolist()
        side = roi_box_from_five(face.centre, face.size, face.points).side * MARGIN
        upright = self._looks(image, [RoiBox(x, y, side)], TURN_PIXELS)
        turned = [RoiBox(x, y, side, turn) for turn in QUARTER_TURNS]
        best = max(
            upright
            if _surest(upright) >= SURE
            else upright + self._looks(image, turned, TURN_PIXELS),
            key=lambda seen: seen.score,
            default=None,
        )
        if best is None:
            return None
        region = roi_box_from_five(best.centre, best.size, best.points)
        aligned = RoiBox(region.x, region.y, region.side * MARGIN, region.roll)
        final = self._looks(image, [aligned], LOOK_PIXELS)
        return final[0] if _surest(final) >= SURE else None

    def _looks(self, image: Image, boxes: list[RoiBox], pixels: int) -> list[Candidate]:
        """The face in the middle of each region that shows one."""
        crops = np.stack([crop(image, box, pixels) for box in boxes])
        found: list[Candidate] = []
        for box, seen in zip(boxes, self._network.find_each(crops, MAYBE), strict=True):
            image_from_crop = box.image_from_crop
            image_from_crop[:, :2] *= CROP_SIZE / pixels
            middle = [f for f in seen if np.abs(f.centre - pixels / 2).max() < pixels / 4]
            found += [face.carried(image_from_crop) for face in middle[:1]]
        return found


def is_known(face: Candidate, known: list[Candidate]) -> bool:
    """Whether a face's middle is less than half a face from another's."""
    return any(
        np.abs(face.centre - other.centre).max() < max(face.size, other.size) / 2 for other in known
    )


def _is_certain(seen: Candidate) -> bool:
    """Whether a view showed a face as well as a closer look would."""
    return (
        seen.score >= CERTAIN
        and AS_LARGE[0] <= seen.size <= AS_LARGE[1]
        and abs(lean_of_five(seen.points)) < UPRIGHT
    )


def _surest(faces: list[Candidate]) -> float:
    return max((face.score for face in faces), default=0.0)


def _pixels_that_show_all(image: Image, found: list[Candidate]) -> int:
    """Size of the view in which all faces that matter are seen."""
    longest = max(image.shape[:2])
    largest = max((face.size for face in found), default=0.0)
    smallest = max(SMALLEST_TO_LARGEST * largest, SMALLEST)
    return min(round(FACE_PIXELS * longest / smallest), LARGEST_VIEW, longest)
