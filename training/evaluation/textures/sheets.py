"""Sheets of made textures and of heads that wear them, like the paper's figures S7, S8 and S14."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.exchange.contract import TextureMode
from backend.morphable_model.model import MorphableModel
from backend.output.preview import render_head
from backend.pipeline import FaceReconstructor
from backend.texture.baker import TextureBaker, to_bytes
from backend.texture.observation import PosedPicture
from backend.vision.crop import crop
from gan_texture.inference import TextureGenerator
from training.evaluation.textures.completion import TurnedView
from training.evaluation.textures.render import PosedPhoto
from training.texture_gan.pairs import Pairs

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

CELL = 256
GAP = 6
TITLE_HEIGHT = 24
THREE_QUARTER = 40.0


@dataclass(frozen=True)
class Subject:
    """Somebody on the sheets.

    Attributes
    ----------
    head
        (V, 3) millimetres in the model frame, without pose.
    vertices_image
        (V, 3) image frame of the photo.
    photo
        (H, W, 3) uint8 RGB.
    portrait
        (256, 256, 3) the face's crop, None if it must not be shown.
    """

    head: Float
    vertices_image: Float
    photo: Image
    portrait: Image | None


def subject_of_photo(reconstructor: FaceReconstructor, photo: Image) -> Subject:
    """The largest face of a photo.

    Raises
    ------
    NoFaceError
        There is none.
    """
    (face,) = reconstructor.faces_from_image(photo, which="largest", texture_size=None)
    portrait = crop(photo, face.roi_box, CELL)
    return Subject(face.head, face.vertices_image, photo, portrait)


def subject_of_fit(model: MorphableModel, photo: PosedPhoto) -> Subject:
    """A fitted photo, which is not shown itself."""
    return Subject(photo.face.vertices(model), photo.vertices(model), photo.image, None)


def people_of(pairs: Pairs, rows: NDArray[np.intp], source: str) -> list[int]:
    """Those of some photos that are of one set, each person's first."""
    chosen = rows[pairs.sources[rows] == source]
    _, first = np.unique(pairs.identities[chosen], return_index=True)
    return [int(row) for row in chosen[np.sort(first)]]


def widest_views(pairs: Pairs, rows: Sequence[int], most: int) -> list[TurnedView]:
    """Of some photos' turned views those that hide most of the face."""
    views = [TurnedView.of(pairs, row, int(np.abs(pairs.yaw[row]).argmax())) for row in rows]
    return sorted(views, key=lambda view: -abs(view.yaw))[:most]


def template_sheet(
    views: Iterable[TurnedView], generators: Mapping[str, TextureGenerator]
) -> Image:
    """What the template is worth (S7): a turned view's share of the texture, networks, truth."""
    rows = [
        [
            to_bytes(view.filled * view.believed[..., None]),
            *(
                to_bytes(g.make(view.photo, view.filled, view.believed))
                for g in generators.values()
            ),
            to_bytes(view.truth * view.known[..., None]),
        ]
        for view in views
    ]
    return grid(rows, ["seen from the side", *generators, "seen from the front"])


def texture_sheet(baker: TextureBaker, subjects: Iterable[Subject]) -> Image:
    """Textures (S8): what the photo shows, the network's, and both together."""
    rows = []
    for subject in subjects:
        both, alone = (
            baker.texture_set([PosedPicture(subject.photo, subject.vertices_image)], mode)
            for mode in (TextureMode.PHOTO_NETWORK, TextureMode.NETWORK)
        )
        shown = both.albedo * (both.visibility[..., None] / np.float32(255))
        portrait = [] if subject.portrait is None else [subject.portrait]
        textures = [shown.astype(np.uint8), alone.albedo, both.albedo]
        rows.append([*textures, *portrait])
    return grid(
        rows, ["seen in the photo", TextureMode.NETWORK, TextureMode.PHOTO_NETWORK, "photo"]
    )


def head_sheet(baker: TextureBaker, subjects: Iterable[Subject]) -> Image:
    """Heads (S14): from the front and in three quarters from both sides."""
    rows = []
    for subject in subjects:
        texture = baker.bake(subject.photo, subject.vertices_image, TextureMode.PHOTO_NETWORK)
        portrait = [] if subject.portrait is None else [subject.portrait]
        turned = [
            render_head(subject.head, baker.model, texture, yaw, 0, CELL)
            for yaw in (0.0, THREE_QUARTER, -THREE_QUARTER)
        ]
        rows.append([*turned, *portrait])
    return grid(rows, ["front", "left", "right", "photo"])


def grid(rows: Sequence[Sequence[Image]], titles: Sequence[str]) -> Image:
    """Pictures in rows below the titles of their columns, white where a row has fewer."""
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    step = CELL + GAP
    shape = (TITLE_HEIGHT + len(rows) * step, max(map(len, rows)) * step - GAP)
    sheet = np.full((*shape, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = TITLE_HEIGHT + y * step, x * step
            fitted = cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA)
            sheet[top : top + CELL, left : left + CELL] = fitted
    canvas = Pictures.fromarray(sheet)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    for x, title in enumerate(titles):
        pen.text((x * step, 2), title, fill=(0, 0, 0), font=font)
    return np.asarray(canvas)
