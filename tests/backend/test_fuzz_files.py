"""Files that people bring along, damaged: read or refused with a reason, nothing else."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from backend.asset_import import import_asset
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.pickled_arrays import read_pickled_array, read_pickled_arrays
from backend.morphable_model.synergynet_folder import read_synergynet_folder
from backend.server.frame_image import frame_image
from tests.backend.fuzz import damaged, fuzz
from tests.backend.icc_profiles import DISPLAY_P3, gamma, printer, screen
from tests.backend.in_process import decoded, decoded_frame


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    gradient(mode).save(file, kind, **options)
    return file.getvalue()


def sideways() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("JPEG", exif=exif)


PHOTOS = [
    saved("JPEG"),
    saved("JPEG", "CMYK"),
    saved("JPEG", progressive=True),
    sideways(),
    saved("JPEG", icc_profile=screen(DISPLAY_P3, gamma(2.2))),
    saved("JPEG", "CMYK", icc_profile=printer((180, 140, 140))),
    saved("PNG"),
    saved("PNG", "RGBA"),
    saved("PNG", "I;16"),
    saved("PNG", "P"),
    saved("WEBP"),
    saved("WEBP", lossless=True),
    saved("TIFF"),
    saved("TIFF", compression="tiff_lzw"),
    saved("BMP"),
    saved("GIF", save_all=True, append_images=[gradient(), gradient("L")]),
    saved("PPM"),
    saved("JPEG2000"),
    saved("AVIF"),
]


@pytest.mark.filterwarnings("ignore")
def test_photos() -> None:
    def check(data: bytes) -> None:
        try:
            image = decoded(data)
        except BadInputError as error:
            assert error.problem and error.remedy
            return
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3

    assert fuzz(damaged(PHOTOS), check, 0.15) > 10


@pytest.mark.filterwarnings("ignore")
def test_frames_of_a_stream() -> None:
    def check(example: tuple[bytes, tuple[int, int] | None]) -> None:
        data, size = example
        try:
            image = decoded_frame(data) if size is None else frame_image(data, size)
        except BadInputError as error:
            assert error.problem and error.remedy
            return
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3

    sides = st.integers(-1, 40) | st.sampled_from((2**16, 2**31, 2**63))
    sizes = st.none() | st.tuples(sides, sides)
    photos = [photo for photo in PHOTOS if photo.startswith((b"\xff\xd8", b"\x89PNG"))]
    assert fuzz(st.tuples(damaged(photos), sizes), check, 0.05) > 10


WHITENING = {"param_mean": np.arange(62, dtype=np.float32), "param_std": np.ones(62)}
PICKLES = [
    pickle.dumps(value, protocol)
    for value in (WHITENING, np.eye(3))
    for protocol in range(pickle.HIGHEST_PROTOCOL)
]


def test_pickles() -> None:
    """Beside what the reader may say, the types of NumPy itself must stay what they are."""

    def check(data: bytes) -> None:
        for read in (
            lambda: read_pickled_arrays(data, "file").values(),
            lambda: [read_pickled_array(data, "file", 2**20)],
        ):
            try:
                arrays = read()
            except BadInputError:
                continue
            for array in arrays:
                assert array.dtype.kind == "f"
                array.sum()
        assert np.dtype("f8").isnative and np.dtype("f4").itemsize == 4

    assert fuzz(damaged(PICKLES), check, 0.12) > 10


class Called:
    """Pickles as a call of a function of NumPy's, with what it is given afterwards."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self._reduced = (function, arguments, state)

    def __reduce__(self) -> Any:
        return self._reduced


def array_of(shape: tuple[int, ...], data: object, kind: Any = None) -> Called:
    """An array as NumPy pickles it, with the given content."""
    reconstruct, arguments, _ = np.zeros(0).__reduce__()
    kind = np.dtype("f8") if kind is None else kind
    return Called(reconstruct, *arguments, state=(1, shape, kind, False, data))


