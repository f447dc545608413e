"""Where a head lies in a photo, by the 62 parameters of its crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.camera import CROP_SIZE, RoiBox, image_from_crop_frame
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE, Pose, pose_from_parameters
from backend.morphable_model.model import N_POSE

Float = NDArray[np.float32]


def posed_vertices(head: Float, parameters: Float, roi_box: RoiBox) -> Float:
    """Where the network sees a head: (V, 3) millimetres -> (V, 3) image frame.

    The matrix of the parameters is taken as it is. It is not quite a scaled rotation, and so lies
    closer to the photo than the nearest rotation would.
    """
    matrix = parameters[:N_POSE].reshape(3, 4)
    scaled = matrix[:, :3] * np.float32(MICROMETRES_PER_MILLIMETRE)
    return image_from_crop_frame(head @ scaled.T + matrix[:, 3], roi_box)


def pose_in_image(parameters: Float, roi_box: RoiBox) -> Pose:
    """The nearest rotation, scale in pixels per millimetre and place of the origin, image frame."""
    pose = pose_from_parameters(parameters)
    origin = image_from_crop_frame(pose.translation[None], roi_box)[0]
    return Pose(pose.rotation, pose.scale * roi_box.side / CROP_SIZE, origin)
