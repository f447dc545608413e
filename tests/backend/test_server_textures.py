"""``POST /v1/textures``: another texture for a head that is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from backend.exchange import contract

ORDER = contract.TextureOrder(
    np.frombuffer(b"a photo", np.uint8), np.arange(62, dtype=np.float32), (1.0, 2.0, 3.0, 4.0)
)


def test_an_order_from_photo_to_texture(shared_backend: Any) -> None:
    body = contract.encode_texture_order(ORDER)
    answer = shared_backend.request("POST", "/v1/textures?size=512&mode=gan", body)
    assert answer.status == 202
    job = answer.json()["job"]
    assert shared_backend.finished(job)["state"] == "done"
    result = shared_backend.request("GET", f"/v1/jobs/{job}/result")
    assert result.headers["Content-Type"] == contract.MEDIA_TYPE
    assert contract.decode_texture(result.body).tobytes() == b"a photo"
    assert shared_backend.reconstructor.calls[-1] == ("gan", 512)


@pytest.mark.parametrize("query", ["size=0", "size=1000", "mode=paint"])
def test_sizes_and_modes_that_do_not_exist(shared_backend: Any, query: str) -> None:
    body = contract.encode_texture_order(ORDER)
    answer = shared_backend.request("POST", f"/v1/textures?{query}", body)
    assert answer.status == 422
    assert json.loads(answer.body)["code"] == "bad-parameter"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a container",
        contract.encode_texture(np.zeros(3, np.uint8)),
        contract.encode_texture_order(ORDER)[:-3],
    ],
    ids=["empty", "noise", "another kind", "cut"],
)
def test_bodies_that_are_no_order(shared_backend: Any, body: bytes) -> None:
    answer = shared_backend.request("POST", "/v1/textures", body)
    assert answer.status == 422
    assert json.loads(answer.body)["code"] == ("bad-body" if body else "bad-input")


def test_an_order_survives_the_wire() -> None:
    again = contract.decode_texture_order(contract.encode_texture_order(ORDER))
    np.testing.assert_array_equal(again.photo, ORDER.photo)
    np.testing.assert_array_equal(again.parameters, ORDER.parameters)
    assert again.roi_box == ORDER.roi_box


@pytest.mark.parametrize("parameters", [np.zeros(61, np.float32), np.full(62, np.nan, np.float32)])
def test_parameters_that_are_none(parameters: np.ndarray) -> None:
    order = contract.TextureOrder(ORDER.photo, parameters, ORDER.roi_box)
    with pytest.raises(contract.ContractError, match="parameters"):
        contract.decode_texture_order(contract.encode_texture_order(order))
