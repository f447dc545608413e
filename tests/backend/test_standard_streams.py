"""Programs that are started without standard streams, or with such that take not everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="streams of POSIX")


def run(code: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ours whose work is `code`, started with redirections of a shell."""
    script = (
        "import sys\n"
        "from backend.cli import main\n"
        "from backend.commands import info\n"
        f"def run(args):\n    {code}\n    return 0\n"
        "info.run = run\n"
        "sys.exit(main(['info']))\n"
    )
    command = ["sh", "-c", f'exec "$0" -c "$1" {shell}', sys.executable, script]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command, capture_output=True, env=os.environ | environment | {"PYTHONPATH": root}
    )


@posix
@pytest.mark.parametrize("code_page", ["cp1252", "utf-8"])
def test_names_that_the_console_lacks(code_page: str) -> None:
    done = run(r"print('\u5199\udcfc.jpg'); print('\u5199', file=sys.stderr)",
               PYTHONIOENCODING=code_page)  # fmt: skip
    assert done.returncode == 0
    shown = "\u5199" if code_page == "utf-8" else r"\u5199"
    assert done.stdout.decode().strip() == shown + r"\udcfc.jpg"
    assert done.stderr.decode().strip() == shown


@posix
@pytest.mark.parametrize("missing", ["2>&-", "0<&- 1>&- 2>&-"])
def test_without_streams(missing: str, tmp_path: Path) -> None:
    """The next file takes the number of the missing stream, which libraries print to."""
    path = tmp_path / "result"
    code = (
        f"import os; file = open({str(path)!r}, 'w'); assert file.fileno() > 2; "
        "os.write(2, b'a library'); print('said', file=sys.stderr); print('told'); "
        "sys.stdin.read(); file.write('whole'); file.close()"
    )
    assert run(code, missing).returncode == 0
    assert path.read_text() == "whole"


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_is_full(unbuffered: str) -> None:
    done = run("print('told')", ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == (
        b"synergyface: Cannot write to the standard output: No space left on device.\n"
    )


@posix
def test_a_reader_that_has_enough() -> None:
    code = "import sys; from backend.cli import main; sys.exit(main(['info']))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
