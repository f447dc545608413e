"""The command line: what bad input and missing parts look like to the person at the keyboard."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.data_folder import ENVIRONMENT_VARIABLE, data_folder
from backend.morphable_model.model import MorphableModel
from tests.slowness import slowness


def png_of(width: int, height: int) -> bytes:
    """A PNG header that claims a size, with hardly any data behind it: a decompression bomb."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def jpeg() -> bytes:
    gradient = np.add.outer(np.arange(300), np.arange(300)) % 256
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(gradient[:, :, None], 3, 2).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


BAD_PHOTOS: dict[str, tuple[bytes | None, str]] = {
    "missing.jpg": (None, "no file"),
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"This is a letter, not a photo.", "not an image"),
    "truncated.jpg": (jpeg()[:2000], "damaged or incomplete"),
    "tiny.png": (png_of(1, 1), "1x1"),
    "bomb.png": (png_of(30_000, 30_000), "pixels"),
    "phone.heic": (struct.pack(">I", 24) + b"ftypheic" + bytes(12), "HEIC"),
    "nobody.jpg": (jpeg(), "No face"),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos_are_refused_with_advice(
    name: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    model: MorphableModel,
    detector_file: Path,
) -> None:
    content, problem = BAD_PHOTOS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["face", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 2
    message = capfd.readouterr().err
    assert problem in message
    assert name in message
    assert message.rstrip().endswith(".")
    assert "Traceback" not in message
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_folder_is_no_photo(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], model: MorphableModel, detector_file: Path
) -> None:
    assert main(["face", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "folder" in capfd.readouterr().err


def test_one_bad_photo_does_not_stop_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], model: MorphableModel, detector_file: Path
) -> None:
    from skimage import data

    Image.fromarray(data.astronaut()).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")
    photos = [str(tmp_path / "bad.png"), str(tmp_path / "good.png")]
    assert main(["face", *photos, "-o", str(tmp_path / "out"), "--json"]) == 2
    output = capfd.readouterr()
    (result,) = json.loads(output.out)
    assert result["source"].endswith("good.png")
    assert "bad.png is empty" in output.err
    assert (tmp_path / "out" / "good" / "head.glb").is_file()


def test_photos_of_one_name_are_not_written_over_each_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = [str(tmp_path / "a" / "me.jpg"), str(tmp_path / "b" / "me.jpg")]
    assert main(["face", *photos, "-o", str(tmp_path / "out")]) == 2
    assert "me" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("in the way")
    assert main(["face", "photo.jpg", "-o", str(tmp_path / "out" / "deep")]) == 2
    assert "Cannot write" in capfd.readouterr().err


@pytest.fixture
def broken_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: MorphableModel, detector_file: Path
) -> Callable[[str, Callable[[Path], None]], None]:
    """A copy of the data folder in which one file is broken."""

    def copy(name: str, break_it: Callable[[Path], None]) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        for part in ("bfm.npz", "face_landmarker.task", "centerface.onnx"):
            shutil.copy(data_folder() / part, folder / part)
        break_it(folder / name)
        monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(folder))

    return copy


def remove(path: Path) -> None:
    path.unlink()


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_zeros(path: Path) -> None:
    path.write_bytes(bytes(100))


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["bfm.npz", "face_landmarker.task", "centerface.onnx"])
@pytest.mark.parametrize("break_it", [remove, cut_in_half, flip_a_byte])
def test_missing_or_damaged_data_names_the_command_that_mends_it(
    name: str,
    break_it: Callable[[Path], None],
    broken_data: Callable[[str, Callable[[Path], None]], None],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    broken_data(name, break_it)
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    assert main(["face", str(tmp_path / "photo.jpg"), "-o", str(tmp_path / "out")]) == 2
    message = capfd.readouterr().err
    assert "synergyface assets fetch" in message
    assert "Traceback" not in message


def test_damaged_imported_weights_say_so(
    broken_data: Callable[[str, Callable[[Path], None]], None],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    broken_data("synergynet.safetensors", replace_by_zeros)
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    assert main(["face", str(tmp_path / "photo.jpg"), "-o", str(tmp_path / "out")]) == 2
    message = capfd.readouterr().err
    assert "weights" in message
    assert "damaged" in message


def test_help_is_quick() -> None:
    """At most 0.3 s on an idle computer; the best of several runs, because tests are not idle."""
    command = [sys.executable, "-m", "backend.cli", "--help"]
    assert "face" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) / slowness() < 0.3


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys; from backend.cli import build_parser; build_parser(); "
        "print([m for m in ('torch', 'cv2', 'numpy', 'mediapipe', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_info_counts_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["architecture"]["variant"] == "paper"
    # The paper's backbone with heads has 2.30 M; MAFA with its layers of adaptation 3.20 M.
    parts = described["parameters"]
    assert round((parts["backbone"] + parts["heads"]) / 1e6, 2) == 2.30
    assert round(parts["refinement"] / 1e6, 2) == 3.20
    assert round(parts["landmark_to_3dmm"] / 1e6, 1) == 0.2


@pytest.mark.skipif(os.name == "nt", reason="a read-only folder is a POSIX notion")
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_a_read_only_output_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert main(["face", "photo.jpg", "-o", str(tmp_path / "locked" / "out")]) == 2
    assert "Cannot write" in capfd.readouterr().err
