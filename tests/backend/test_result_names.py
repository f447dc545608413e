"""Names of results: unique and good on every system, whatever the files are called."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.exchange.contract import FILM_SUFFIXES, PHOTO_SUFFIXES, kind_of, result_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["ann.jpg", "talk.mp4"], ["ann", "talk"]),
        (["a.jpg", "a.png", "a.jpg.webp"], ["a.jpg", "a.png", "a.jpg.webp"]),
        (["IMG_1.JPG", "IMG_1.MOV"], ["IMG_1.JPG", "IMG_1.MOV"]),
        (["ME.jpg", "me.png"], ["ME.jpg", "me.png"]),
        # Of one name to a disk that does not tell case, or composed letters, apart.
        (["ME.jpg", "me.JPG"], ["ME.jpg", "me.JPG-2"]),
        (["\u00e9.jpg", "e\u0301.jpg"], ["\u00e9.jpg", "\u00e9.jpg-2"]),
        (["...jpg"], ["jpg"]),
        (["..", ". ."], ["unnamed", "unnamed-2"]),
        (["results.csv.jpg"], ["results.csv.jpg"]),
        (["con.jpg", "com1.tar.gz", "content.jpg"], ["_con", "_com1.tar", "content"]),
        (["12:30?.jpg", "a\\b.jpg", "x\n.jpg"], ["12_30_", "a_b", "x_"]),
        (["M\udcfcller.jpg"], ["M_ller"]),
        (["talk. .jpg", " talk.mov"], ["talk. .jpg", "talk.mov"]),
        (["photo", "photo.jpg"], ["photo", "photo.jpg"]),
    ],
)
def test_examples(files: list[str], names: list[str]) -> None:
    assert result_names(files, taken=["results.csv"]) == names


LETTERS = st.sampled_from("aAbB.. -_1é\u0301ßS:*/\\\x00\udcff%\u0130")
FILES = st.lists(st.text(LETTERS, max_size=9) | st.sampled_from(["nul.jpg", "NUL", "x" * 300]))


@settings(max_examples=300, deadline=None)
@given(FILES)
def test_any_files(files: list[str]) -> None:
    names = result_names(files, taken=["Taken"])
    assert len(names) == len(files)
    plain = [unicodedata.normalize("NFKD", name).casefold() for name in [*names, "taken"]]
    assert len(set(plain)) == len(plain)
    for name in names:
        assert name == name.strip(" .") and name.isprintable() and len(name.encode()) < 200
        assert (Path("out") / name).parent == Path("out")
        windows = PureWindowsPath("out") / name
        assert windows.parent == PureWindowsPath("out") and not windows.is_reserved()


def test_a_kind_for_each_ending() -> None:
    assert not set(PHOTO_SUFFIXES) & set(FILM_SUFFIXES)
    kinds = {name: kind_of(name) for name in ("A.JPG", "b.heic", "c.TS", "d.txt", ".jpg", "e")}
    assert kinds == {
        "A.JPG": "photo", "b.heic": "photo", "c.TS": "film", "d.txt": None, ".jpg": None, "e": None,
    }  # fmt: skip
