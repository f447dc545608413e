"""The texture network that the backend uses: its weights, and the engine that runs it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from backend.data_folder import data_folder
from backend.errors import MissingAssetError
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
    imported = data_folder() / SHIPPED_WEIGHTS.name
    return imported if imported.is_file() else SHIPPED_WEIGHTS


def _digest(weights: Path) -> str:
    """What an export depends on: the weights and the template."""
    digest = hashlib.sha256(weights.read_bytes())
    digest.update(read_mean_texture(SIZE).tobytes())
    return digest.hexdigest()[:16]
