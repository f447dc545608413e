"""Folders of results: whose they are, and how results take the place of an earlier run's.

Nothing is written over, and nothing removed, but what an earlier run has made of the same source
and nobody has changed since; a record of digests proves it (`result_record`).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from backend.data_folder import TEMPORARY, flush, unwritable
from backend.errors import BadInputError
from backend.exchange.contract import same_name
from backend.output.result_record import ResultRecord, Source, digests_in

# Beside the folder of results, which holds nothing else; and of results that share a folder.
RECORD = ".{}.synergyface.json"
SHARED_RECORD = ".{}.synergyface-files.json"
# Of a batch, in the folder of results: where it is, they are whole, and it takes the other's place.
BATCH_RECORD = "batch.json"
# What a run that was killed has left is swept after a day.
STALE_SECONDS = 24 * 3600.0
LEFT_BEHIND = re.compile(re.escape(TEMPORARY) + r"[a-z0-9_]{8}(\.\w+)?")

State = Literal["ours", "free", "taken"]


@dataclass(frozen=True)
class ResultFolder:
    """Where the results of one source go.

    Attributes
    ----------
    home
        The folder: the source's own, or one that it shares with others.
    source
        What they are made from.
    records
        Files that may hold the record of the folder; the first is written.
    prefix, endings
        How the names of results begin and end in a folder that is shared; else empty.
    """

    home: Path
    source: Source
    records: tuple[Path, ...]
    prefix: str = ""
    endings: tuple[str, ...] = ()

    @classmethod
    def own(cls, home: Path, source: Source) -> ResultFolder:
        """A folder for one source alone."""
        return cls(home, source, (home.with_name(RECORD.format(home.name)), home / BATCH_RECORD))

    @classmethod
    def shared(
        cls, home: Path, name: str, source: Source, endings: tuple[str, ...]
    ) -> ResultFolder:
        """A folder in which the names of a source's results begin with its own."""
        return cls(home, source, (home / SHARED_RECORD.format(name),), f"{name}_", endings)

    @property
    def state(self) -> State:
        """Whether earlier results of the same source are here, nothing, or something else."""
        known = [record for path in self.records if (record := ResultRecord.read(path))]
        if any(record.is_of(self.source) for record in known):
            return "ours"
        at_work = any(not record.files for record in known)
        return "taken" if at_work or self._occupied() else "free"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder for the source; let it go again if nothing has come of it.

        Raises
        ------
        BadInputError
            It cannot be written to, or holds something else by now.
        """
        new = not os.path.lexists(self.home.parent)
        self._claim()
        try:
            yield
        finally:
            self._release()
            if new:
                with suppress(OSError):
                    self.home.parent.rmdir()

    @contextmanager
    def filled(self, tell: Callable[[str], object]) -> Iterator[Path]:
        """Yield an empty folder; what is in it at the end of the block goes to `home`.

        There it takes the place of an earlier run's results of the same source, of which nothing
        stays. What somebody has changed in them, or put in their way, is kept under another name.
        The folder must be `claimed`.

        Parameters
        ----------
        tell
            Called with a sentence on each file that was kept so.

        Raises
        ------
        BadInputError
            The folder cannot be written to.
        """
        place = self.home if self.prefix else self.home.parent
        try:
            with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=place) as name:
                staged = Path(name)
                yield staged
                self._put(staged, tell)
        except OSError as error:
            raise unwritable(self.home, error) from error

    def seal(self, **facts: object) -> None:
        """Say of results that are in place that they are whole, by a record with more in it.

        Raises
        ------
        BadInputError
            It cannot be written.
        """
        beside, inside = self.records
        record = ResultRecord.read(beside) or ResultRecord.of(self.source, {})
        replace(record, more=facts).write(inside)
        beside.unlink(missing_ok=True)

    def _occupied(self) -> bool:
        if not os.path.lexists(self.home):
            return False
        if self.prefix:
            names = (same_name(path.name) for path in self.home.iterdir())
            start, ends = same_name(self.prefix), self.endings
            return any(name.startswith(start) and name.endswith(ends) for name in names)
        return self.home.is_symlink() or not self.home.is_dir() or any(self.home.iterdir())

    def _claim(self) -> None:
        try:
            state = self.state
            if state == "taken":
                raise self._taken()
            self.home.mkdir(parents=True, exist_ok=True)
            if state == "free":
                for path in self.records:
                    path.unlink(missing_ok=True)  # of results that somebody has removed
                # Fails where another run does the same at this moment.
                with self.records[0].open("x", encoding="utf-8") as file:
                    file.write(ResultRecord.of(self.source, {}).text)
        except FileExistsError as error:
            raise self._taken() from error
        except OSError as error:
            raise unwritable(self.home, error) from error

    def _taken(self) -> BadInputError:
        return BadInputError(
            f"{self.home} contains something other than results of {self.source.identity}.",
            "Run the command again, or choose another folder.",
        )

    def _release(self) -> None:
        record = ResultRecord.read(self.records[0])
        if record is None or record.files:
            return
        with suppress(OSError):
            if self.prefix or not set(self.home.iterdir()) - set(self.records):
                self.records[0].unlink()
                self.home.rmdir()

    def _earlier(self) -> dict[str, tuple[str, ...]]:
        """Digests of all that earlier runs have left here of the source."""
        files: dict[str, tuple[str, ...]] = {}
        for path in self.records:
            record = ResultRecord.read(path)
            if record is not None and record.is_of(self.source):
                files |= record.files
        return files

    def _put(self, staged: Path, tell: Callable[[str], object]) -> None:
        """Move files into place, so that whoever is stopped in the middle can prove what is his."""
        new, earlier = digests_in(staged), self._earlier()
        both = {name: (*earlier.get(name, ()), *digest) for name, digest in new.items()}
        ours = ResultRecord.of(self.source, earlier | both)
        ours.write(self.records[0])
        for path in self.records[1:]:
            path.unlink(missing_ok=True)  # whose results are not whole any more
        for name in new:
            for path in self._ways(name):
                if self._foreign(path, ours):
                    tell(f"{path} has changed since an earlier run. It is now {_set_aside(path)}.")
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).replace(self.home / name)
        for name in set(earlier) - set(new):
            if ours.vouches_for(self.home, name):
                _remove(self.home, name)
        for folder in {(self.home / name).parent for name in new} | {self.home, self.home.parent}:
            flush(folder)
        ResultRecord.of(self.source, new).write(self.records[0])

    def _ways(self, name: str) -> list[Path]:
        """Folders in `home` that lead to a file, from the outermost on, and the file."""
        path = self.home / name
        return [*(p for p in reversed(path.parents) if self.home in p.parents), path]

    def _foreign(self, path: Path, ours: ResultRecord) -> bool:
        """Whether something is in the way of a file of ours, or of a folder around it."""
        name = path.relative_to(self.home).as_posix()
        if name in ours.files:
            return os.path.lexists(path) and not ours.vouches_for(self.home, name)
        return path.is_symlink() or (path.exists() and not path.is_dir())


def sweep(output: Path) -> None:
    """Remove what runs that were killed have left behind in a folder; it carries our own name."""
    with suppress(OSError):
        for path in output.glob(f"{TEMPORARY}*"):
            if not LEFT_BEHIND.fullmatch(path.name) or path.is_symlink():
                continue
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _set_aside(path: Path) -> Path:
    """Rename a file to a name that is free."""
    number = 2
    while os.path.lexists(aside := path.with_name(f"{path.stem}-{number}{path.suffix}")):
        number += 1
    return path.rename(aside)


def _remove(home: Path, name: str) -> None:
    """Remove a file, and the folders in `home` that are empty without it."""
    path = home / name
    path.unlink()
    for folder in path.parents:
        if folder == home or any(folder.iterdir()):
            return
        folder.rmdir()
