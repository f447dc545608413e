"""`synergyface video`, as a person at the keyboard meets it."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage import data

from backend.cli import main
from backend.pipeline import FaceReconstructor
from backend.vision.clip import Range
from backend.vision.film_colors import BT_709
from backend.vision.opening import open_clip
from tests.clips import grey_steps, sound_only, steady, write_clip
from tests.peak_memory import needs_peak, run_alone

COUNT = 6
# With the texture, which takes the most of it.
MAX_MEMORY = 700_000_000
RUN = "import sys; from backend.cli import main; assert main(sys.argv[1:]) == 0"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photo = np.asarray(data.astronaut()[:256, 80:400], np.uint8)
    pictures = [np.roll(photo, 2 * i, axis=1) for i in range(COUNT)]
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", pictures, steady(COUNT))


def video(*arguments: object) -> int:
    options = ("--texture-size", "512", "--texture-mode", "photo", "--device", "cpu")
    return main(["video", *map(str, arguments), *options])


def test_it_writes_what_it_promises(
    film: Path, reconstructor: FaceReconstructor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlay.mp4"
    assert video(film, "-o", tmp_path, "--preview", overlay, "--json", "--smooth", 0.3) == 0
    result = json.loads(capsys.readouterr().out)
    (face,) = result["faces"]
    assert (result["frames"], face["frames"]) == (COUNT, COUNT)
    folder = tmp_path / "film" / "face_0"
    names = {path.name for path in folder.iterdir()}
    assert names == {"track.npz", "track.json", "track.csv", "head.glb", "texture.png"}
    assert json.loads((folder / "track.json").read_text())["smoothing"]["rotation"] == 0.3
    # What was kept for the case of an interruption is gone, and nothing half-written stays.
    assert [path.name for path in (tmp_path / "film").iterdir()] == ["face_0"]
    originals = list(open_clip(film).frames(Range()))
    drawn = list(open_clip(overlay).frames(Range()))
    assert [frame.time for frame in drawn] == pytest.approx([f.time for f in originals], abs=1e-4)
    with av.open(str(overlay)) as container:
        assert container.streams.video[0].codec_context.colorspace == BT_709
    apart = np.abs(drawn[2].image.astype(int) - originals[2].image).mean(axis=2)
    # Her nose is under the mesh, the flag behind her is not.
    assert apart[120:135, 140:155].mean() > 10
    assert apart[20:60, 280:310].mean() < 6


@needs_peak
def test_memory_is_bounded(
    reconstructor: FaceReconstructor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A clip in 720p with everything that is asked for by default."""
    folder = tmp_path_factory.mktemp("large")
    frame = np.full((720, 1280, 3), 110, np.uint8)
    frame[:, 280:1000] = cv2.resize(np.asarray(data.astronaut())[:360, 50:410], (720, 720))
    pictures = [np.roll(frame, 3 * i, axis=1) for i in range(30)]
    clip = write_clip(folder / "large.mp4", pictures, steady(30))
    _, peak = run_alone(RUN, "video", clip, "-o", folder, "--device", "cpu")
    assert (folder / "large" / "face_0" / "texture.png").is_file()
    assert peak < MAX_MEMORY


def test_formats_are_chosen(
    film: Path, reconstructor: FaceReconstructor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["video", str(film), "-o", str(tmp_path), "--format", "csv", "--texture-size", "0",
                 "--end", "0.1", "--device", "cpu"]) == 0  # fmt: skip
    assert capsys.readouterr().out.split() == [str(tmp_path / "film" / "face_0")]
    assert [path.name for path in (tmp_path / "film" / "face_0").iterdir()] == ["track.csv"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--start", "3", "--end", "2"], "empty"),
        (["--start", "100"], "no frames"),
        (["--fps", "25"], "own frame times"),
        (["--smooth", "2"], "not from 0 to 1"),
        (["--smooth", "0.1", "0.2"], "2 numbers"),
    ],
)
def test_bad_options_are_refused(
    film: Path,
    reconstructor: FaceReconstructor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    assert video(film, "-o", tmp_path / "out", *arguments) == 2
    message = capsys.readouterr().err
    assert problem in message
    assert "Traceback" not in message
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize("kind", ["missing", "sound", "nobody"])
def test_bad_clips_are_refused(
    tmp_path: Path, reconstructor: FaceReconstructor, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = tmp_path / "clip.mp4"
    if kind == "sound":
        path = sound_only(tmp_path / "clip.m4a")
    if kind == "nobody":
        write_clip(path, grey_steps(3), steady(3))
    assert video(path, "-o", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert message.rstrip().endswith(".")
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    film: Path, reconstructor: FaceReconstructor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files may not grow beyond 4 kB, which fails in the middle of the arrays, as a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, hard))
    try:
        code = video(film, "-o", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2
    assert "Cannot write" in capsys.readouterr().err
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
