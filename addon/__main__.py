"""Installs the backend from a terminal: ``python synergyface-<version>.zip --help``.

Python runs this file when it is given the extension's zip, or the folder of the unpacked one.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

# The add-on as a package, but for its own first module, which needs Blender.
addon = ModuleType("addon")
addon.__path__ = [str(Path(__file__).parent)]
sys.modules["addon"] = addon

sys.exit(import_module("addon.installer.command_line").main())
