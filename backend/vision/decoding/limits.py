"""Which pictures are read: formats, sizes, and how the others are refused."""

from __future__ import annotations

from backend.errors import BadInputError

MIN_SIDE = 16
MAX_PIXELS = 100_000_000
MAX_FRAME_SIDE = 8192
MAX_BYTES = 512 * 2**20

# Photograph formats only: Pillow also knows formats that start other programs (EPS) or are none.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")

# What shows through a transparent picture: with mid-grey a soft edge gets neither a bright nor a
# dark fringe.
BACKGROUND = (128, 128, 128)


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuse a picture of a size (width, height) that is too large or too small.

    Raises
    ------
    BadInputError
        It is.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise too_many_pixels(name, size)
    if min(size) < MIN_SIDE:
        raise BadInputError(
            f"{name} is only {width}x{height} pixels.",
            "Use a photo in which the face is at least 100 pixels wide.",
            code="too-small",
        )


def too_many_pixels(name: str, size: tuple[int, int] | None = None) -> BadInputError:
    """Refusal of a picture, or of a clip's pictures, with more than `MAX_PIXELS` pixels."""
    extent = f" {size[0]}x{size[1]}, " if size else " "
    return BadInputError(
        f"{name} has too many pixels:{extent}more than {MAX_PIXELS // 10**6} million.",
        "Scale it down and try again.",
        code="too-many-pixels",
    )


def not_an_image(name: str) -> BadInputError:
    """Refusal of what no decoder knows."""
    return BadInputError(
        f"{name} is not an image, or it is damaged.",
        f"Formats that can be read: {', '.join(FORMATS)}.",
        code="not-an-image",
    )


def unsupported(name: str, kind: str) -> BadInputError:
    """Refusal of a picture of a kind that is known and not read, or not to be opened."""
    return BadInputError(
        f"{name} is a {kind} photo that cannot be read.",
        "Convert it to JPEG or PNG and try again.",
        code=f"unsupported-{kind.lower().replace(' ', '-')}",
    )


def damaged(name: str) -> BadInputError:
    """Refusal of a picture that a decoder began and could not end."""
    return BadInputError(
        f"{name} is damaged or incomplete: its picture cannot be decoded.",
        "Copy or download it again, or save it as JPEG or PNG.",
        code="damaged-image",
    )


def check_frame(size: tuple[int, int]) -> None:
    """Refuse a size (width, height) that is no frame's.

    Raises
    ------
    BadInputError
        It is none.
    """
    width, height = size
    if not (MIN_SIDE <= width <= MAX_FRAME_SIDE and MIN_SIDE <= height <= MAX_FRAME_SIDE):
        raise BadInputError(
            f"A frame cannot measure {width}x{height} pixels.",
            f"Send frames of {MIN_SIDE} to {MAX_FRAME_SIDE} pixels a side.",
            code="bad-frame",
        )
