"""From fitted photos to pairs: each photo's texture, and what turned views of it show of that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import require_writable
from backend.errors import BadInputError, SynergyFaceError
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.morphable_model.storage import load_model
from backend.texture.baker import TextureBaker, to_bytes
from backend.texture.fill.mirror import mirrored
from backend.texture.observation import Observation, PosedPicture
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.manifest import write_manifest
from training.data.profiling.mouth import MouthInside
from training.data.profiling.turn import FLIP_Y, TurnedFace, photo_face, turn
from training.data.profiling.views import ProfileRenderer
from training.data.shards import CONTEXT
from training.data.workers import worker_pool
from training.texture_gan.pairs import MADE, WAITING, Pair, Pairs, create_pairs, open_pairs

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

PHOTOS_PER_CHUNK = 8
# A view has this many pixels for each texel of the texture: the face fills a third of both.
VIEW_PIXELS = 1.5


@dataclass(frozen=True)
class UnwrapSettings:
    """How pairs are made.

    Attributes
    ----------
    size
        Side of the textures.
    views
        Views of each photo, the photo itself among them.
    largest_yaw, pitch
        Of the turned views, in degrees.
    jitter
        Standard deviation of the errors that a turned view's pose gets, as a share of the head's
        size; in degrees, it is that share of a radian. A network's poses have such errors, and
        what they let in at outlines must be repaired.
    seed
        Of what is random.
    """

    size: int = 256
    views: int = 4
    largest_yaw: float = 70.0
    pitch: float = 15.0
    jitter: float = 0.006
    seed: int = 0

    def __post_init__(self) -> None:
        if self.views < 1 or self.size < 64 or self.size & (self.size - 1):
            raise BadInputError(
                f"Cannot make {self.views} views at {self.size} texels.",
                "Give at least one view, and a power of two from 64 on.",
            )

    @property
    def renderer(self) -> ProfileRenderer:
        """Chooses the angles of the turned views."""
        return ProfileRenderer(
            self.views - 1, self.largest_yaw, self.pitch, steepest=30.0, seed=self.seed
        )


def unwrap_photos(
    sets: Sequence[FittedPhotos], settings: UnwrapSettings, folder: Path, workers: int
) -> Pairs:
    """Make the pairs of some sets; goes on where it was interrupted.

    Photos that cannot be read are skipped and named in the manifest.
    """
    require_writable(folder)
    photos = [(photos, row) for photos in sets for row in range(len(photos))]
    angles = [settings.renderer.angles(str(p.names[i]), p.parameters[i]) for p, i in photos]
    own = np.zeros((len(photos), 1))
    yaw = np.concatenate([own, np.stack(angles)[..., 0]], axis=1) if photos else own
    pairs = create_pairs(
        folder,
        np.array([str(p.names[i]) for p, i in photos]),
        np.array([p.source for p, _ in photos]),
        np.array([str(p.identities[i]) for p, i in photos]),
        yaw,
        settings.size,
    )
    waiting = np.flatnonzero(pairs.done == WAITING)
    chunks = np.array_split(waiting, -(-len(waiting) // PHOTOS_PER_CHUNK)) if len(waiting) else []
    work = partial(_unwrap_chunk, folder, settings)
    skipped: dict[str, str] = {}
    with (
        worker_pool(workers, cv2.setNumThreads, 1) as pool,
        tqdm(total=len(photos), unit="photo", desc="unwrap", disable=None) as bar,
    ):
        bar.update(len(photos) - len(waiting))
        jobs = [pool.submit(work, rows, [_alone(*photos[row]) for row in rows]) for rows in chunks]
        for rows, job in zip(chunks, jobs, strict=True):
            skipped |= job.result()
            bar.update(len(rows))
    made = int((pairs.done == MADE).sum())
    counts = {"photos": made, "views": made * pairs.views}
    write_manifest(folder, "unwrap", counts, skipped, settings=settings.__dict__)
    return open_pairs(folder)


def pair_of_photo(
    model: MorphableModel,
    mouth: MouthInside,
    baker: TextureBaker,
    photos: FittedPhotos,
    row: int,
    settings: UnwrapSettings,
) -> Pair:
    """Texture and views of one photo of a set."""
    name = str(photos.names[row])
    image = read_image(photos.folder / name)
    parameters = photos.parameters[row]
    box = photos.roi_boxes[row]
    digest = hashlib.sha256(f"{settings.seed} {name} jitter".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "little"))

    own = baker.observe(PosedPicture(image, FaceParameters(parameters).vertices_image(model, box)))
    views = [(*_filled(baker, own), crop(image, box, settings.size))]
    pixels = round(VIEW_PIXELS * settings.size * CONTEXT)
    face = photo_face(model, image, parameters, box, pixels)
    for yaw, pitch in settings.renderer.angles(name, parameters):
        view = turn(model, mouth, face, yaw, pitch)
        vertices = FaceParameters(view.parameters).vertices_image(model, view.box)
        vertices = _jittered(vertices, settings, random)
        seen = baker.observe(PosedPicture(view.picture, vertices))
        views.append((*_filled(baker, seen), _cropped(view, settings)))
    filled, believed, crops = (np.stack(arrays) for arrays in zip(*views, strict=True))
    return Pair(to_bytes(own.sampled), _weights(own.confidence), crops, filled, believed)


def _filled(baker: TextureBaker, seen: Observation) -> tuple[Image, NDArray[np.uint8]]:
    """What a view gives of the texture, and where it is believed."""
    return to_bytes(mirrored(seen, baker.chart)), _weights(seen.confidence)


def _cropped(view: TurnedFace, settings: UnwrapSettings) -> Image:
    return crop(view.picture, view.box, settings.size)


def _jittered(vertices: Float, settings: UnwrapSettings, random: np.random.Generator) -> Float:
    """(V, 3) image frame, with small errors of rotation, scale and place."""
    centre = vertices.mean(axis=0)
    size = float(np.ptp(vertices[:, 1]))
    turned, shift, scale = np.split(random.normal(0, settings.jitter, 7), [3, 6])
    rotation = FLIP_Y @ rotation_from_euler(*np.degrees(turned)) @ FLIP_Y * (1 + scale[0])
    return ((vertices - centre) @ rotation.T + centre + size * shift).astype(np.float32)


def _weights(weights: Float) -> NDArray[np.uint8]:
    return np.round(np.clip(weights, 0, 1) * 255).astype(np.uint8)


def _alone(photos: FittedPhotos, row: int) -> FittedPhotos:
    """One photo as a set, which travels to another process in no time."""
    return photos.subset(np.array([row]))


def _unwrap_chunk(
    folder: Path, settings: UnwrapSettings, rows: NDArray[np.intp], photos: Iterable[FittedPhotos]
) -> dict[str, str]:
    """Make the pairs of some rows in a worker; returns what was skipped and why."""
    pairs = open_pairs(folder, writable=True)
    skipped: dict[str, str] = {}
    for row, (pair, reason) in zip(rows, _pairs(photos, settings), strict=True):
        pairs.put(int(row), pair)
        if pair is None:
            skipped[str(pairs.names[row])] = reason
    return skipped


def _pairs(
    photos: Iterable[FittedPhotos], settings: UnwrapSettings
) -> Iterator[tuple[Pair | None, str]]:
    model, mouth, baker = _tools(settings.size)
    for photo in photos:
        try:
            yield pair_of_photo(model, mouth, baker, photo, 0, settings), ""
        except SynergyFaceError as error:
            yield None, error.problem


@cache
def _tools(size: int) -> tuple[MorphableModel, MouthInside, TextureBaker]:
    model = load_model()
    return model, MouthInside.of(model), TextureBaker.load(model, size)
