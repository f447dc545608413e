"""The report of ablations on run folders that the tests write, and the configs that train them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.cli import main
from training.ablations import DESIGNS, Design, design_of
from training.published import ABLATIONS, SIZE, TABLE_1
from training.runs import Run

CONFIGS = Path(__file__).parents[2] / "training" / "configs" / "synergynet"
FULL = {"refinement": "mafa", "reverse": "adopted"}
PLAIN = {"refinement": "none", "reverse": "none"}


def write_run(
    folder: Path,
    architecture: dict[str, Any],
    validations: list[tuple[int, dict[str, float]]],
    seed: int = 1,
    landmarks: float = 0.03,
    **settings: object,
) -> None:
    """What Lightning leaves: lines of training and of validation in one file, and the config."""
    folder.mkdir(parents=True)
    names = sorted({name for _, figures in validations for name in figures})
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "step", "train/loss", *names])
        writer.writeheader()
        for step, figures in validations:
            writer.writerow({"epoch": 0, "step": step - 1, "train/loss": 3.2})
            writer.writerow({"epoch": 0, "step": step, **figures})
    config = {
        "seed_everything": seed,
        "model": {"architecture": architecture, "loss_weights": {"landmarks": landmarks}},
        "trainer": {"max_epochs": 12} | settings,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def figures(first: float, angle: float = 4.0) -> dict[str, float]:
    """Yaw bins `first`, `first` + 1 and `first` + 2; photos a tenth of it."""
    bins = {f"val/yaw_{name}": first + i for i, name in enumerate(("0_30", "30_60", "60_90"))}
    angles = {f"val/angle_{name}": angle for name in ("yaw", "pitch", "roll", "mean")}
    return bins | angles | {"val/refined_all": first / 10, "val/refined_inner": first / 20}


def report(capsys: pytest.CaptureFixture[str], *runs: Path) -> dict[str, Any]:
    assert main(["report", "ablations", *map(str, runs), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def row_of(answer: dict[str, Any], title: str, config: str) -> dict[str, Any]:
    table = next(table for table in answer["tables"] if table["title"].startswith(title))
    row = next(row for row in table["rows"] if row["config"] == config)
    return {"columns": table["columns"]} | row


def test_mean_and_spread_of_seeds_beside_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seeds with 2 and 4 in the first bin: mean 3, standard deviation sqrt(2)."""
    write_run(tmp_path / "full" / "version_0", FULL, [(10, figures(9)), (20, figures(2))])
    write_run(tmp_path / "full" / "version_1", FULL, [(20, figures(4, angle=6))], seed=2)
    answer = report(capsys, tmp_path)
    row = row_of(answer, "Table 1: AFLW2000-3D original", "full")
    assert row["columns"] == ["0-30", "30-60", "60-90", "bins' mean", "photos", "photos, inner"]
    assert row["paper"] == [2.66, 3.30, 4.27, 3.41, None, None]
    assert row["runs"] == 2
    assert row["ours"] == pytest.approx([3, 4, 5, 4, 0.3, 0.15])
    assert row["spread"] == pytest.approx([2**0.5] * 4 + [2**0.5 / 10, 2**0.5 / 20])
    assert row_of(answer, "Table 6", "full")["ours"] == pytest.approx([5] * 4)
    assert row_of(answer, "Table 1: AFLW2000-3D original", "plain")["ours"] is None
    assert len(answer["notes"]) == 1


def test_a_resumed_run_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "version_0", FULL, [(10, figures(9))])
    write_run(tmp_path / "version_1", FULL, [(20, figures(2))])
    row = row_of(report(capsys, tmp_path), "Table 3", "full")
    assert row["runs"] == 1
    assert row["ours"][0] == 2
    assert row["spread"] is None


def test_what_a_run_did_not_measure_stays_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = {name: value for name, value in figures(3).items() if name != "val/yaw_60_90"}
    write_run(tmp_path / "run", FULL, [(10, some)])
    row = row_of(report(capsys, tmp_path / "run"), "Table 2", "full")
    assert row["ours"][:4] == [3, 4, None, None]


