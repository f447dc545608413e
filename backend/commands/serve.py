"""``synergyface serve``: the backend of the Blender add-on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.engines.devices import DEVICES
from backend.errors import BadInputError

if TYPE_CHECKING:
    from backend.server.clip_paths import ClipPaths
    from backend.server.reconstructor import Reconstructor

HELP = "run the backend for the Blender add-on on this computer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--port", type=_port, default=0, help="port to listen on (default: a free one)"
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where the networks run (default: the best there is)",
    )
    parser.add_argument(
        "--allow-paths",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="let clients give the paths of clips in these folders instead of sending them; "
        "without DIR, in all folders",
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="stop when standard input ends, as it does when the parent program is gone",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from backend.server.process import serve

    def load() -> Reconstructor:
        # Here and not above: the networks' libraries take seconds to import, and the server
        # answers meanwhile.
        from backend.server.reconstruction import PipelineReconstructor

        return PipelineReconstructor(args.device)

    serve(
        load,
        port=args.port,
        device=args.device,
        exit_with_parent=args.exit_with_parent,
        paths=_clip_paths(args.allow_paths),
    )
    return 0


def _clip_paths(folders: list[Path] | None) -> ClipPaths:
    from backend.server.clip_paths import ClipPaths

    for folder in folders or ():
        if not folder.is_dir():
            raise BadInputError(f"{folder} is not a folder.", "Name folders after --allow-paths.")
    return ClipPaths(anywhere=folders == [], folders=tuple(folders or ()))


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{port} is not a port (0 to 65535)")
    return port
