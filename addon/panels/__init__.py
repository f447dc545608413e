"""The sidebar's panels, from top to bottom, and the image editor's."""

from . import animate, backend, batch, face, head, image, transfer

CLASSES = (
    *face.CLASSES,
    *animate.CLASSES,
    *batch.CLASSES,
    *head.CLASSES,
    *transfer.CLASSES,
    *backend.CLASSES,
    *image.CLASSES,
)
