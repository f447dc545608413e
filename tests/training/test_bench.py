"""`synergyface bench training`, and the bench of a backend that has no training beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.cli import build_parser, main
from backend.commands import bench

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "synergynet" / "paper.yaml"


def test_the_training_is_timed(small_pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two sizes of a short run, in the order of the training."""
    options = {
        "data.pack": small_pack,
        "data.batch_size": 4,
        "data.one_in": 4,
        "data.workers": 0,
        "model.optimiser.learning_rate": 1e-4,
        "model.resolutions": '[{"start": 0.5, "size": 64}, {"start": 0.0, "size": 32}]',
        "trainer.accelerator": "cpu",
    }
    given = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    assert main(["bench", "training", "--steps", "2", "--json", str(CONFIG), *given]) == 0
    rates = json.loads(capsys.readouterr().out)
    assert [rate["size"] for rate in rates] == [32, 64]
    assert all(rate["refines"] for rate in rates)
    # No floor: another computer may be slow. Decoding alone is faster than a whole step anywhere.
    assert all(rate["loader"] > rate["joint"] > 0 and rate["step"] > 0 for rate in rates)


def test_steps_must_be_a_number_of_at_least_one() -> None:
    assert main(["bench", "training", "--steps", "0", str(CONFIG)]) == 2


def test_a_backend_alone_has_no_trace_of_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "entry_points", lambda group: [])
    with pytest.raises(SystemExit):
        build_parser().parse_args(["bench", "--help"])
    assert "training" not in capsys.readouterr().out
    assert build_parser().parse_args(["bench", "--repeat", "3"]).repeat == 3
