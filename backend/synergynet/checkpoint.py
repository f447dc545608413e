"""Import of the authors' checkpoint (``best.pth.tar`` of the published SynergyNet code).

The file is {epoch, state_dict}, trained under DataParallel (``module.`` before every name). Its
network differs from the paper: see `Architecture.variant`. It also holds arrays of the Basel Face
Model, which are left out: the user's own copy takes their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from backend.data_folder import data_folder
from backend.errors import BadInputError
from backend.morphable_model.model import N_PARAMETERS
from backend.synergynet.checkpoint_file import read_tensors
from backend.synergynet.network import Architecture, SynergyNet
from backend.synergynet.refinement import LOW_LEVEL
from backend.synergynet.weights import imported_weights_path, keep_graph_of, save_weights

HEADS = {"pose": "ori", "shape": "shape", "expression": "exp"}
REFINEMENT_LAYERS = {
    "low_level.0": 1,
    "low_level.1": 2,
    "holistic.0": 3,
    "holistic.1": 4,
    "holistic.2": 5,
    "decoder.0": 7,
    "decoder.1": 8,
    "residual": 9,
}


def import_checkpoint(path: Path, target: Path | None = None) -> Path:
    """Convert a checkpoint of the authors and make it the network that the backend uses.

    Parameters
    ----------
    path
        ``best.pth.tar`` or a file of the same layout.
    target
        Where the converted weights go; by default the data folder.

    Returns
    -------
    The file written.

    Raises
    ------
    BadInputError
        The file cannot be read without executing code, or is of another network.
    """
    network = SynergyNet(Architecture("official"))
    network.load_state_dict(convert_state_dict(read_tensors(path), path))
    target = target or imported_weights_path(data_folder())
    save_weights(network, target, half=False)
    keep_graph_of(target)
    return target


def convert_state_dict(official: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Names and layouts of the authors' state dictionary (without ``module.``) to ours.

    Raises
    ------
    BadInputError
        A tensor is missing or has another shape.
    """
    expected = SynergyNet(Architecture("official")).state_dict()
    try:
        converted = (
            _backbone(official)
            | _refinement(official)
            | _reverse(official)
            | {
                f"decoder.parameter_{name}": official[f"param_{name}"][:N_PARAMETERS]
                for name in ("mean", "std")
            }
        )
    except KeyError as error:
        raise BadInputError(
            f"{path} lacks the tensor {error}, so it is not a SynergyNet with MobileNetV2.",
            "Give the best.pth.tar of the published SynergyNet.",
        ) from error
    except (IndexError, RuntimeError) as error:
        raise BadInputError(
            f"{path} has a tensor with other dimensions than SynergyNet's ({error}).",
            "Give the best.pth.tar of the published SynergyNet.",
        ) from error
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            converted.setdefault(name, tensor)
        elif name not in converted or converted[name].shape != tensor.shape:
            found = tuple(converted[name].shape) if name in converted else "nothing"
            raise BadInputError(
                f"{path}: for {name} of shape {tuple(tensor.shape)} it has {found}.",
                "Only the MobileNetV2 variant of SynergyNet can be imported.",
            )
    return {name: converted[name].float() if converted[name].is_floating_point() else
            converted[name] for name in expected}  # fmt: skip


def _layer(official: Mapping[str, Tensor], ours: str, conv: str, bn: str) -> dict[str, Tensor]:
    """A point layer: convolution `conv` and batch normalisation `bn` under our name."""
    fields = ("weight", "bias", "running_mean", "running_var")
    return {f"{ours}.conv.{name}": official[f"{conv}.{name}"] for name in ("weight", "bias")} | {
        f"{ours}.bn.{name}": official[f"{bn}.{name}"] for name in fields
    }


def _backbone(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    source = "I2P.backbone."
    converted = {
        "backbone." + name.removeprefix(source): tensor
        for name, tensor in official.items()
        if name.startswith(source + "features.")
    }
    # The authors read images with OpenCV: blue first.
    stem = "backbone.features.0.0.weight"
    converted[stem] = converted[stem].flip(1)
    for ours, theirs in HEADS.items():
        for field in ("weight", "bias"):
            converted[f"heads.{ours}.{field}"] = official[f"{source}classifier_{theirs}.1.{field}"]
    return converted


def _refinement(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    source = "forwardDirection."
    converted: dict[str, Tensor] = {}
    for ours, number in REFINEMENT_LAYERS.items():
        converted |= _layer(
            official, f"refinement.{ours}", f"{source}conv{number}", f"{source}bn{number}"
        )
    joint = official[f"{source}conv6.weight"]
    converted |= {
        "refinement.joint_points.weight": joint[:, :LOW_LEVEL],
        "refinement.joint_points.bias": official[f"{source}conv6.bias"],
        "refinement.joint_face.weight": joint[:, LOW_LEVEL:, 0],
    }
    for field in ("weight", "bias", "running_mean", "running_var"):
        converted[f"refinement.joint_bn.{field}"] = official[f"{source}bn6.{field}"]
    return converted


def _reverse(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    source = "reverseDirection."
    converted: dict[str, Tensor] = {}
    for index in range(5):
        converted |= _layer(
            official,
            f"landmark_to_3dmm.encoder.{index}",
            f"{source}conv{index + 1}",
            f"{source}bn{index + 1}",
        )
    for index, ours in enumerate(HEADS, 1):
        converted |= _layer(
            official,
            f"landmark_to_3dmm.heads.{ours}",
            f"{source}conv6_{index}",
            f"{source}bn6_{index}",
        )
    return converted
