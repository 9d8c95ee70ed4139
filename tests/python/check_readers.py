"""Reads a finished result with pandas, pyarrow, DuckDB and Polars, and checks that they see the same.

    check_readers.py results/ch6 RUNS

A table exists only if some run has rows in it. All tables that exist are checked.
"""

import math
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq

TABLES = {
    "history": ["run_id", "label", "seed", "step", "epoch", "loss", "penalty", "lr"],
    "evaluations": ["run_id", "label", "seed", "step", "epoch", "split", "loss", "accuracy", "rmse"],
    "layers": ["run_id", "label", "seed", "step", "layer", "what", "value"],
    "histograms": ["run_id", "label", "seed", "step", "layer", "what", "bin_low", "bin_high", "count"],
    "trajectories": ["run_id", "label", "seed", "step", "x", "y", "value"],
    "gradient_checks": ["run_id", "label", "seed", "step", "parameter", "mean_error", "max_error"],
}
# For classes, and for values.
EITHER = ["accuracy", "rmse"]
TEXTS = {"run_id", "label", "split", "layer", "what", "parameter"}

FOOTER = [f"paribus.{key}" for key in ("format_version", "numerics_version", "version", "commit", "cpu", "host", "experiment", "experiment_text", "plan")]


def facts(name: str, folder: Path) -> None:
    """Checks that every reader counts the same rows and gets the same sums, and that texts are texts."""
    columns = TABLES[name]
    pandas = pd.read_parquet(folder / name)
    arrow = ds.dataset(folder / name).to_table()
    duck = duckdb.sql(f"from '{folder}/{name}/*.parquet'")
    polars = pl.scan_parquet(f"{folder}/{name}/*.parquet").collect()
    assert list(pandas.columns) == columns, list(pandas.columns)
    assert arrow.column_names == columns
    assert duck.columns == columns
    assert polars.columns == columns

    rows = len(pandas)
    assert rows > 0 and arrow.num_rows == rows and polars.height == rows and len(duck.fetchall()) == rows
    for column in (column for column in columns if column not in TEXTS):
        sums = [
            math.fsum(pandas[column].dropna()),
            math.fsum(value for value in arrow[column].to_pylist() if value is not None),
            math.fsum(polars[column].drop_nulls()),
            math.fsum(row[0] for row in duck.project(column).fetchall() if row[0] is not None),
        ]
        assert len(set(sums)) == 1 and math.isfinite(sums[0]), (column, sums)
    for column in (column for column in columns if column in TEXTS):
        words = set(pandas[column].astype(str))
        assert words == set(polars[column].cast(pl.String)), column
        assert words == {row[0] for row in duck.project(column).fetchall()}, column
    assert not pandas.drop(columns=EITHER, errors="ignore").isna().any().any(), "a value is missing"
    if name == "evaluations":
        assert (pandas[EITHER].notna().sum(axis=1) == 1).all(), "a row has an accuracy or an error"
    print(f"{name}: {rows} rows, pandas {dict(pandas.dtypes.astype(str))}")


def recorded(folder: Path) -> pd.DataFrame:
    """run_id, step and loss of every recorded step: the history of networks, or the values along the paths over functions."""
    if (folder / "history").exists():
        return pd.read_parquet(folder / "history", columns=["run_id", "step", "loss"])
    return pd.read_parquet(folder / "trajectories", columns=["run_id", "step", "value"]).rename(columns={"value": "loss"})


def rows_expected(run: pd.Series) -> int:
    """How many rows a finished run has recorded: paths include the start, and the last loss is always recorded."""
    if pd.notna(run.get("function")):
        return run["steps"] + 1
    last, every = run["steps"] - 1, run["loss_every"]
    return last // every + 1 + (last % every != 0)


def runs(folder: Path) -> pd.DataFrame:
    """The runs table. Checks that it sums up what every finished run recorded, and that no other run recorded anything."""
    table = pd.read_parquet(folder / "runs")
    assert table["run_id"].is_unique
    assert set(table["status"]) <= {"finished", "diverged", "failed"}
    losses = dict(list(recorded(folder).astype({"run_id": str}).groupby("run_id")))
    assert set(losses) <= set(table["run_id"].astype(str))
    for _, row in table.iterrows():
        if row["status"] != "finished":
            assert row["status"] != "diverged" or row["final_loss"] == math.inf, row["run_id"]
            continue
        loss = losses[row["run_id"]].sort_values("step")["loss"]
        last = loss.tail(1 if pd.notna(row.get("function")) else 100)
        assert math.isclose(row["final_loss"], last.mean(), rel_tol=1e-12), row["run_id"]
        assert row["best_loss"] == loss.min(), row["run_id"]
        assert len(loss) == rows_expected(row), row["run_id"]
    polars = pl.read_parquet(f"{folder}/runs/*.parquet")
    assert polars.height == len(table)
    ranked = duckdb.sql(f"select label from '{folder}/runs/*.parquet' order by final_loss").fetchall()
    assert [row[0] for row in ranked] == list(table.sort_values("final_loss")["label"].astype(str))
    print(f"runs: {len(table)} rows, {len(table.columns)} columns")
    return table


def footers(folder: Path) -> None:
    """Checks that each file names the program that wrote it and its experiment."""
    for path in sorted(folder.glob("*/*.parquet")):
        metadata = pq.read_metadata(path).metadata
        for key in FOOTER:
            assert metadata.get(key.encode()), f"{path} lacks {key}"


def main(folder: str, count: str) -> None:
    folder = Path(folder)
    table = runs(folder)
    for name in TABLES:
        if (folder / name).exists() and any((folder / name).iterdir()):
            facts(name, folder)
        else:
            print(f"{name}: no rows")
    footers(folder)
    assert len(table) == int(count)
    print("readers: all agree")


if __name__ == "__main__":
    main(*sys.argv[1:])
