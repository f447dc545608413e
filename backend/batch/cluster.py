"""A batch on a Ray cluster: many computers that share the folders of the batch.

Ray unpickles what its peers send: whoever reaches a cluster's ports runs programs on its computers.
Use it in networks that you trust, and nowhere else.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backend.batch.items import Item, Outcome, Work
from backend.errors import BadInputError

# A lost worker's item is done again somewhere else, this often.
RETRIES = 3
CONNECT_SECONDS = 5.0
MAX_ADDRESS = 200


def run_on_cluster(
    items: Sequence[Item], work: Work, address: str, on_gpu: bool = False
) -> Generator[Outcome]:
    """Do items on the cores of a cluster; yields outcomes as they come.

    Parameters
    ----------
    items
        What is to be done; their paths mean the same files on every computer.
    work
        Does one; it is pickled.
    address
        ``HOST:PORT`` of the cluster's head, ``ray://HOST:PORT`` from outside, or ``auto``: the one
        that this person has started on this computer.
    on_gpu
        Whether an item takes a GPU and not a core.

    Raises
    ------
    BadInputError
        Ray is not installed, no cluster answers, or ``auto`` leads to somebody else's.
    """
    ray = _import_ray()
    address = _own_cluster() if address == "auto" else address
    _require_listener(address)
    with _connected(ray, address):
        needs = {"num_gpus": 1} if on_gpu else {"num_cpus": 1}
        remote = ray.remote(max_retries=RETRIES, **needs)(_do)
        waiting = {remote.remote(work, item): item for item in items}
        while waiting:
            (reference, *_), _ = ray.wait(list(waiting))
            yield _outcome(ray, reference, waiting.pop(reference))


def _do(work: Work, item: Item) -> Outcome:
    return work(item)


def _outcome(ray: Any, reference: Any, item: Item) -> Outcome:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Outcome(item, "failed", problem=f"The cluster gave up: {lines[0]}")


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise BadInputError(
            "Ray is not installed.", "Install it with `pip install 'synergyface[ray]'`."
        ) from error
    return ray


def _own_cluster() -> str:
    """Address of the cluster that this person has started here, as Ray notes it down.

    Ray itself would believe a note that anybody has left in a folder that is open to all, and any
    process that is called like Ray's.
    """
    named = os.environ.get("RAY_ADDRESS", "auto")
    if named not in ("", "auto"):
        return named
    note = _note_of_ray()
    try:
        handle = os.open(note, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _NO_WAIT)
    except OSError as error:
        raise _no_cluster("auto", f"{note} names none that was started here.") from error
    with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
        if os.name == "posix" and not _only_ours(os.fstat(handle)):
            raise _no_cluster("auto", f"others than you may have written {note}.")
        return file.read(MAX_ADDRESS).strip()


# A pipe in the note's place must not be waited for.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def _note_of_ray() -> Path:
    variables = ("RAY_TMPDIR", "TMPDIR")
    chosen = [os.environ[name] for name in variables if name in os.environ]
    usual = tempfile.gettempdir() if os.name == "nt" else "/tmp"
    return Path(chosen[0] if chosen else usual) / "ray" / "ray_current_cluster"


def _only_ours(status: os.stat_result) -> bool:
    """Whether nobody but this person can have written a file, whoever may write to its folder."""
    closed = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(status.st_mode) and closed and status.st_uid == os.geteuid()


def _require_listener(address: str) -> None:
    """Ray itself would try for minutes where nothing listens."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    # Ray takes a loopback address to mean this computer by its other name.
    others = (socket.gethostname(),) if host in ("127.0.0.1", "localhost") else ()
    for name in (host, *others):
        with suppress(OSError), socket.create_connection((name, int(port)), CONNECT_SECONDS):
            return
    raise _no_cluster(address, "nothing listens there.")


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, str(error).splitlines()[0]) from error
    try:
        yield
    finally:
        ray.shutdown()


def _no_cluster(address: str, reason: str) -> BadInputError:
    return BadInputError(
        f"No Ray cluster answers at {address}: {reason}",
        "Start one with `ray start --head`, and give the address that it prints.",
    )
