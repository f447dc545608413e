"""Image encoders by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from backend.synergynet.image_encoder import ImageEncoder
from backend.synergynet.mobilenet_v2 import MobileNetV2
from backend.synergynet.resnest import ResNeSt
from backend.synergynet.resnet import ResNet

BackboneName = Literal["mobilenet_v2", "resnet50", "resnet101", "resnest50", "resnest101"]

_DEPTH_50 = (3, 4, 6, 3)
_DEPTH_101 = (3, 4, 23, 3)

BACKBONES: dict[BackboneName, Callable[[], ImageEncoder]] = {
    "mobilenet_v2": MobileNetV2,
    "resnet50": lambda: ResNet(_DEPTH_50),
    "resnet101": lambda: ResNet(_DEPTH_101),
    "resnest50": lambda: ResNeSt(_DEPTH_50, stem_width=32),
    "resnest101": lambda: ResNeSt(_DEPTH_101, stem_width=64),
}
