"""``synergyface serve``: the backend of the Blender add-on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.server.models import Reconstructor

HELP = "serve the Blender add-on on this computer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--port", type=_port, default=0, help="port to listen on (default: a free one)"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where the networks run (default: the best there is)",
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="stop when stdin ends, as it does when the program that started this one is gone",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from backend.server.process import serve

    def load() -> Reconstructor:
        # Here and not above: the networks' libraries take seconds to import, and the server
        # answers meanwhile.
        from backend.server.reconstruction import PipelineReconstructor

        return PipelineReconstructor(args.device)

    serve(load, port=args.port, device=args.device, exit_with_parent=args.exit_with_parent)
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{port} is not a port (0 to 65535)")
    return port