HOSTILE_PICKLES = {
    "the byte order of float itself is changed": array_of(
        (1,),
        b"\0" * 8,
        Called(np.dtype, "f8", False, False, state=(3, "?", None, None, None, -1, -1, 0)),
    ),
    "a terabyte is asked for": Called(np.ndarray, (2**37,), "f8"),
    "memory that was never written is shown": Called(np.ndarray, (100,), "f8"),
    "a shape larger than its data": array_of((2**40,), b"\0" * 8),
    "a shape that overflows to nothing": array_of((2**32, 2**32), b""),
    "a negative shape": array_of((-1,), b"\0" * 8),
    "data that are no bytes": array_of((1,), [1.0]),
    "objects": array_of((1,), [1.0], np.dtype("O")),
}


@pytest.mark.parametrize("what", HOSTILE_PICKLES)
def test_hostile_pickles(what: str) -> None:
    data = pickle.dumps(HOSTILE_PICKLES[what], 2)
    with pytest.raises(BadInputError):
        read_pickled_array(data, "file", 2**20)
    assert np.dtype("f8").isnative and np.dtype("f8").itemsize == 8


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that nothing good ever comes into."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SYNERGYFACE_DATA", str(folder))
    return folder


def torch_files() -> Iterator[bytes]:
    import torch

    for new_format in (True, False):
        file = io.BytesIO()
        state = {"epoch": 1, "state_dict": {"module.a": torch.zeros(3, 2)}}
        torch.save(state, file, _use_new_zipfile_serialization=new_format)
        yield file.getvalue()


def matlab_file(**options: Any) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {"shapeMU": np.zeros((6, 1)), "texMU": np.zeros((6, 1), np.float32)}, **options)
    return file.getvalue()


def safetensors_file() -> bytes:
    from dataclasses import asdict

    from safetensors.numpy import save

    from backend.synergynet.architecture import Architecture
    from backend.synergynet.weights import ARCHITECTURE_KEY

    metadata = {ARCHITECTURE_KEY: json.dumps(asdict(Architecture()))}
    return save({"backbone.x": np.zeros((2, 3), np.float16)}, metadata=metadata)


def test_imports(data: Path, tmp_path: Path) -> None:
    """Checkpoints, weights and Matlab files by the one door that they come in at."""
    originals = [
        *torch_files(),
        safetensors_file(),
        matlab_file(),
        matlab_file(do_compression=True),
    ]
    path = tmp_path / "file"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            import_asset(path)
        except (BadInputError, MissingAssetError) as error:
            assert error.problem
        else:
            raise AssertionError("a damaged file was imported")

    assert fuzz(damaged(originals), check, 0.1) > 10
    assert not data.exists()


def test_matlab_files(tmp_path: Path) -> None:
    """Without the model the door above is shut before the Matlab file is read."""
    from backend.morphable_model.bfm2009 import _read

    path = tmp_path / "01_MorphableModel.mat"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(BadInputError):
            _read(path)

    assert fuzz(damaged([matlab_file(), matlab_file(do_compression=True)]), check, 0.1) > 10


def test_folders_of_arrays(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.zeros((5, 4), np.float32))
    (tmp_path / "param_whitening.pkl").write_bytes(pickle.dumps(WHITENING))

    def check(content: bytes) -> None:
        (tmp_path / "u_shp.npy").write_bytes(content)
        with pytest.raises(BadInputError):
            read_synergynet_folder(tmp_path)

    assert fuzz(damaged([file.getvalue()]), check, 0.05) > 10


@pytest.mark.parametrize("number", [2**28, 2**31])
def test_a_pickle_cannot_ask_for_a_large_memo(number: int) -> None:
    """Python's unpickler would make room for all numbers up to the one that is remembered."""
    data = b"\x80\x02}r" + number.to_bytes(4, "little") + b"."
    with pytest.raises(BadInputError, match="memo"):
        read_pickled_arrays(data, "file")
