"""`synergyface train`: train a network from packed faces."""

from __future__ import annotations

import argparse

HELP = "train a network (needs the train extra)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", choices=["synergynet"], help="which network")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        help="--config FILE and any option of it, as --trainer.max_epochs 10",
    )


def run(args: argparse.Namespace) -> int:
    import warnings

    from lightning.pytorch.cli import LightningCLI

    from training.synergynet.data_module import PackedFacesModule
    from training.synergynet.module import SynergyModule

    # Lightning expects to read sys.argv itself; our own command line has read its first words.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    LightningCLI(
        SynergyModule,
        PackedFacesModule,
        args=["fit", *args.options],
        save_config_kwargs={"overwrite": True},
    )
    return 0
