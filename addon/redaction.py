"""Text without what could tell whose computer it comes from."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

# Names of files that are ours or Python's say where it failed, and nothing about a person.
KEPT_SUFFIXES = (".py", ".so", ".dll", ".dylib", ".pyd", ".npz", ".safetensors", ".onnx", ".json")
KEPT_PARTS = 3

_START = r"(?:[A-Za-z]:[\\/]+|\\\\|/)"
_FOLDERS = r"(?:[^/\\\n\"'<>|*?]+[/\\]+)*"
# Names may have spaces in them: up to the first suffix then, else up to the first space.
_NAME = r"(?:[^/\\\n\"'<>|*?]*?\.\w{1,11}\b|[^/\\\s\"'<>|*?,;:)]*)"
_PATH = re.compile(rf"(?<![\w.:/\\~<]){_START}{_FOLDERS}{_NAME}")


def without_home(text: str, home: Path | None = None) -> str:
    """Return `text` with the home folder written as ``~``."""
    folder = home or Path.home()
    if folder == Path(folder.anchor):
        return text
    for spelling in {str(folder), folder.as_posix(), repr(str(folder))[1:-1]}:
        text = text.replace(spelling, "~")
    return text


def without_paths(text: str, home: Path | None = None) -> str:
    """Return `text` with every absolute path cut to what helps to find a fault.

    Of program files the last three parts stay, of all others the suffix: ``<path>.jpg``.
    """
    text = re.sub(r"~(?=[/\\])", str(home or Path.home()).replace("\\", r"\\"), text)
    return _PATH.sub(lambda match: _cut(match[0]), text)


def _cut(path: str) -> str:
    stripped = path.rstrip(".")
    parts = [part for part in re.split(r"[/\\]+", stripped) if part]
    suffix = PurePosixPath(parts[-1]).suffix if parts else ""
    if not parts:
        return path
    end = path[len(stripped) :]
    if suffix.lower() in KEPT_SUFFIXES:
        return "/".join(["<path>", *parts[-KEPT_PARTS:]]) + end
    return f"<path>{suffix}{end}"
