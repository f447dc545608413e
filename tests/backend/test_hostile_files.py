"""Files that people bring along, made by somebody who means harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend.asset_import import import_asset
from backend.errors import BadInputError
from backend.morphable_model import bfm2009
from backend.morphable_model.pickled_arrays import read_pickled_arrays
from backend.sandbox.wire import Answer
from tests.backend.test_fuzz_files import array_of


def text_once(repeated: bytes) -> bytes:
    """Remembers half a megabyte of text, then says something again and again."""
    text = b"X" + (2**19).to_bytes(4, "little") + b"x" * 2**19
    return b"\x80\x02c_codecs\nencode\nq\x00" + text + b"q\x01X\x06\0\0\0latin1q\x02" + repeated


# Few bytes, for Python's own machine: an overflow of the stack, gigabytes, or work for ever.
PICKLED_BOMBS = {
    "a name a million tuples deep": b"\x80\x02}(" + b")" + b"\x85" * 10**6 + b"Nu.",
    "fewer tuples, each in a memo": b"\x80\x02}()" + b"\x85q\x00h\x00" * 3000 + b"Nu.",
    "a name of a million million tuples": b"\x80\x02})" + b"2\x86" * 40 + b"Ns.",
    "the same by memo": b"\x80\x02})" + b"q\x00h\x00\x86" * 40 + b"Ns.",
    "a tuple that is long": b"\x80\x02}(" + b"N" * 5000 + b"tNs.",
    "a number of a million bytes": b"\x80\x02}\x8b\x40\x42\x0f\0" + b"\x7f" * 10**6 + b"Ns.",
    "a number of a million digits": b"}L" + b"9" * 10**6 + b"L\nNs.",
    "a text turned into bytes a thousand times": text_once(b"h\x00h\x01h\x02\x86R" * 1000 + b"."),
    "instructions without end": b"\x80\x02" + b"N0" * 500_000 + b".",
    "dictionaries within dictionaries": b"\x80\x02" + b"}" * 10**5 + b"X\x01\0\0\0a" + b".",
    "a dictionary in itself": b"\x80\x02}q\x00X\x01\0\0\0ah\x00s.",
    "a list": b"\x80\x02]q\x00h\x00a.",
    "less than it takes": b"\x80\x02\x87.",
    "a mark that is not there": b"\x80\x02u.",
}  # fmt: skip


@pytest.mark.parametrize("what", PICKLED_BOMBS)
def test_pickled_bombs(what: str) -> None:
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError) as caught:
            read_pickled_arrays(PICKLED_BOMBS[what], "file")
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 2
    assert len(str(caught.value)) < 500


def test_an_array_that_is_repeated() -> None:
    """One array under many names is one; many arrays of the same bytes are refused."""
    array = np.arange(30_000.0)
    shared = read_pickled_arrays(pickle.dumps({str(i): array for i in range(500)}), "file")
    assert all(array is shared["0"] for array in shared.values())
    content = array.tobytes()
    again = {str(i): array_of((30_000,), content[:-8] + bytes([i] * 8)) for i in range(4)}
    assert len(read_pickled_arrays(pickle.dumps(again, 4), "file")) == 4
    again = {str(i): array_of((30_000,), content) for i in range(50)}
    with pytest.raises(BadInputError, match="repeats"):
        read_pickled_arrays(pickle.dumps(again, 4), "file")


class MatlabFile:
    """A MAT-file of level 5, element by element, as its published description has them."""

    DOUBLE_CLASS, CELL_CLASS, CHAR_CLASS = 6, 1, 4
    SHAPES = MappingProxyType(
        {"shapeMU": (160_470, 1), "texMU": (160_470, 1), "texPC": (160_470, 199), "texEV": (199, 1)}
    )

    @classmethod
    def of(cls, *elements: bytes) -> bytes:
        """Elements behind the header."""
        return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)

    @classmethod
    def others(cls, name: str) -> bytes:
        """The other arrays of a file of BFM 2009: their heads, compressed, without numbers."""
        heads = [
            zlib.compress(cls.matrix(other, shape, b"", cls.DOUBLE_CLASS))
            for other, shape in cls.SHAPES.items()
            if other != name
        ]
        return b"".join(struct.pack("<II", 15, len(head)) + head for head in heads)

    @classmethod
    def matrix(cls, name: str, shape: tuple[int, int], data: bytes, kind: int) -> bytes:
        """A variable; complex numbers have 8 beside their class."""
        flags, size = struct.pack("<II", kind, 0), struct.pack("<ii", *shape)
        parts = [cls.element(6, flags), cls.element(5, size), cls.element(1, name.encode()), data]
        return cls.element(14, b"".join(parts))

    @classmethod
    def element(cls, kind: int, data: bytes) -> bytes:
        """What it is and how long, then the data, filled up to eight bytes."""
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    @classmethod
    def cells(cls, name: str, depth: int) -> bytes:
        """One cell in the next."""
        inner = cls.matrix("", (1, 1), cls.element(9, bytes(8)), cls.DOUBLE_CLASS)
        head = len(cls.matrix("", (1, 1), b"", cls.CELL_CLASS))
        lengths = [len(inner) + head * (i + 1) - 8 for i in range(depth)]
        nameless = cls.matrix("", (1, 1), b"", cls.CELL_CLASS)[8:]
        opened = b"".join(struct.pack("<II", 14, n) + nameless for n in reversed(lengths))
        return cls.matrix(name, cls.SHAPES[name], opened + inner, cls.CELL_CLASS)


def numbers(name: str, kind: int = MatlabFile.DOUBLE_CLASS) -> bytes:
    real = MatlabFile.element(9, bytes(199 * 8))
    both = real * 2 if kind & 0x800 else real
    return MatlabFile.matrix(name, MatlabFile.SHAPES[name], both, kind)


MATLAB_FILES = {
    "cells within cells": (MatlabFile.cells("texEV", 30_000), "class cell"),
    "text": (numbers("texEV", MatlabFile.CHAR_CLASS), "class char"),
    "twice": (numbers("texEV") * 2, "2 times"),
    "first what is checked, then what is read": (
        MatlabFile.cells("texEV", 30_000) + numbers("texEV"),
        "2 times",
    ),
}


@pytest.mark.parametrize("what", MATLAB_FILES)
def test_matlab_files(tmp_path: Path, what: str) -> None:
    """Refused by their heads, before SciPy reads them: cells within cells end the process."""
    variable, reason = MATLAB_FILES[what]
    path = tmp_path / "01_MorphableModel.mat"
    path.write_bytes(MatlabFile.of(variable, MatlabFile.others("texEV")))
    with pytest.raises(BadInputError, match=f"texEV is (of the |there ){reason}"):
        bfm2009._read(path)


ARCHITECTURES: dict[str, tuple[object, str]] = {
    "a head as wide as a graphics card": ({"head_width": 10**5}, "head_width"),
    "half a neuron": ({"head_width": 0.5}, "head_width"),
    "a negative head": ({"head_width": -1}, "head_width"),
    "a backbone of its own": ({"backbone": "resnet100000"}, "backbone"),
    "a backbone of another kind": ({"backbone": ["resnet50"]}, "backbone"),
    "a field that is new": ({"layers": 10**9}, "layers"),
    "a list": ([1], "not described"),
    "a number": (1, "not described"),
    "a wide U-Net": ({"source": "texture", "width": 10**5}, "cannot be built"),
    "a deep U-Net": ({"source": "texture", "levels": 10**7}, "cannot be built"),
    "a U-Net of text": ({"source": "texture", "levels": "8"}, "cannot be built"),
    "a U-Net with something new": ({"source": "texture", "depth": 1}, "depth"),
}


@pytest.mark.parametrize("what", ARCHITECTURES)
def test_weights_of_networks_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Said before a network is made, which would fill the memory with random weights."""
    described, reason = ARCHITECTURES[what]
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    path = tmp_path / "weights.safetensors"
    save_file({"a": np.zeros(1, np.float16)}, path, {"architecture": json.dumps(described)})
    with pytest.raises(BadInputError, match=reason):
        import_asset(path)
    assert not (tmp_path / "data").exists()


