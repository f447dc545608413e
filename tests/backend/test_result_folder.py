"""Results take the place of an earlier run's of the same source, and of nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backend.errors import BadInputError
from backend.output.result_folder import ResultFolder, sweep
from backend.output.result_places import result_folders, shared_folder
from backend.output.result_record import Source

ENDINGS = ("albedo.png",)


def photo(path: Path, content: str = "a picture") -> Source:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return Source.of(path)


def fill(folder: ResultFolder, **files: str) -> list[str]:
    """One run; returns what it tells. Names have __ for /, and text that tells the files apart."""
    told: list[str] = []
    with folder.claimed(), folder.filled(told.append) as staged:
        for name, content in files.items():
            path = staged / name.replace("__", "/").replace("_png", ".png")
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
    return told


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def folder(tmp_path: Path, out: Path) -> ResultFolder:
    return result_folders(out, [photo(tmp_path / "me.jpg")])[0]


def test_nothing_of_an_earlier_run_stays(folder: ResultFolder) -> None:
    fill(folder, face_0__head_png="two", face_1__head_png="two")
    assert fill(folder, head_png="one") == []
    assert content(folder.home) == {"head.png": "one"}
    assert not (folder.home / "face_0").exists()
    fill(folder, face_0__head_png="again")
    assert content(folder.home) == {"face_0/head.png": "again"}


def test_what_somebody_has_changed_or_added_stays(folder: ResultFolder) -> None:
    fill(folder, face_0__texture_png="made", face_1__texture_png="made", head_png="made")
    (folder.home / "face_0" / "texture.png").write_text("painted")
    (folder.home / "face_1" / "texture.png").write_text("painted")
    (folder.home / "face_1" / "notes.txt").write_text("mine")
    (told,) = fill(folder, face_0__texture_png="new")
    assert "texture-2.png" in told
    assert content(folder.home) == {
        "face_0/texture.png": "new",
        "face_0/texture-2.png": "painted",
        "face_1/texture.png": "painted",
        "face_1/notes.txt": "mine",
    }


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_what_is_in_the_way_is_not_followed(folder: ResultFolder, tmp_path: Path) -> None:
    fill(folder, other_png="made")
    (tmp_path / "elsewhere").mkdir()
    (folder.home / "face_0").symlink_to(tmp_path / "elsewhere")
    (folder.home / "face_1").write_text("a file")
    assert len(fill(folder, face_0__head_png="new", face_1__head_png="new")) == 2
    assert content(tmp_path / "elsewhere") == {}
    assert content(folder.home) == {
        "face_0/head.png": "new", "face_1/head.png": "new", "face_1-2": "a file",
    }  # fmt: skip


def test_sources_of_one_name_have_folders_of_their_own(tmp_path: Path, out: Path) -> None:
    sources = [photo(tmp_path / where / "me.jpg", where) for where in "abc"]
    homes = []
    for source in sources:
        (folder,) = result_folders(out, [source])
        fill(folder, head_png=source.identity)
        homes.append(folder.home.name)
    assert homes == ["me", "me.jpg", "me-2"]
    again = result_folders(out, sources[::-1])[::-1]
    assert [folder.home.name for folder in again] == homes
    assert [content(folder.home)["head.png"] for folder in again] == [s.identity for s in sources]


def test_a_new_file_does_not_move_the_others(tmp_path: Path, out: Path) -> None:
    first = photo(tmp_path / "a.jpg", "first")
    fill(result_folders(out, [first])[0], head_png="made")
    second = photo(tmp_path / "a.png", "second")
    assert [f.home.name for f in result_folders(out, [first, second])] == ["a", "a.png"]


def test_a_photo_that_was_moved_is_still_the_same(
    folder: ResultFolder, tmp_path: Path, out: Path
) -> None:
    fill(folder, head_png="made")
    (tmp_path / "there").mkdir()
    moved = Path(folder.source.identity).rename(tmp_path / "there" / "me.jpg")
    assert result_folders(out, [Source.of(moved)])[0].home == folder.home
    moved.write_text("another picture")
    assert result_folders(out, [Source.of(moved)])[0].home.name == "me.jpg"


@pytest.mark.parametrize("kind", ["file", "full", "empty", "link"])
def test_folders_of_others_are_left_alone(kind: str, tmp_path: Path, out: Path) -> None:
    out.mkdir()
    if kind == "file":
        (out / "me").write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        (out / "me").symlink_to(tmp_path / "elsewhere")
    else:
        (out / "me").mkdir()
    if kind == "full":
        (out / "me" / "texture.png").write_text("mine")
    before = content(out)
    (folder,) = result_folders(out, [photo(tmp_path / "me.jpg")])
    assert folder.home.name == ("me" if kind == "empty" else "me.jpg")
    fill(folder, texture_png="made")
    assert before.items() <= content(out).items()
    assert folder.home.joinpath("texture.png").read_text() == "made"


def test_a_run_that_fails_leaves_nothing(folder: ResultFolder, out: Path) -> None:
    with pytest.raises(BadInputError), folder.claimed(), folder.filled(print) as staged:
        (staged / "head.png").write_text("half")
        raise BadInputError("no face")
    assert not out.exists()


def test_a_run_that_fails_keeps_what_was(folder: ResultFolder) -> None:
    fill(folder, head_png="made")
    with pytest.raises(BadInputError), folder.claimed(), folder.filled(print) as staged:
        (staged / "head.png").write_text("half")
        raise BadInputError("no face")
    assert content(folder.home) == {"head.png": "made"}
    assert fill(folder, head_png="new") == [] and content(folder.home) == {"head.png": "new"}


def test_two_runs_do_not_take_the_same_folder(tmp_path: Path, out: Path) -> None:
    (one,) = result_folders(out, [photo(tmp_path / "a" / "me.jpg", "a")])
    (other,) = result_folders(out, [photo(tmp_path / "b" / "me.jpg", "b")])
    with one.claimed():
        with pytest.raises(BadInputError, match="contains something other"), other.claimed():
            pass
        (free,) = result_folders(out, [other.source])
        assert free.home.name == "me.jpg"


def test_a_run_that_is_killed_in_the_middle_of_its_files_is_known_again(
    folder: ResultFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, a_png="old", b_png="old", c_png="old")
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == "b.png":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        fill(folder, a_png="new", b_png="new")
    monkeypatch.undo()
    assert content(folder.home) == {"a.png": "new", "b.png": "old", "c.png": "old"}
    assert fill(folder, b_png="newest") == []
    assert content(folder.home) == {"b.png": "newest"}


def test_results_that_share_a_folder(tmp_path: Path, out: Path) -> None:
    out.mkdir()
    (out / "me_albedo.png").write_text("mine")
    (out / "me_notes.txt").write_text("mine")
    folder = shared_folder(out, photo(tmp_path / "me.jpg"), ENDINGS)
    assert folder.prefix == "me.jpg_"
    other = shared_folder(out, photo(tmp_path / "...jpg"), ENDINGS)
    assert other.prefix == "jpg_" and other.home == out
    with other.claimed(), other.filled(print) as staged:
        (staged / "jpg_0_albedo.png").write_text("made")
        (staged / "jpg_1_albedo.png").write_text("made")
    again = shared_folder(out, other.source, ENDINGS)
    assert again.prefix == "jpg_"
    with again.claimed(), again.filled(print) as staged:
        (staged / "jpg_albedo.png").write_text("new")
    shown = {name: text for name, text in content(out).items() if not name.startswith(".")}
    assert shown == {
        "me_albedo.png": "mine", "me_notes.txt": "mine", "jpg_albedo.png": "new",
    }  # fmt: skip


def test_what_killed_runs_leave_is_swept_after_a_day(out: Path) -> None:
    old = time.time() - 2 * 24 * 3600
    for name in (".synergyface-ab12_cd9", ".synergyface-ab12_cd8", ".synergyface-mine", "wedding"):
        (out / name).mkdir(parents=True)
        (out / name / "head.glb").write_text("head")
    for name in (".synergyface-ab12_cd9", ".synergyface-mine", "wedding"):
        os.utime(out / name, (old, old))
    sweep(out)
    kept = {".synergyface-ab12_cd8", ".synergyface-mine", "wedding"}
    assert {path.name for path in out.iterdir()} == kept
