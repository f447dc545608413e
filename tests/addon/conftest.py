"""The add-on's modules that need no Blender, imported without its ``__init__`` (which does)."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType

runpy.run_path(str(Path(__file__).parents[2] / "build_addon.py"))["write_exchange"]()

package = ModuleType("addon")
package.__path__ = [str(Path(__file__).parents[2] / "addon")]
sys.modules["addon"] = package