def test_weights_with_a_description_that_is_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": np.zeros(1, np.float16)}, path, {"architecture": "[" * 10**5})
    with pytest.raises(BadInputError):
        import_asset(path)


def checkpoint(pickled: bytes) -> bytes:
    """An archive as PyTorch writes them, around a pickle of anybody's."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def gigabytes() -> bytes:
    """A small archive that says to have much in it."""
    file = io.BytesIO(checkpoint(b"\x80\x02}."))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/data/0", b"")
        archive.filelist[-1].file_size = 2**31
    return file.getvalue()


CHECKPOINTS: dict[str, Callable[[], bytes]] = {
    "gigabytes in few bytes": gigabytes,
    "no tensors": lambda: checkpoint(b"\x80\x02}X\x01\0\0\0ax\x01\0\0\0bs."),
    "a name half a million tuples deep": lambda: checkpoint(
        b"\x80\x02}()" + b"\x85" * 500_000 + b"Nu."
    ),
}


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Whatever it does to PyTorch's reader, it is refused."""
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    path = tmp_path / "best.pth.tar"
    path.write_bytes(CHECKPOINTS[what]())
    with pytest.raises(BadInputError) as caught:
        import_asset(path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_a_matlab_file_that_ends_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should its head be one that passes, the process that reads it is not ours."""
    monkeypatch.setattr(bfm2009, "__name__", "tests.backend.test_hostile_files")
    path = tmp_path / "01_MorphableModel.mat"
    with pytest.raises(BadInputError, match="cannot be read as a Matlab file"):
        bfm2009._read(path)
    assert bfm2009.call_in_child("tests.backend.test_hostile_files:alive", what="").value == "yes"


def read_in_child(path: str) -> Answer:
    """What SciPy does on cells within cells."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return Answer(path)


def alive() -> Answer:
    return Answer("yes")
