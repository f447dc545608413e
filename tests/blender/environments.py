"""Make the virtual environments of the Blender modules, and run the tests in each of them.

``python environments.py make|test VERSION...``: ``make`` creates ``.venvs/bpy-<version>`` where
it does not exist yet, and says which system libraries are missing; ``test`` runs the tests, two
versions at a time: all of them in the first version, those marked ``every_version`` in the others
(all in all with ``$SYNERGYFACE_LONG``). Blender's modules need Python 3.11 up to Blender 5.0 and
3.13 from 5.1 on. Versions without their Python are named and left out, but fail where ``$CI`` is
set.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".venvs"
PYTHON = str(ROOT / ".venv/bin/python")
# Blender's first module for Python 3.13.
NEWER_PYTHON = (5, 1)
# Each of them has Blender in one process and the backend in another.
AT_A_TIME = 2
# What the module does not bring itself, and Debian's and Ubuntu's package of it.
LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
LOAD_EACH = """
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
"""


class EnvironmentProblem(Exception):
    """The tests cannot run here; the message says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Blender modules to test in.")
    parser.add_argument("action", choices=("make", "test"))
    parser.add_argument("versions", nargs="+", metavar="VERSION")
    options = parser.parse_args(arguments)
    pythons = {version: find_python(python_of(version)) for version in options.versions}
    found = [version for version in options.versions if pythons[version]]
    missing = [skip(version) for version in options.versions if not pythons[version]]
    try:
        if options.action == "make":
            for version in found:
                make(pythons[version] or "", version)
            if found:
                check_libraries(pythons[found[0]] or "")
            return max(missing, default=0)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            first = options.versions[0]
            codes = list(pool.map(lambda version: run_tests(version, version == first), found))
            return max(codes + missing)
    except EnvironmentProblem as problem:
        print(f"tests/blender: {problem}", file=sys.stderr)
        return 1


def python_of(version: str) -> str:
    """Name the version of Python that a Blender module is built for."""
    major, minor, *_ = (int(part) for part in version.split("."))
    return "3.11" if (major, minor) < NEWER_PYTHON else "3.13"


def find_python(wanted: str) -> str | None:
    """Find a Python of a version that works: on the PATH, or one of pyenv's."""
    code = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{wanted}')"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    others = sorted(pyenv.glob(f"{wanted}*/bin/python{wanted}"), reverse=True)
    for candidate in (sys.executable, shutil.which(f"python{wanted}"), *map(str, others)):
        # Pyenv puts programs on the PATH that only say that they are not switched on.
        run = candidate and subprocess.run(
            [candidate, "-c", code], capture_output=True, check=False
        )
        if run and not run.returncode:
            return candidate
    return None


def skip(version: str) -> int:
    """Say loudly that a version is not tested; an error under CI."""
    under_ci = bool(os.environ.get("CI"))
    word = "FAILED" if under_ci else "SKIPPED"
    print(
        f"\n*** {word}: the tests in Blender {version}. Its module needs Python "
        f"{python_of(version)} (python{python_of(version)} with venv) on the PATH or in pyenv. "
        "***\n",
        file=sys.stderr,
    )
    return int(under_ci)


def make(python: str, version: str) -> None:
    """Make the virtual environment of one Blender version, unless it is there."""
    folder = environment(version)
    # Modules of Python 3.11 are built for NumPy 1.
    numpy = "numpy<2" if python_of(version) == "3.11" else "numpy"
    requirements = [f"bpy=={version}", numpy, "pytest>=8,<10"]
    finished = folder / "requirements.txt"
    if finished.exists() and finished.read_text("utf-8").split("\n") == requirements:
        return
    print(f"Installing Blender {version} as a module into {folder.relative_to(ROOT)}", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(interpreter(version)), "-m", "pip", "--disable-pip-version-check"]
    run = subprocess.run([*pip, "install", "--quiet", *requirements], check=False)
    if run.returncode:
        raise EnvironmentProblem(
            f"Blender {version} could not be installed (see above); it needs PyPI, 1.5 GB of "
            "disk and a 64-bit Linux, macOS or Windows."
        )
    finished.write_text("\n".join(requirements), "utf-8")


def check_libraries(python: str) -> None:
    """Name the system libraries that are missing, with the line that installs them.

    Raises
    ------
    EnvironmentProblem
        Some are.
    """
    if not sys.platform.startswith("linux"):
        return
    run = subprocess.run(
        [python, "-c", LOAD_EACH, *LIBRARIES], capture_output=True, text=True, check=True
    )
    packages = " ".join(LIBRARIES[name] for name in run.stdout.split())
    if packages:
        raise EnvironmentProblem(
            f"Blender's modules lack system libraries. Run: apt-get install -y {packages}"
        )


def run_tests(version: str, all_of_them: bool) -> int:
    """Exit code of the tests in one Blender version; what they say is printed when they end."""
    variables = {"SYNERGYFACE_PYTHON": PYTHON} | os.environ
    command = [str(interpreter(version)), "-m", "pytest", str(HERE), "-q", "--durations=25"]
    if not all_of_them and not os.environ.get("SYNERGYFACE_LONG"):
        command += ["-m", "every_version"]
    run = subprocess.run(
        command,
        env=variables,
        check=False,
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    print(f"\nBlender {version}\n{run.stdout}", flush=True)
    return run.returncode


def environment(version: str) -> Path:
    """Folder of the virtual environment."""
    return ENVIRONMENTS / f"bpy-{version}"


def interpreter(version: str) -> Path:
    """Its Python."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return environment(version) / inside


if __name__ == "__main__":
    sys.exit(main())
