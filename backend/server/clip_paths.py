"""Which files of this computer a client may name in place of sending them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from backend.errors import BadInputError
from backend.server.problems import Problem, ProblemError
from backend.vision.image_sequence import is_image_sequence, numbered_pictures


@dataclass(frozen=True)
class ClipPaths:
    """What clients may name; nothing by default.

    Attributes
    ----------
    anywhere
        Whatever the backend itself may read. The add-on starts its own backend so: who knows the
        token is the same person, and chooses the clip in Blender's file browser.
    folders
        Else what lies in these folders, symbolic links followed.
    """

    anywhere: bool = False
    folders: tuple[Path, ...] = ()

    @property
    def any_allowed(self) -> bool:
        """Whether there is anything that may be named."""
        return self.anywhere or bool(self.folders)

    def find(self, text: str) -> Path:
        """The film, folder of pictures or pattern of pictures that a client names.

        Raises
        ------
        ProblemError
            It may not be named (403).
        BadInputError
            It is not an absolute path, or there is nothing there.
        """
        try:
            named = Path(text)
            if not named.is_absolute():
                raise BadInputError(
                    f"{text!r} is not a full path.",
                    "Give the path from the root folder.",
                    code="relative-path",
                )
            # A pattern of pictures is no file itself: its folder is.
            place = named.resolve() if named.exists() else named.parent.resolve() / named.name
            if not self.anywhere and not self._inside(place):
                raise _forbidden(text)
            there = (
                place.is_file()
                or place.is_dir()
                or (place.parent.is_dir() and any(sign in place.name for sign in "%*?"))
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise _missing(text) from error
        if not there:
            raise _missing(text)
        return place

    def _inside(self, place: Path) -> bool:
        """Whether it lies in the folders, with every picture that it stands for."""
        folders = [folder.resolve() for folder in self.folders]

        def allowed(path: Path) -> bool:
            return any(path.is_relative_to(folder) for folder in folders)

        # The place first: what is in a folder of others is nobody's business.
        return allowed(place) and all(allowed(p.resolve()) for p in _pictures(place))


def _pictures(place: Path) -> list[Path]:
    """Of a folder or pattern; that there are none is said by who reads it."""
    if not is_image_sequence(place):
        return []
    try:
        return [picture for _, picture in numbered_pictures(place)]
    except BadInputError:
        return []


def _forbidden(text: str) -> ProblemError:
    return ProblemError(
        Problem(
            HTTPStatus.FORBIDDEN,
            "path-not-allowed",
            f"The backend is not allowed to read {text}.",
            "Send the clip itself, or start the backend with --allow-paths and its folder.",
        )
    )


def _missing(text: str) -> BadInputError:
    return BadInputError(
        f"There is no clip {text} on the backend's computer.",
        "Check its name and folder, or send the clip itself.",
        code="missing-file",
    )
