"""The sidebar's panels, from top to bottom, and the image editor's."""

from . import animate, backend, face, head, image

CLASSES = (*face.CLASSES, *animate.CLASSES, *head.CLASSES, *backend.CLASSES, *image.CLASSES)
