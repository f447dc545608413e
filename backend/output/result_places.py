"""Which folder the results of each source go to: where its earlier ones are, or a free one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from backend.exchange.contract import numbered, result_names, same_name, usable_name
from backend.output.result_folder import BATCH_RECORD, RECORD, SHARED_RECORD, ResultFolder
from backend.output.result_record import ResultRecord, Source


def result_folders(
    output: Path, sources: Sequence[Source], taken: Iterable[str] = ()
) -> list[ResultFolder]:
    """Choose a folder in `output` for each source: that of its earlier results, or a free one.

    Parameters
    ----------
    taken
        Names in `output` that are used for something else.
    """

    def make(name: str, source: Source) -> ResultFolder:
        return ResultFolder.own(output / name, source)

    used = {same_name(name) for name in taken}
    earlier = _EarlierNames(output, RECORD)
    names = result_names([source.name for source in sources], taken)
    folders: list[ResultFolder] = []
    for source, name in zip(sources, names, strict=True):
        free = _free_name(source, [*earlier.of(source), name], used, make)
        used.add(same_name(free))
        folders.append(make(free, source))
    return folders


def shared_folder(output: Path, source: Source, endings: tuple[str, ...]) -> ResultFolder:
    """Choose how the names of a source's results begin in `output` itself.

    Parameters
    ----------
    endings
        How they end.
    """

    def make(name: str, source: Source) -> ResultFolder:
        return ResultFolder.shared(output, name, source, endings)

    names = [*_EarlierNames(output, SHARED_RECORD).of(source), *result_names([source.name])]
    return make(_free_name(source, names, set(), make), source)


class _EarlierNames:
    """What earlier runs have called the results in a folder, by the records there."""

    def __init__(self, output: Path, record: str) -> None:
        start, end = record.split("{}")
        found = [(p, p.name.removeprefix(start).removesuffix(end)) for p in output.glob(f".*{end}")]
        found += [(path, path.parent.name) for path in output.glob(f"*/{BATCH_RECORD}")]
        self._by_source: dict[str, str] = {}
        self._by_name: defaultdict[str, list[tuple[ResultRecord, str]]] = defaultdict(list)
        for path, name in found:
            earlier = ResultRecord.read(path)
            if earlier is not None:
                self._by_source[earlier.source] = name
                self._by_name[earlier.name].append((earlier, name))

    def of(self, source: Source) -> list[str]:
        """Return names of a source's results: under its path, and under another one before that."""
        here = self._by_source.get(source.identity)
        if here is not None:
            return [here]
        return [name for earlier, name in self._by_name[source.name] if earlier.is_of(source)]


def _free_name(
    source: Source,
    wanted: Sequence[str],
    used: set[str],
    make: Callable[[str, Source], ResultFolder],
) -> str:
    """Return the name of a source's earlier results, or else the first one that is free."""
    (short,) = result_names([source.name])
    usual = dict.fromkeys([*wanted, short, usable_name(source.name)])
    states = {name: make(name, source).state for name in usual if same_name(name) not in used}
    for state in ("ours", "free"):
        if state in states.values():
            return next(name for name in states if states[name] == state)
    tried = used | {same_name(short)}
    while make(candidate := numbered(short, tried), source).state == "taken":
        tried.add(same_name(candidate))
    return candidate