def test_sizes_of_networks_stand_in_table_s2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2,223,872 of MobileNetV2 and 1280 x 62 + 62 of the heads make the plain network."""
    write_run(tmp_path / "run", PLAIN, [(10, figures(3))], landmarks=0.0)
    row = row_of(report(capsys, tmp_path), "Table S2: AFLW2000-3D original", "plain")
    assert row["columns"][0] == SIZE
    assert row["ours"][0] == pytest.approx(2.303294)


def test_unequal_budgets_and_strange_networks_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "full", FULL, [(10, figures(3))])
    write_run(tmp_path / "plain", PLAIN, [(10, figures(3))], landmarks=0.0, max_epochs=80)
    odd = {"refinement": "points", "reverse": "with_attributes"}
    write_run(tmp_path / "odd", odd, [(10, figures(3))])
    notes = "\n".join(report(capsys, tmp_path)["notes"])
    assert "trainer.max_epochs differs" in notes
    assert f"{tmp_path / 'odd'} is no row of the paper" in notes
    assert "model.optimiser" not in notes


def test_text_has_the_paper_and_ours_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a", FULL, [(10, figures(2))])
    write_run(tmp_path / "b", FULL, [(10, figures(4))], seed=2)
    assert main(["report", "ablations", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Table 3"))
    block = [line.split() for line in lines[start + 1 : start + 6]]
    assert block[2] == ["adopted:", "paper", "2.66", "3.30", "4.27", "3.41", "-", "-"]
    assert block[3][-6:] == ["3.00", "4.00", "5.00", "4.00", "0.30", "0.15"]
    assert block[4][:3] == ["adopted:", "ours,", "spread"]


def test_a_run_that_has_just_begun_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "done", FULL, [(10, figures(2))])
    write_run(tmp_path / "begun", FULL, [(10, {})], seed=2)
    assert main(["report", "ablations", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert f"{tmp_path / 'begun'} was never validated." in report["notes"]
    assert not any("spread" in note or "equal budget" in note for note in report["notes"])


@pytest.mark.parametrize("fault", ["empty", "no config", "never validated", "unknown network"])
def test_bad_runs_are_refused_with_a_reason(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    if fault == "empty":
        run.mkdir()
    elif fault == "never validated":
        write_run(run, FULL, [(10, {})])
    else:
        network = {"refinement": "sharpen"} if fault == "unknown network" else FULL
        write_run(run, network, [(10, figures(2))])
        if fault == "no config":
            (run / "config.yaml").unlink()
    assert main(["report", "ablations", str(run)]) == 2
    assert capsys.readouterr().err.startswith("synergyface: ")


def test_published_means_are_the_means_of_their_bins() -> None:
    """A typing error would show. The paper's own row of MAFA in Table 1 is off by 0.04."""
    for table in ABLATIONS:
        for row in table.rows:
            values = row.values[1:] if table.columns[0] == SIZE else row.values
            off = 0.045 if (table is TABLE_1 and row.config == "mafa_only") else 0.0101
            assert sum(values[:3]) / 3 == pytest.approx(values[3], abs=off), (table.title, row)
    assert [row.config for row in TABLE_1.rows] == ["plain", "mafa_only", "reverse_only", "full"]


@pytest.mark.parametrize("name", list(DESIGNS))
def test_each_row_has_a_config_that_makes_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the shipped command understands it, on top of the default and with the budget."""
    files = ("default.yaml", f"ablations/{name}.yaml", "ablations/budget.yaml")
    options = [part for file in files for part in ("--config", str(CONFIGS / file))]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "synergynet", *options, "--print_config"])
    assert stopped.value.code == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert design_of(Run(Path(), config, 0, {})) == DESIGNS[name]
    assert config["model"]["weights"] is None
    assert config["model"]["refine_from"] == 0
    assert config["trainer"]["logger"]["init_args"]["name"] == name


def test_rows_are_the_papers() -> None:
    """Every row of the tables can be trained, and no two configs are the same."""
    assert {row.config for table in ABLATIONS for row in table.rows} == set(DESIGNS)
    assert len(set(DESIGNS.values())) == len(DESIGNS)
    assert DESIGNS["plain"] == Design("none", "none", landmark_loss=False)
    configs = {path.stem for path in (CONFIGS / "ablations").glob("*.yaml")}
    assert configs == set(DESIGNS) | {"budget"}
