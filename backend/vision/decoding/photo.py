"""A photograph's bytes as upright sRGB pixels, whatever the file."""

from __future__ import annotations

from backend.errors import BadInputError
from backend.sandbox.wire import Answer, Rows
from backend.vision.decoding.coded import CodedPicture, coding_of
from backend.vision.decoding.iso_media import is_heif
from backend.vision.decoding.limits import damaged, not_an_image, unsupported
from backend.vision.decoding.picture import Picture, open_picture
from backend.vision.decoding.raw_preview import previews, raw_kind

# Its only decoders for Python are under another licence than ours, or hardly used.
JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def decode(data: bytes | bytearray, name: str) -> Answer:
    """Decode the bytes of an image file; see ``backend.vision.images.decode_image``.

    Returns
    -------
    One array: (H, W, 3) uint8 RGB.

    Raises
    ------
    BadInputError
        It cannot be read, and why.
    MemoryError
        It takes too much.
    """
    picture = _read(data, name)
    return Answer(arrays=[Rows(picture.shape, picture.dtype, picture.rows())])


def _read(data: bytes | bytearray, name: str) -> Picture | CodedPicture:
    """Return everything that may fail; what is left are rows of pixels."""
    if not data:
        raise BadInputError(f"{name} is empty.", "Copy or download it again.", code="empty-file")
    if data.startswith(JPEG_XL):
        raise unsupported(name, "JPEG XL")
    # Broken files make decoders raise nearly anything, so every exception counts here.
    try:
        kind = raw_kind(data)
        if kind:
            return _preview(data, name, kind)
        picture = open_picture(data, name)
    except (BadInputError, MemoryError):
        raise
    except Exception as error:
        raise (unsupported(name, "HEIC") if is_heif(data) else not_an_image(name)) from error
    try:
        coding = coding_of(data, picture)
        if coding is not None:
            return CodedPicture(data, picture, coding)
        return Picture(data, picture)
    except (BadInputError, MemoryError):
        raise
    except Exception as error:
        raise damaged(name) from error


def _preview(data: bytes | bytearray, name: str, kind: str) -> Picture:
    """Return the largest that can be decoded: what looks like one may be a piece of the raw
    data.
    """
    for preview in previews(data, name, kind):
        try:
            picture = open_picture(preview.data, name)
            return Picture(preview.data, picture, orientation=preview.orientation)
        except BadInputError:
            continue
        except (OSError, ValueError, SyntaxError):
            continue
    raise damaged(name)
