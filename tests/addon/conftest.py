"""The add-on's modules that need no Blender, imported without its ``__init__`` (which does)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

package = ModuleType("addon")
package.__path__ = [str(Path(__file__).parents[2] / "addon")]
sys.modules["addon"] = package
