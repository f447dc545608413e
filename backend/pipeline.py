"""The whole story of a photo: detect, crop, regress, decode, texture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.engines.devices import PROCESSOR, Device, Runtime, find_runtime
from backend.engines.engine import Engine, load_engine, network_digest
from backend.errors import BadInputError, MissingAssetError, NoFaceError
from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode
from backend.exchange.orders import Which
from backend.expressions.basis import ExpressionBasis
from backend.expressions.keyed_points import KeyedPoints
from backend.expressions.storage import load_basis
from backend.geometry.pose import Pose
from backend.memory import give_back_memory, share_memory
from backend.morphable_model.boxes import RoiBox, RoiBoxes
from backend.morphable_model.model import N_SHAPE, MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.morphable_model.storage import load_model
from backend.progress import Progress, no_progress, part, parts
from backend.synergynet.two_sided import TwoSidedEngine
from backend.synergynet.weights import active_weights
from backend.texture.baker import TextureBaker, TextureSet
from backend.texture.fill import FILLS
from backend.texture.observation import PosedPicture
from backend.tracking.live import LiveTracker
from backend.vision.crop import crop
from backend.vision.detection import LOOKED_FOR, Detection, FaceDetector
from backend.vision.roi import second_look
from backend.vision.sources import detector_path

if TYPE_CHECKING:
    from backend.head.dressed import HeadMaker
    from gan_texture.inference import TextureGenerator

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Share of the work on a first texture that is making its chart and loading the network.
PREPARED = 0.4
# Sides of a picture than which no head in it is larger.
GIANT = 16


@dataclass(frozen=True)
class Face:
    """One face of a photo.

    Attributes
    ----------
    roi_box
        Upright square of the photo to which `parameters` refer.
    parameters
        (62,) float32 in the crop frame of `roi_box`.
    landmarks, landmarks_coarse
        (68, 3) float32, image frame: refined, and those of the mesh itself.
    pose
        Scale in image pixels per millimetre, rotation of the model frame (y up), translation of
        the model's origin in the image frame.
    vertices_image
        (V, 3) float32: the posed head in the image frame.
    neutral, head
        (V, 3) float32, millimetres in the model frame: without and with the photo's expression.
    expression
        (10,) float32 in standard deviations.
    texture
        (S, S, 3) uint8 RGB, row 0 at v = 1; None if none was asked for.
    """

    roi_box: RoiBox
    parameters: Float
    landmarks: Float
    landmarks_coarse: Float
    pose: Pose
    vertices_image: Float
    neutral: Float
    head: Float
    expression: Float
    texture: Image | None


class FaceReconstructor:
    """Everything that a photo needs, loaded once.

    Parameters
    ----------
    model
        The morphable model.
    detector
        Finds faces.
    engine
        Runs the network.
    network
        Names the network: results of networks with other names are not mixed with its own.
    runtime
        What computes the texture network.
    """

    def __init__(
        self,
        model: MorphableModel,
        detector: FaceDetector,
        engine: Engine,
        network: str = "",
        runtime: Runtime = PROCESSOR,
    ) -> None:
        self.model = model
        self.network = network
        self.detector = detector
        self._engine = TwoSidedEngine(engine, model)
        self.quick_engine = engine
        self._baker: TextureBaker | None = None
        self._runtime = runtime

    @classmethod
    def load(cls, device: Device = "auto") -> FaceReconstructor:
        """Load model, detector and network.

        Raises
        ------
        MissingAssetError
            Something has not been fetched yet, or is damaged.
        BadInputError
            The device is not there.
        """
        share_memory()
        model = load_model()
        detector = FaceDetector(detector_path())
        weights, runtime = active_weights(), find_runtime(device)
        engine = load_engine(model, runtime, weights)
        give_back_memory()
        return cls(model, detector, engine, network_digest(weights, model), runtime)

    @cached_property
    def head_maker(self) -> HeadMaker:
        """Makes whole heads of faces.

        Raises
        ------
        MissingAssetError
            What it needs has not been fetched, is damaged, or of another version.
        """
        from backend.head.dressed import HeadMaker

        return HeadMaker.load(self.model)

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self._engine.device

    def faces_from_image(
        self,
        image: Image,
        *,
        which: Which = "all",
        texture_size: int | None = 1024,
        texture_mode: TextureMode = DEFAULT_TEXTURE_MODE,
        progress: Progress = no_progress,
    ) -> list[Face]:
        """Reconstruct the faces of a photo, left to right.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        which
            All faces, or the largest only.
        texture_size
            Side of the textures; None makes none.
        texture_mode
            How they are made.
        progress
            Called with the share that is done and the name of the stage; may raise
            `CancelledError` to stop the work.

        Raises
        ------
        NoFaceError
            There is no face.
        """
        progress(0.0, "looking for faces")
        detections = self.detector.detect(image)
        if not detections:
            raise NoFaceError(
                "No face was found in the picture.",
                LOOKED_FOR,
            )
        if which == "largest":
            detections = [max(detections, key=lambda d: d.roi_box.side)]
        progress(0.2, "reading the face")
        faces = self.regress(image, [d.roi_box for d in detections])
        if texture_size is None:
            return faces
        textured = []
        for face, watch in zip(faces, parts(progress, 0.3, 1.0, len(faces)), strict=True):
            made = self.texture_set(image, face.vertices_image, texture_size, texture_mode, watch)
            textured.append(replace(face, texture=made.albedo))
        progress(1.0, "done")
        return textured

    def live_tracker(self, smoothing: float = 0.0) -> LiveTracker:
        """Tracker of a stream of frames; `smoothing` from 0, raw values, to 1."""
        return LiveTracker(
            self.model, self.quick_engine, self.detector, smoothing, self._mean_points
        )

    def detect(self, image: Image) -> list[Detection]:
        """Faces of a photo, left to right, not yet reconstructed."""
        return self.detector.detect(image)

    def regress(self, image: Image, roi_boxes: list[RoiBox]) -> list[Face]:
        """Reconstruct the faces in given boxes, without texture.

        Faces that were not quite where their boxes said are looked at twice: the second time where
        their landmarks are.
        """
        answers = self._answers(image, roi_boxes)
        again = {
            i: box
            for i, (seen_in, parameters, refined, _) in enumerate(answers)
            if (box := second_look(parameters, refined, seen_in)) is not None
        }
        if again:
            better = self._answers(image, [*again.values()])
            answers = [*(dict(enumerate(answers)) | dict(zip(again, better, strict=True))).values()]
        return [self._face(*answer) for answer in answers]

    def _answers(
        self, image: Image, roi_boxes: list[RoiBox]
    ) -> list[tuple[RoiBox, Float, Float, Float]]:
        """Each box, and parameters, refined and coarse landmarks of the face in it."""
        output = self._engine.run(np.stack([crop(image, box) for box in roi_boxes]))
        return [*zip(roi_boxes, output.parameters, output.refined, output.coarse, strict=True)]

    def landmarks(self, image: Image, roi_boxes: list[RoiBox]) -> Float:
        """(N, 68, 3) refined landmarks of the faces in given boxes, image frame; no mesh is built.

        By one look at each face: `regress` also looks at its mirror image.
        """
        crops = np.stack([crop(image, box) for box in roi_boxes])
        refined = self.quick_engine.run(crops).refined
        return RoiBoxes.of(roi_boxes).to_image(refined)

    def _face(self, seen_in: RoiBox, parameters: Float, refined: Float, coarse: Float) -> Face:
        upright, roi_box = FaceParameters(parameters).upright(seen_in), seen_in.upright
        neutral = self.model.vertices(upright.alpha_shape)
        head = self.model.expressed(neutral, upright.alpha_exp)
        return Face(
            roi_box=roi_box,
            parameters=upright.numbers,
            landmarks=seen_in.to_image(refined),
            landmarks_coarse=seen_in.to_image(coarse),
            pose=upright.pose_in_image(roi_box),
            vertices_image=upright.to_image(head, roi_box),
            neutral=neutral,
            head=head,
            expression=upright.alpha_exp / self.model.expression_sigma,
            texture=None,
        )

    def texture_set(
        self,
        image: Image,
        vertices_image: Float,
        size: int,
        mode: TextureMode = DEFAULT_TEXTURE_MODE,
        progress: Progress = no_progress,
    ) -> TextureSet:
        """Texture of a head whose place in a photo is known.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        vertices_image
            (V, 3) in the image frame.
        progress
            As for `faces_from_image`.

        Raises
        ------
        MissingAssetError
            The mode needs the texture network, and its weights are absent or damaged.
        """
        baker = self.baker(size, mode, part(progress, 0.0, PREPARED))
        pictures = [PosedPicture(image, vertices_image)]
        return baker.texture_set(pictures, mode, part(progress, PREPARED, 1.0))

    def baker(self, size: int, mode: TextureMode, progress: Progress = no_progress) -> TextureBaker:
        """Maker of textures of a size, with the texture network if the mode needs it.

        Parameters
        ----------
        progress
            As for `faces_from_image`.

        Raises
        ------
        MissingAssetError
            The network's weights are absent or damaged.
        """
        baker, self._baker = self._baker, None
        if baker is None or baker.chart.size != size:
            # The former goes before the next is made: a chart of 2048 texels takes 200 MB.
            del baker
            progress(0.0, "preparing the texture")
            baker = TextureBaker.load(self.model, size)
        if FILLS[mode].by_network and baker.generator is None:
            progress(0.6, "loading the texture network")
            baker = replace(baker, generator=self._generator)
            give_back_memory()
        self._baker = baker
        return baker

    def texture_from_parameters(
        self,
        image: Image,
        parameters: Float,
        roi_box: RoiBox,
        size: int,
        mode: TextureMode,
        progress: Progress = no_progress,
    ) -> TextureSet:
        """Texture of a face that was reconstructed before, without looking for it again.

        Parameters
        ----------
        parameters
            (62,) in the crop frame of `roi_box`, as `Face.parameters`.
        progress
            As for `faces_from_image`.

        Raises
        ------
        BadInputError
            The head that they describe is not in the picture.
        """
        # Any numbers may come, those that overflow too.
        with np.errstate(over="ignore", invalid="ignore"):
            vertices = FaceParameters(parameters).vertices_image(self.model, roi_box)
        if not _in_picture(vertices, image):
            raise BadInputError(
                "The head that the parameters describe is not in the photo.",
                "Give the parameters and the roi_box that were found in this photo.",
                code="bad-parameters",
            )
        return self.texture_set(image, vertices, size, mode, progress)

    @cached_property
    def expressions(self) -> ExpressionBasis | None:
        """The 52 keys, or None if they are not on this computer."""
        try:
            return load_basis()
        except MissingAssetError:
            return None

    @cached_property
    def _mean_points(self) -> KeyedPoints | None:
        if self.expressions is None:
            return None
        return KeyedPoints.of_person(self.model, self.expressions, np.zeros(N_SHAPE, np.float32))

    @cached_property
    def _generator(self) -> TextureGenerator:
        from backend.texture.generator import load_texture_generator

        return load_texture_generator(self._runtime)


def _in_picture(vertices_image: Float, image: Image) -> bool:
    """Whether a head is at least a pixel large, no giant, and partly inside of the picture."""
    if not np.isfinite(vertices_image).all():
        return False
    low, high = vertices_image[:, :2].min(axis=0), vertices_image[:, :2].max(axis=0)
    size = np.array(image.shape[1::-1])
    extent = float((high - low).max())
    return bool(1 <= extent <= GIANT * size.max() and (low < size).all() and (high > 0).all())
