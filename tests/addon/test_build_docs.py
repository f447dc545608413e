"""Pages of the interfaces are built, those of the add-on without Blender."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "build_docs.py"


def test_pages_of_the_addon(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "addon", "--output", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{tmp_path / 'index.html'}\n"
    page = (tmp_path / "addon" / "scene" / "export.html").read_text("utf-8")
    assert "Write a head and its parts under its pose Empty" in page
    assert "<h6" in page and "Parameters" in page, "numpydoc is not understood"
    page = (tmp_path / "addon" / "operators" / "export.html").read_text("utf-8")
    assert "SYNERGYFACE_OT_export_head" in page
    assert not (tmp_path / "addon" / "__main__.html").exists()
