"""`synergyface train`: train one of the networks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule

HELP = "train a network (needs the train extra)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", choices=["synergynet", "texture-gan"], help="which network")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        help="--config FILE and any option of it, as --trainer.max_epochs 10",
    )


def run(args: argparse.Namespace) -> int:
    import warnings

    from lightning.pytorch.cli import LightningCLI

    # Lightning expects to read sys.argv itself; our own command line has read its first words.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    LightningCLI(
        *_parts(args.network),
        args=["fit", *args.options],
        save_config_kwargs={"overwrite": True},
    )
    return 0


def _parts(network: str) -> tuple[type[LightningModule], type[LightningDataModule]]:
    """Return the module and data module of a network."""
    if network == "texture-gan":
        from training.texture_gan.data_module import TexturePairs
        from training.texture_gan.module import TextureGanModule

        return TextureGanModule, TexturePairs
    from training.synergynet.data_module import PackedFacesModule
    from training.synergynet.module import SynergyModule

    return SynergyModule, PackedFacesModule
