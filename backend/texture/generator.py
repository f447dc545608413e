"""The texture network that the backend uses: its weights, and the engine that runs it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from backend.data_folder import atomic_path, data_folder
from backend.errors import BadInputError, MissingAssetError
from backend.exported import load_exported
from backend.texture.mean_face import read_mean_texture
from gan_texture.inference import (
    SIZE,
    OnnxGenerator,
    TextureGenerator,
    TorchGenerator,
    export_onnx,
)

SHIPPED_WEIGHTS = Path(__file__).parents[2] / "gan_texture" / "generator.safetensors"
REMEDY = "Reinstall SynergyFace, or choose the texture mode `photo`, which needs no network."


def load_texture_generator(device: str = "cpu", weights: Path | None = None) -> TextureGenerator:
    """The texture network on a device (``cpu``, ``cuda`` or ``mps``).

    Raises
    ------
    MissingAssetError
        The weights are absent or damaged.
    """
    weights = weights or active_weights()
    try:
        if device == "cpu":
            return load_exported(
                f"texture-{_digest(weights)}",
                lambda: export_onnx(weights, read_mean_texture(SIZE)),
                OnnxGenerator,
            )
        return TorchGenerator(weights, read_mean_texture(SIZE), device)
    except (ValueError, OSError) as error:
        raise MissingAssetError(
            f"The texture weights {weights} cannot be used: {error}.", REMEDY
        ) from error


def active_weights() -> Path:
    """The user's imported weights if there are any, else those that we ship."""
    imported = _imported_weights()
    return imported if imported.is_file() else SHIPPED_WEIGHTS


def is_generator(path: Path) -> bool:
    """Whether a safetensors file says that it holds a texture network."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as stored:
            return "source" in json.loads((stored.metadata() or {}).get("architecture", "{}"))
    except (SafetensorError, OSError, ValueError):
        return False


def import_generator(path: Path) -> Path:
    """Make exported weights the network that the backend uses; returns their copy's path.

    Raises
    ------
    BadInputError
        The file is damaged.
    """
    from gan_texture.weights import load_generator

    try:
        load_generator(path)
    except ValueError as error:
        raise BadInputError(
            f"The texture weights {path} are damaged: {error}.",
            "Give the file that a training exported.",
        ) from error
    target = _imported_weights()
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def _imported_weights() -> Path:
    return data_folder() / SHIPPED_WEIGHTS.name


def _digest(weights: Path) -> str:
    """What an export depends on: the weights and the template."""
    digest = hashlib.sha256(weights.read_bytes())
    digest.update(read_mean_texture(SIZE).tobytes())
    return digest.hexdigest()[:16]
