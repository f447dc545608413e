"""A new texture for a head that was reconstructed before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .container import decode, encode
from .fields import expect_kind, finite_array, floats, reading_envelope
from .protocol import N_PARAMETERS, PROTOCOL


class TextureMode(StrEnum):
    """How a texture is made."""

    PHOTO_NETWORK = "photo+gan"
    """What the photo does not show is filled by the network."""
    NETWORK = "gan"
    """All is made by the network."""
    PHOTO = "photo"
    """What the photo does not show is filled from its mirror image and the mean face."""
    MEAN = "mean"
    """All is the mean face in the photo's light."""


DEFAULT_TEXTURE_MODE = TextureMode.PHOTO_NETWORK


@dataclass(frozen=True)
class TextureOrder:
    """A photo, and where the head is in it.

    Attributes
    ----------
    photo
        (N,) uint8, the bytes of a picture file.
    parameters
        (62,) float32, not whitened, in the crop frame of `roi_box`, as `FaceResult` has them.
    roi_box
        x0, y0, x1, y1 of the square crop in image pixels.
    has_eyes
        Whether eyeballs stand beside the face: its lids then have skin in place of painted eyes.
    """

    photo: NDArray[np.uint8]
    parameters: NDArray[np.float32]
    roi_box: tuple[float, float, float, float]
    has_eyes: bool = False


def encode_texture_order(order: TextureOrder) -> bytes:
    """Return the body of ``POST /v1/textures``."""
    envelope = {
        "kind": "texture-order",
        "protocol": PROTOCOL,
        "roi_box": list(order.roi_box),
        "has_eyes": order.has_eyes,
    }
    return encode(envelope, {"parameters": order.parameters, "photo": order.photo})


def decode_texture_order(body: bytes) -> TextureOrder:
    """Read the body of ``POST /v1/textures``.

    Raises
    ------
    ContractError
        Wrong kind, protocol, field, array or shape.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "texture-order")
    with reading_envelope():
        return TextureOrder(
            photo=finite_array(arrays, "photo", "|u1", (None,)),
            parameters=finite_array(arrays, "parameters", "<f4", (N_PARAMETERS,)),
            roi_box=floats(envelope["roi_box"], 4),
            has_eyes=envelope["has_eyes"] is True,
        )


def encode_texture(texture_png: NDArray[np.uint8]) -> bytes:
    """Return the body of a finished texture job's result: the (N,) bytes of a PNG file."""
    return encode({"kind": "texture", "protocol": PROTOCOL}, {"texture_png": texture_png})


def decode_texture(body: bytes) -> NDArray[np.uint8]:
    """Read the body of a finished texture job's result.

    Raises
    ------
    ContractError
        Wrong kind, protocol, array or shape.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "texture")
    return finite_array(arrays, "texture_png", "|u1", (None,))
