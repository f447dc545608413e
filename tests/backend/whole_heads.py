"""Small whole heads for the tests of the wire contract, and how results are compared."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from backend.exchange import contract

RNG = np.random.default_rng(1)


def some_keys(names: tuple[str, ...], n_vertices: int) -> contract.NamedKeys:
    """The first moves nothing, the others one vertex more each."""
    starts = np.cumsum([0, *range(len(names))]).astype(np.int32)
    vertices = RNG.integers(0, n_vertices, starts[-1]).astype(np.int32)
    offsets = RNG.standard_normal((starts[-1], 3)).astype(np.float32)
    return contract.NamedKeys(names, starts, vertices, offsets)


def a_whole_head(n_vertices: int = 5) -> contract.WholeHead:
    eye = RNG.standard_normal((6, 3)).astype(np.float32)
    return contract.WholeHead(
        some_keys(("jawOpen", "eyeBlinkLeft", "tongueOut"), n_vertices),
        {
            "eye_left": contract.PartShape(eye, some_keys(("jawOpen", "eyeBlinkLeft"), 6)),
            "skull": contract.PartShape(eye[:3], contract.NO_KEYS),
        },
        {"eye": np.frombuffer(b"\x89PNG\r\n", np.uint8)},
    )


def a_part(material: str = "eye", sizes: tuple[int, ...] = (3, 4)) -> contract.StaticPart:
    """A triangle and a quad, unless sizes are wrong."""
    return contract.StaticPart(
        np.array([0, 1, 2, 2, 1, 3, 4], np.int32),
        np.array(sizes, np.int32),
        RNG.random((5, 2)).astype(np.float32),
        material,
    )


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            assert_same(a[name], b[name])
    elif isinstance(a, tuple):
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif is_dataclass(a):
        for part in fields(a):
            assert_same(getattr(a, part.name), getattr(b, part.name))
    else:
        assert a == b
