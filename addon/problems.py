"""Failures on Blender's side, in words for the person who meets them."""


class Problem(Exception):
    """Something that the add-on understands and will not do.

    Attributes
    ----------
    message
        What is wrong.
    remedy
        What to do about it; may be empty.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class NotNow(Problem):
    """Something that the add-on will do as soon as the user has ended what stands in its way."""
