"""Build the Blender extension: ``python build_addon.py`` writes ``dist/synergyface-<version>.zip``.

The zip carries the backend's wheel, for its installer, and is itself an installer at a terminal:
``python synergyface-<version>.zip``. It is the same, byte for byte, whenever the sources are. If a
bpy wheel is installed under ``.venvs/``, Blender's own validator judges it.
"""

from __future__ import annotations

import argparse
import ast
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "addon"
LOCKS = SOURCE / "installer" / "locks"
# What the add-on shares with the backend: written into it here, ignored by git there.
SHARED, EXCHANGE = ROOT / "backend" / "exchange", SOURCE / "exchange"
# Where addon/installer/payload.py looks.
PAYLOAD = "installer/payload"
# What the backend's wheel is made of.
WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "backend", "gan_texture", "training")
# Nothing else is shipped: no caches, and above all no arrays of the Basel Face Model.
ALLOWED = (
    "LICENSE",
    "blender_manifest.toml",
    "*.py",
    "batch/*.py",
    "connection/*.py",
    "exchange/*.py",
    "exchange/contract/*.py",
    "installer/*.py",
    "installer/locks/*.txt",
    "motion/*.py",
    "operators/*.py",
    "panels/*.py",
    "scene/*.py",
    "settings/*.py",
)
MAX_FILE_BYTES = 100_000
# The earliest time that a zip can hold; the real ones would make every build differ.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
SOURCE_DATE_EPOCH = "315532800"
VALIDATOR = "lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


class BuildError(Exception):
    """The extension must not be built from what is there."""


def main(arguments: list[str] | None = None) -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the zip")
    parser.add_argument(
        "--locks", action="store_true", help="only write the hashes of all packages anew"
    )
    parser.add_argument(
        "--exchange", action="store_true", help="only write addon/exchange, for lint and tests"
    )
    options = parser.parse_args(arguments)
    write_exchange()
    if options.exchange:
        return 0
    if options.locks:
        write_locks()
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
            path = build(options.output, build_wheel(Path(temporary)))
        validated = validate(path)
    except BuildError as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 1
    by = "validated by Blender" if validated else "not validated: there is no bpy under .venvs"
    print(f"{path} ({path.stat().st_size:,} bytes; {by})")
    return 0


def write_locks() -> None:
    """Write what the installer fetches: all packages, with the hashes of their files."""
    locks = runpy.run_path(str(SOURCE / "installer" / "locks.py"))

    LOCKS.mkdir(exist_ok=True)
    cpu = compiled("pyproject.toml")
    gpu = compiled("pyproject.toml", "--extra", "gpu")
    gpu = locks["without"](gpu, locks["locked_versions"](cpu))
    for name, text in (("pip", compiled("-", stdin="pip")), ("cpu", cpu), ("gpu", gpu)):
        (LOCKS / f"{name}.txt").write_text(text, encoding="utf-8")


def compiled(*arguments: str, stdin: str = "") -> str:
    """Have uv find versions within the constraints, and the hashes of their wheels."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, "-c", "constraints.txt"]
    command += ["--universal", "--python-version", "3.11", "--only-binary", ":all:"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    run = subprocess.run(
        command, cwd=ROOT, input=stdin, stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout


def write_exchange(target: Path = EXCHANGE) -> None:
    """Copy what both sides share from the backend into the add-on, if it is not there already."""
    wanted = {
        file.relative_to(SHARED): file.read_bytes()
        for file in SHARED.rglob("*.py")
        if "__pycache__" not in file.parts
    }
    there = {file.relative_to(target): file for file in target.rglob("*.py")}
    for name in there.keys() - wanted.keys():
        there[name].unlink(missing_ok=True)
    for name, content in wanted.items():
        file = target / name
        if name not in there or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Processes that lint or test side by side may write it at the same time.
            temporary = file.with_name(f".{file.name}.{os.getpid()}")
            temporary.write_bytes(content)
            temporary.replace(file)


def build_wheel(output: Path) -> Path:
    """Build the backend's wheel from a copy of the sources, without what other builds left there.

    Parameters
    ----------
    output
        Its folder.

    Raises
    ------
    BuildError
        It cannot be built.
    """
    with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
        for name in WHEEL_SOURCES:
            source, copy = ROOT / name, Path(temporary) / name
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, copy)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
        command += ["--no-deps", "--wheel-dir", str(output), temporary]
        environment = os.environ | {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wheels = list(output.glob("synergyface-*.whl"))
    if run.returncode != 0 or len(wheels) != 1:
        raise BuildError(f"The backend's wheel cannot be built:\n{run.stdout}{run.stderr}")
    return wheels[0]


def build(output: Path, wheel: Path, source: Path = SOURCE, version: str | None = None) -> Path:
    """Write the zip.

    Parameters
    ----------
    output
        Its folder, made if need be.
    wheel
        The backend's, which the zip carries.
    source
        The add-on's folder.
    version
        What the manifest must say; default the project's.

    Raises
    ------
    BuildError
        The versions differ, or a file may not be shipped.
    """
    expected = version or project_version()
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text("utf-8"))
    if manifest["version"] != expected:
        raise BuildError(
            f"blender_manifest.toml says version {manifest['version']}, backend/version.py "
            f"{expected}. Make them equal."
        )
    files = {file.relative_to(source).as_posix(): file for file in collect(source)}
    files[f"{PAYLOAD}/{wheel.name}"] = wheel
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"synergyface-{expected}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return path


def collect(source: Path) -> list[Path]:
    """Return files to ship, sorted.

    Raises
    ------
    BuildError
        The folder holds a file that is not on the allow-list, or one too large to be source.
    """
    there = {
        path
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.relative_to(source).parts
    }
    allowed = {path for pattern in ALLOWED for path in source.glob(pattern)}
    strangers = sorted(path.relative_to(source).as_posix() for path in there - allowed)
    if strangers:
        raise BuildError(f"addon/ holds files that may not be shipped: {', '.join(strangers)}.")
    for path in allowed:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BuildError(f"{path.name} is too large to be source code: is there data in it?")
    return sorted(allowed)


def project_version() -> str:
    """Return ``VERSION`` of backend/version.py, read without importing the backend."""
    tree = ast.parse((ROOT / "backend" / "version.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return ast.literal_eval(node.value)
    raise BuildError("backend/version.py has no VERSION.")


def validate(path: Path) -> bool:
    """Tell whether Blender's validator has passed the zip; False if there is no Blender to ask.

    Raises
    ------
    BuildError
        The validator refuses it.
    """
    scripts = sorted((ROOT / ".venvs").glob(f"bpy-*/{VALIDATOR}"))
    for script in scripts:
        run = subprocess.run(
            [sys.executable, str(script), "validate", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise BuildError(f"Blender's validator refuses {path}:\n{run.stdout}{run.stderr}")
    return bool(scripts)


if __name__ == "__main__":
    sys.exit(main())
