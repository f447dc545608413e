"""Files that people bring along: which kind each is, and the way in for it.

The kind follows from what a file contains, not from its name. Nothing here runs code that a file
carries.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

from backend.errors import BadInputError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MATLAB_MAGIC = b"MATLAB "
PICKLE_MAGIC = b"\x80"
# torch.save before version 1.6: a pickled magic number first.
OLD_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# The format's own limit on the header.
MAX_SAFETENSORS_HEADER = 100_000_000

ACCEPTED = (
    "What can be imported: SynergyNet's folder `3dmm_data`, BFM 2009's `01_MorphableModel.mat`, "
    "SynergyNet's checkpoint `best.pth.tar`, and weights that a training exported "
    "(`synergynet.safetensors`, `generator.safetensors`)."
)


def import_asset(path: Path) -> str:
    """Import a file or folder into the data folder.

    Returns
    -------
    A sentence that says what was imported and where it lies now.

    Raises
    ------
    BadInputError
        The path does not exist, is of a model that cannot be used, or is damaged.
    MissingAssetError
        Textures need the model itself first.
    """
    if path.is_dir():
        return _import_folder(path)
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError:
        raise BadInputError(f"There is no file or folder {path}.") from None
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error
    if head.startswith(MATLAB_MAGIC) or path.suffix.lower() == ".mat":
        return _import_textures(path)
    if head.startswith(OLD_TORCH_MAGIC) or _is_torch_archive(path):
        return _import_checkpoint(path)
    if _is_safetensors(head):
        return _import_weights(path)
    raise _refusal(path, head)


def _import_folder(folder: Path) -> str:
    from backend.morphable_model.storage import save_model
    from backend.morphable_model.synergynet_folder import SIGNATURE, read_synergynet_folder

    # People name the folder above as well.
    for candidate in (folder, folder / "3dmm_data"):
        if (candidate / SIGNATURE).is_file():
            target = save_model(read_synergynet_folder(candidate))
            return f"Imported the Basel Face Model from {candidate} to {target}."
    raise BadInputError(f"{folder} is not a folder like SynergyNet's `3dmm_data`.", ACCEPTED)


def _import_textures(path: Path) -> str:
    from backend.morphable_model.bfm2009 import with_bfm2009_texture
    from backend.morphable_model.storage import load_model, save_model

    target = save_model(with_bfm2009_texture(load_model(), path))
    return f"Imported BFM 2009's mean texture and texture components from {path} to {target}."


def _import_checkpoint(path: Path) -> str:
    if importlib.util.find_spec("torch") is None:
        raise BadInputError(
            f"Only PyTorch can read the checkpoint {path}, and it is not installed.",
            'Run pip install "synergyface[gpu]", or import it on a computer that has PyTorch and '
            "bring along the synergynet.safetensors and synergynet.onnx from its data folder.",
        )
    from backend.synergynet.checkpoint import import_checkpoint

    return f"Imported SynergyNet's checkpoint {path} to {import_checkpoint(path)}."


def _import_weights(path: Path) -> str:
    from backend.synergynet.weights import import_weights
    from backend.texture.generator import import_generator, is_generator

    target = import_generator(path) if is_generator(path) else import_weights(path)
    return f"Imported the weights {path} to {target}. Without that file, the shipped ones are used."


def _is_safetensors(head: bytes) -> bool:
    """Whether a file starts as the format says: the header's length in 8 bytes, then JSON."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length <= MAX_SAFETENSORS_HEADER


def _is_torch_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except Exception:  # a damaged archive raises nearly anything
        return False


def _refusal(path: Path, head: bytes) -> BadInputError:
    name = path.name.lower()
    if head.startswith(HDF5_MAGIC):
        reason = (
            "is an HDF5 file, as BFM 2017 and 2019 are. Their vertices (53,149 and 47,439) are "
            "not those of the 2009 mesh that the network was made for"
        )
    elif "noneck" in name:
        reason = "is `bfm_noneck`, which has 38,365 vertices instead of 53,215"
    elif "flame" in name or name.startswith(("generic_model", "female_model", "male_model")):
        reason = "is FLAME, another model: 5,023 vertices, other components"
    elif head.startswith(PICKLE_MAGIC):
        reason = "is a pickle file, which can run programs when it is opened"
    else:
        reason = "is of an unknown kind"
    return BadInputError(f"{path} {reason}.", ACCEPTED)
