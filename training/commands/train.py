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
    from lightning.pytorch.cli import LightningCLI

    from training.synergynet.data_module import PackedFacesModule
    from training.synergynet.module import SynergyModule

    LightningCLI(
        SynergyModule,
        PackedFacesModule,
        args=["fit", *args.options],
        save_config_kwargs={"overwrite": True},
    )
    return 0
