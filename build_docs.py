"""Build pages from the docstrings: ``python build_docs.py`` writes them to ``out/docs``.

The add-on is read without Blender: what it imports of Blender is stood in for by empty classes.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent
PACKAGES = ("backend", "gan_texture", "training", "addon")
# Not for readers: a program's start, and what only runs in another process.
LEFT_OUT = ("!addon.__main__",)
BLENDER = ("blf", "bmesh", "bpy", "bpy.types", "bpy.props", "bpy.utils", "mathutils")


class StandIn(type):
    """Kind of the classes that stand in for Blender's: they can be inherited from and called."""

    def __new__(cls, name: str, bases: tuple[type, ...] = (), body: Any = None) -> StandIn:
        return super().__new__(cls, name, bases, dict(body or {}))

    def __getattr__(cls, name: str) -> Any:
        if not name[0].isupper():
            raise AttributeError(name)
        return lambda *_, **__: None


class BlenderModule(ModuleType):
    """A module in which every name is an empty class, or a module that was named before."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = sys.modules.get(f"{self.__name__}.{name}")
        value = known or StandIn(name, (), {"__init__": lambda *_, **__: None})
        setattr(self, name, value)
        return value


def main(arguments: list[str] | None = None) -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Build pages of the interfaces.")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "docs", help="their folder")
    parser.add_argument("packages", nargs="*", help=f"which; default {' '.join(PACKAGES)}")
    options = parser.parse_args(arguments)
    build(options.output, options.packages or PACKAGES)
    print(options.output / "index.html")
    return 0


def build(output: Path, packages: Sequence[str] = PACKAGES) -> None:
    """Write the pages of some packages."""
    import pdoc
    from pdoc import render

    sys.path.insert(0, str(ROOT))
    for name in BLENDER:
        sys.modules[name] = BlenderModule(name)
    # Names that are imported for type checkers only.
    warnings.filterwarnings("ignore", "Error parsing type annotation", module="pdoc")
    render.configure(docformat="numpy", footer_text="SynergyFace", show_source=False)
    pdoc.pdoc(*packages, *LEFT_OUT, output_directory=output)


if __name__ == "__main__":
    sys.exit(main())
