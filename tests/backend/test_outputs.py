"""What commands write on disk, with faces that nobody has to look for."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from backend import clip_pipeline
from backend.cli import main
from backend.data_folder import atomic_path
from backend.output import clips, faces
from backend.output.film_file import ENCODINGS, written_film
from backend.pipeline import FaceReconstructor
from backend.tracking.track import TrackedClip
from backend.vision.clip import ClipInfo, Range
from backend.vision.opening import open_clip
from tests.clips import grey_steps, steady, write_clip

Files = dict[str, bytes]


def files(folder: Path) -> Files:
    """Everything in a folder but records."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def heads(folder: Path) -> list[str]:
    return sorted(name for name in files(folder) if name.endswith("head.glb"))


class FakeReconstructor:
    """Finds as many faces in a photo as the value of its first pixel says."""

    model = None
    head_maker = None

    def faces_from_image(self, image: np.ndarray, **_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(image=image, vertices_image=None, remark="")] * int(image[0, 0, 0])

    def texture_set(self, image: np.ndarray, *_: object) -> SimpleNamespace:
        return SimpleNamespace(albedo=image, visibility=image, template=image, remark="")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No networks: each head's file holds the brightness of its photo."""

    def write_face(directory: Path, face: Any, *more: Any) -> dict[str, Any]:
        with atomic_path(directory / "head.glb") as path:
            path.write_bytes(bytes([face.image[-1, -1, 0]]))
        _, _, _, shown, _ = more
        return {"directory": str(shown or directory)}

    def track(request: Any, *_: Any, **__: Any) -> TrackedClip:
        info = ClipInfo(96, 64, 25.0, str(request.source))
        return TrackedClip(info, np.zeros(1), np.zeros(1, np.int64), (), 0, 0)

    def write_clip(home: Path, clip: Any, *_: Any, shown: Path | None = None) -> list[Any]:
        with atomic_path(home / "face_0" / "head.glb") as path:
            path.write_bytes(clip.info.source.encode(errors="surrogateescape"))
        return [{"directory": str((shown or home) / "face_0")}]

    monkeypatch.setattr(FaceReconstructor, "load", lambda *_: FakeReconstructor())
    monkeypatch.setattr(faces, "write_face", write_face)
    monkeypatch.setattr(clips, "write_clip", write_clip)
    monkeypatch.setattr(clip_pipeline, "track_from_video", track)


