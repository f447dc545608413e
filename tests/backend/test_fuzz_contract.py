"""Bodies of the wire contract, damaged and made up: understood or refused, nothing else."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from backend.exchange import contract
from tests.backend.fake_tracking import FakeLiveTracker, FakeTracking, a_video
from tests.backend.fuzz import damaged, fuzz
from tests.conftest import FakeReconstructor, a_result

SHARE = 0.04

ORDER = contract.TextureOrder(
    photo=np.arange(100, dtype=np.uint8),
    parameters=np.linspace(-1, 1, 62, dtype=np.float32),
    roi_box=(1.0, 2.0, 101.0, 102.0),
)
FRAME = FakeLiveTracker(FakeTracking(), 0.5).frame(np.zeros((20, 30, 3), np.uint8), 1.0)

DECODERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes], Any]] = {
    "model": (contract.decode_model, contract.encode_model, FakeReconstructor().static_model()),
    "faces": (contract.decode_faces, contract.encode_faces, a_result(1.0)),
    "video": (contract.decode_video, contract.encode_video, a_video(n_tracks=2)),
    "frame": (contract.decode_frame, contract.encode_frame, FRAME),
    "texture order": (contract.decode_texture_order, contract.encode_texture_order, ORDER),
    "texture": (contract.decode_texture, contract.encode_texture, np.arange(9, dtype=np.uint8)),
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SIZES = st.integers(-1, 5) | st.sampled_from((2**30, 2**31, 2**63, 2**200)) | JSON
ENTRIES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("mean", "uv", "0/neutral", "times")) | JSON,
        "dtype": st.sampled_from((*contract.DTYPES, "O", "<f8", "|V0")) | JSON,
        "shape": st.lists(SIZES, max_size=6) | JSON,
    }
)
ENVELOPES = st.dictionaries(
    st.sampled_from(("kind", "protocol", "faces", "image_size", "tracks")),
    JSON | st.sampled_from((*DECODERS, contract.PROTOCOL)),
)


@pytest.mark.parametrize("kind", DECODERS)
def test_damaged_bodies(kind: str) -> None:
    decoder, encoder, example = DECODERS[kind]

    def check(body: bytes) -> None:
        try:
            value = decoder(body)
        except contract.ContractError:
            return
        # What is accepted can be said again, and means the same then.
        said = encoder(value)
        assert encoder(decoder(said)) == said

    assert fuzz(damaged([encoder(example)]), check, SHARE) > 10


def test_made_up_headers() -> None:
    """Nothing is allocated for what a header only claims."""

    def check(parts: tuple[Any, Any, bytes]) -> None:
        envelope, entries, payload = parts
        header = json.dumps({"envelope": envelope, "arrays": entries}).encode()
        body = struct.pack("<4sI", contract.MAGIC, len(header)) + header + payload
        for decoder in (contract.decode, *(decoder for decoder, _, _ in DECODERS.values())):
            try:
                decoder(body)
            except contract.ContractError:
                continue

    parts = st.tuples(ENVELOPES | JSON, st.lists(ENTRIES | JSON, max_size=3), st.binary())
    assert fuzz(parts, check, SHARE) > 10
