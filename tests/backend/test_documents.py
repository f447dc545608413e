"""The README's map names every room of the house."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Rooms within rooms need not be named.
DEPTH = 2


def test_where_things_are_names_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {package.replace(".", "/") for package in project["tool"]["setuptools"]["packages"]}
    packages |= {f"addon/{path.parent.name}" for path in (ROOT / "addon").glob("*/__init__.py")}
    # It is written by build_addon.py, from a room that has a row.
    packages -= {"addon/exchange"}
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("## Where things are")[1].split("\n## ")[0]
    missing = {p for p in packages if p.count("/") < DEPTH and f"`{p}/`" not in table}
    assert not missing


def test_the_map_names_nothing_that_is_gone() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("| folder | what |")[1].split("\n\n")[0]
    named = [part for part in table.split("`") if part.endswith("/") and " " not in part]
    assert len(named) > 15
    assert [folder for folder in named if not (ROOT / folder).is_dir()] == []


def test_every_promise_of_security_names_tests_that_exist() -> None:
    """A row names files under tests/, and in brackets the tests in them, the ends left out."""
    security = (ROOT / "SECURITY.md").read_text("utf-8")
    table = security.split("|---|---|\n")[1].split("\n\n")[0]
    rows = [row.strip("| ").rpartition(" | ")[2] for row in table.splitlines()]
    assert len(rows) > 20
    missing = []
    for proofs in rows:
        files = re.findall(r"`([a-z]+/test_\w+\.py)`(?: \(((?:`test_\w+…?`(?:, )?)+)\))?", proofs)
        missing += [proofs] if not files else []
        for file, named in files:
            path = ROOT / "tests" / file
            tests = re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
            for name in re.findall(r"`(test_\w+)(…?)`", named):
                found = [test for test in tests if test.startswith(name[0])]
                missing += [] if found and (name[1] or name[0] in found) else [(file, name)]
    assert not missing


def test_the_wheel_has_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in ("backend", "gan_texture", "training")
        for path in (ROOT / name).rglob("*.py")
    }
    assert listed == there