def photo(path: Path, count: int = 1, brightness: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((16, 16, 3), brightness, np.uint8)
    image[0, 0] = count
    Image.fromarray(image).save(path, "PNG")
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    return write_clip(tmp_path / "films" / "talk.mp4", grey_steps(3), steady(3))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


class TestPhotos:
    def test_results_stay_in_their_folder(self, tmp_path: Path) -> None:
        out = tmp_path / "there" / "out"
        names = ("...jpg", "....", "con.jpg", "a.jpg", "a.png", "a.jpg.webp", "M\udcfcller.jpg")
        for brightness, name in enumerate(names):
            path = photo(tmp_path / "in" / name, brightness=brightness)
            assert run("face", path, "-o", out) == 0
        assert [path.name for path in out.parent.iterdir()] == ["out"]
        assert len(heads(out)) == len(set(files(out).values())) == len(names)

    def test_fewer_faces_leave_none_of_the_earlier(self, tmp_path: Path) -> None:
        path, out = photo(tmp_path / "us.png", count=2), tmp_path / "out"
        assert run("face", path, "-o", out) == 0
        assert heads(out) == ["us/face_0/head.glb", "us/face_1/head.glb"]
        photo(path, count=1)
        assert run("face", path, "-o", out) == 0
        assert heads(out) == ["us/head.glb"] and not (out / "us" / "face_0").exists()

    def test_a_folder_of_the_user_s_keeps_its_files(self, tmp_path: Path) -> None:
        path, out = photo(tmp_path / "me.png"), tmp_path / "out"
        (out / "me").mkdir(parents=True)
        (out / "me" / "head.glb").write_bytes(b"mine")
        assert run("face", path, "-o", out) == 0
        assert files(out) == {"me/head.glb": b"mine", "me.png/head.glb": b"\0"}

    def test_a_live_photo_has_two_folders(self, tmp_path: Path, film: Path) -> None:
        live = film.rename(film.with_name("IMG_1.MOV"))
        still, out = photo(film.with_name("IMG_1.JPG"), count=2), tmp_path / "out"
        assert run("face", still, "-o", out) == run("video", live, "-o", out) == 0
        names = ["IMG_1.MOV/face_0/head.glb", "IMG_1/face_0/head.glb", "IMG_1/face_1/head.glb"]
        assert heads(out) == names

    @pytest.mark.parametrize("argument", ["-", "/dev/stdin"])
    def test_standard_input(
        self,
        argument: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out"
        for brightness in (1, 2, 1):
            content = photo(tmp_path / "x.png", brightness=brightness).read_bytes()
            stream = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
            monkeypatch.setattr(sys, "stdin", stream)
            assert run("face", argument, "-o", out) == 0
        told = capsys.readouterr().out.split()
        assert told == [str(out / name) for name in ("stdin", "stdin-2", "stdin")]
        assert files(out) == {"stdin/head.glb": b"\1", "stdin-2/head.glb": b"\2"}

    def test_a_keyboard_is_no_photo(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        assert run("face", "-", "-o", tmp_path / "out") == 2
        assert "keyboard" in capsys.readouterr().err

    def test_textures_share_a_folder(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "me.png", count=2)
        (tmp_path / "me_albedo.png").write_bytes(b"mine")
        assert run("texture", path, "-o", tmp_path, "--which", "all") == 0
        assert run("texture", path, "-o", tmp_path) == 0
        photo(path)
        assert run("texture", path, "-o", tmp_path) == 0
        made = {f"me.png_{part}.png" for part in ("albedo", "visibility", "template")}
        assert set(files(tmp_path)) == {"me.png", "me_albedo.png", *made}
        assert (tmp_path / "me_albedo.png").read_bytes() == b"mine"


class TestFilms:
    @pytest.mark.parametrize("way", ["itself", "link", "hard link", "spelling"])
    def test_a_preview_is_never_the_film(
        self, way: str, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        named = tmp_path / "overlay.mp4"
        if way == "link":
            named.symlink_to(film)
        elif way == "hard link":
            named.hardlink_to(film)
        else:
            named = film if way == "itself" else film.parent / ".." / "films" / film.name
        before = files(tmp_path)
        assert run("video", film, "-o", tmp_path / "out", "--preview", named) == 2
        assert "would replace it" in capsys.readouterr().err
        assert files(tmp_path) == before

    def test_a_preview_is_no_picture_of_the_film(self, tmp_path: Path) -> None:
        for number in range(2):
            photo(tmp_path / "shots" / f"{number}.png")
        before = files(tmp_path)
        for name in ("overlay.gif", "0.png"):
            overlay = tmp_path / "shots" / name
            arguments = ("--fps", 25, "-o", tmp_path / "out", "--preview", overlay)
            assert run("video", tmp_path / "shots", *arguments) == 2
        assert files(tmp_path) == before

    @pytest.mark.parametrize("name", ["overlay.txt", "overlay", "films", "talk.mp4/overlay.mp4"])
    def test_a_preview_that_cannot_be_is_said_before_the_work(
        self, name: str, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("video", film, "-o", tmp_path / "out", "--preview", film.parent / name) == 2
        message = capsys.readouterr().err
        assert "overlay" in message or "films" in message
        assert "Traceback" not in message and not (tmp_path / "out").exists()

    def test_standard_input(
        self, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = SimpleNamespace(buffer=io.BytesIO(film.read_bytes()), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)
        out = tmp_path / "out"
        assert run("video", "-", "-o", out) == 0
        assert files(out) == {"stdin/face_0/head.glb": b"<standard input>"}
        assert not list(out.glob(".synergyface-*"))

    @pytest.mark.parametrize("suffix", sorted(ENCODINGS))
    def test_films_of_every_kind_can_be_read(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"film{suffix}"
        pictures = [np.full((48, 64, 3), value, np.uint8) for value in (40, 90, 140, 190)]
        times = (0.0, 0.04, 0.12, 0.2)
        with written_film(path, (64, 48), 25.0) as write:
            for picture, time in zip(pictures, times, strict=True):
                write(picture, time)
        back = list(open_clip(path).frames(Range()))
        assert [frame.time for frame in back] == pytest.approx(times, abs=0.002)
        for frame, picture in zip(back, pictures, strict=True):
            assert np.abs(frame.image.astype(int) - picture).mean() < 6

    def test_a_gif_is_small_and_no_faster_than_browsers(self, tmp_path: Path) -> None:
        path = tmp_path / "film.gif"
        with written_film(path, (1280, 720), 60.0) as write:
            for number in range(12):
                write(np.full((720, 1280, 3), 20 * number, np.uint8), number / 60)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (640, 360)
            times = [float(frame.time or 0) for frame in container.decode(stream)]
        assert np.diff(times).min() > 0.025


class TestBatch:
    @pytest.fixture
    def batch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
        """A batch in this process."""

        def in_process(items: Sequence[Any], work: Callable[[Any], Any], jobs: int) -> Any:
            yield from map(work, items)

        monkeypatch.setattr("backend.batch.processes.run_in_processes", in_process)
        return lambda *more: run("batch", tmp_path / "in", tmp_path / "out", *more)

    @pytest.fixture
    def rows(self, tmp_path: Path) -> Callable[[], dict[str, dict[str, str]]]:
        """The table."""

        def read() -> dict[str, dict[str, str]]:
            with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as file:
                return {row["file"].rpartition("/")[2]: row for row in csv.DictReader(file)}

        return read

    def test_every_file_is_in_the_table(
        self, batch: Callable[..., int], rows: Callable[[], Any], tmp_path: Path, film: Path
    ) -> None:
        folder = tmp_path / "in"
        for name in ("a.png", "b.jfif", "results.csv.jpg", "M\udcfcller.png"):
            photo(folder / name)
        for name in ("bad.heic", "bad.nef", "notes.txt", "Thumbs.db", ".hidden"):
            (folder / name).write_bytes(b"no photo")
        film.rename(folder / "tv.ts")
        (folder / "lost.jpg").symlink_to(tmp_path / "broken link")
        (folder / "inner").mkdir()
        assert batch() == 2
        table = rows()
        assert {name: row["state"] for name, row in table.items()} == {
            ".hidden": "skipped", "M\\udcfcller.png": "done", "Thumbs.db": "skipped",
            "a.png": "done", "b.jfif": "done", "bad.heic": "failed", "bad.nef": "failed",
            "lost.jpg": "skipped", "notes.txt": "skipped", "results.csv.jpg": "done",
            "tv.ts": "done",
        }  # fmt: skip
        for row in table.values():
            assert bool(row["problem"]) == (row["state"] in ("failed", "skipped")), row
        assert "broken link" in table["lost.jpg"]["problem"]

    def test_each_has_a_folder_and_is_done_once(
        self, batch: Callable[..., int], rows: Callable[[], Any], tmp_path: Path
    ) -> None:
        names = ("a.jpg", "a.png", "a.jpg.webp", "...jpg", "A.JPG.webp")
        for brightness, name in enumerate(names):
            photo(tmp_path / "in" / name, brightness=brightness)
        assert batch() == 0
        out = tmp_path / "out"
        assert sorted(data for name, data in files(out).items() if name.endswith("glb")) == [
            bytes([value]) for value in range(len(names))
        ]
        assert all(Path(row["folder"]).parent == out for row in rows().values())
        photo(tmp_path / "in" / "a.gif")
        assert batch() == 0
        states = {name: row["state"] for name, row in rows().items()}
        assert states == {**dict.fromkeys(names, "kept"), "a.gif": "done"}

    @pytest.mark.parametrize("way", ["itself", "link"])
    def test_results_do_not_go_among_the_photos(
        self, way: str, tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        photo(film.with_suffix(".jpg"))
        out = film.parent
        if way == "link":
            out = tmp_path / "link"
            out.symlink_to(film.parent)
        before = files(tmp_path)
        assert run("batch", film.parent, out) == 2
        assert "Name another folder" in capsys.readouterr().err
        assert files(tmp_path) == before

    @pytest.mark.parametrize("mine", ["name,phone\r\n", "", None])
    def test_a_table_of_the_user_s_is_kept(
        self,
        mine: str | None,
        batch: Callable[..., int],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        photo(tmp_path / "in" / "a.png")
        table = tmp_path / "out" / "results.csv"
        table.parent.mkdir()
        if mine is None:
            table.mkdir()
        else:
            table.write_text(mine)
        before = files(tmp_path)
        assert batch() == 2
        assert "results.csv was not made by a batch" in capsys.readouterr().err
        assert files(tmp_path) == before

    def test_an_output_that_is_a_loop_of_links(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        photo(tmp_path / "in" / "a.png")
        (tmp_path / "loop").symlink_to("loop")
        assert run("batch", tmp_path / "in", tmp_path / "loop") == 2
        assert "symbolic links" in capsys.readouterr().err

    def test_what_was_changed_by_hand_is_told(
        self, batch: Callable[..., int], rows: Callable[[], Any], tmp_path: Path
    ) -> None:
        photo(tmp_path / "in" / "a.png")
        assert batch() == 0
        (tmp_path / "out" / "a" / "head.glb").write_bytes(b"mine")
        assert batch("--texture-size", "512") == 0
        assert (tmp_path / "out" / "a" / "head-2.glb").read_bytes() == b"mine"
        assert "head-2.glb" in rows()["a.png"]["problem"] and rows()["a.png"]["state"] == "done"


def test_the_sample_does_not_replace_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = np.full((16, 16, 3), 1, np.uint8)
    monkeypatch.setattr("backend.commands.demo.sample_image", lambda: sample)
    photo(tmp_path / "astronaut.png", brightness=9)
    before = (tmp_path / "astronaut.png").read_bytes()
    for _ in range(2):
        assert run("demo", "-o", tmp_path) == 0
        assert "astronaut-2" in capsys.readouterr().out
    assert (tmp_path / "astronaut.png").read_bytes() == before
    assert heads(tmp_path) == ["astronaut-2/head.glb"]


def test_json_names_the_final_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = photo(tmp_path / "us.png", count=2)
    assert run("face", path, "-o", tmp_path / "out", "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)
    homes = [face["directory"] for face in result["faces"]]
    assert homes == [str(tmp_path / "out" / "us" / f"face_{number}") for number in range(2)]
    assert result["source"] == str(path)
