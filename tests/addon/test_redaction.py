"""Nothing personal is left in what a person is asked to publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon.redaction import without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No file /mnt/Jane Doe/my child.jpg. Choose one.", "No file <path>.jpg. Choose one."),
        ("gone: ~/secret/python.", "gone: <path>."),
        ("gone: /home/jane/x/photo.png", "gone: <path>.png"),
        (r"C:\Users\Jane Doe\My Pics\me.png is bad", "<path>.png is bad"),
        (r"\\server\jane\me.jpg", "<path>.jpg"),
        (r"'C:\\Users\\jane\\me.jpg'", "'<path>.jpg'"),
        (
            'File "/home/jane/lib/site-packages/backend/engines.py", line 3',
            'File "<path>/site-packages/backend/engines.py", line 3',
        ),
        ("See https://faces.dmi.unibas.ch/bfm/", "See https://faces.dmi.unibas.ch/bfm/"),
        ("yaw/pitch/roll 1/2, the key / the door", "yaw/pitch/roll 1/2, the key / the door"),
    ],
)
def test_paths_are_cut(text: str, expected: str) -> None:
    assert without_paths(text, Path("/home/jane")) == expected
