"""The `synergyface` command. Commands are imported only when they are used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from backend.errors import BadInputError, MissingAssetError, SynergyFaceError
from backend.interrupts import interruptible
from backend.standard_streams import OutputError, make_usable, output_told
from backend.version import VERSION

COMMANDS = {
    "assets": "backend.commands.assets",
    "face": "backend.commands.face",
    "texture": "backend.commands.texture",
    "sheet": "backend.commands.sheet",
    "batch": "backend.commands.batch",
    "video": "backend.commands.video",
    "serve": "backend.commands.serve",
    "demo": "backend.commands.demo",
    "info": "backend.commands.info",
    "bench": "backend.commands.bench",
}
ENTRY_POINT_GROUP = "synergyface.commands"

EXIT_FAILED, EXIT_BAD_INPUT = 1, 2
BAD_INPUT = (BadInputError, MissingAssetError)


def command_modules() -> dict[str, str]:
    """Names of the commands and of the modules that hold them, other packages' included."""
    found = entry_points(group=ENTRY_POINT_GROUP)
    return COMMANDS | {entry.name: entry.value for entry in found}


class CommandParser(argparse.ArgumentParser):
    """Parser that is given its arguments only when its command is called: they cost imports."""

    fill: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """See ``argparse.ArgumentParser.parse_known_args``."""
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)
        return super().parse_known_args(args, namespace)


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="synergyface", description="A real person's face in Blender."
    )
    parser.add_argument("--version", action="version", version=f"synergyface {VERSION}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    for name, module_name in command_modules().items():
        module = import_module(module_name)
        subparser = commands.add_parser(name, help=module.HELP, description=module.HELP)
        subparser.fill = module.add_arguments
        subparser.set_defaults(run=module.run)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    0 ok, 1 a job failed, 2 bad input or something missing, 128 and the number of the signal that
    ended it (130: Ctrl-C).
    """
    make_usable()
    with interruptible() as interruption:
        try:
            with output_told():
                args = build_parser().parse_args(arguments)
                return args.run(args)
        except BaseException as error:
            interruption.end()
            # Libraries may have made something else of the interrupt on its way up.
            if interruption.signal is not None or isinstance(error, KeyboardInterrupt):
                return interruption.exit_code
            return _report(error)


def _report(error: BaseException) -> int:
    """Say what went wrong; returns the exit code of it."""
    if not isinstance(error, (SynergyFaceError, OSError)):
        raise error
    if not (isinstance(error, OutputError) and error.unread):
        print(f"synergyface: {error}", file=sys.stderr)
    return EXIT_BAD_INPUT if isinstance(error, BAD_INPUT) else EXIT_FAILED


if __name__ == "__main__":
    raise SystemExit(main())
