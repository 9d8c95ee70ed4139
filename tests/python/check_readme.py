"""Runs the README's Python and SQL blocks, unchanged, next to a real result.

    check_readme.py README.md FOLDER

FOLDER holds results/ch6, as `paribus run experiments/ch6.toml` leaves it.
"""

import os
import re
import sys
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import duckdb  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

OPTIMIZERS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]


def main(readme: str, folder: str) -> None:
    text = Path(readme).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    python = [code for language, code in blocks if language == "python"]
    sql = [code for language, code in blocks if language == "sql"]
    assert python and sql, "the README has no Python or no SQL"
    os.chdir(folder)

    for code in python:
        print(code)
        exec(compile(code, readme, "exec"), {})
    lines = {line.get_label(): line for line in plt.gca().get_lines()}
    assert sorted(lines) == sorted(OPTIMIZERS), f"the plot shows {list(lines)}"
    for label, line in lines.items():
        assert len(line.get_xdata()) == 400, f"{label} has {len(line.get_xdata())} points"
        assert line.get_ydata()[-1] < line.get_ydata()[0], f"{label} did not learn"

    for code in sql:
        print(code)
        result = duckdb.sql(code)
        rows = result.fetchall()
        print(result)
        assert sorted(row[0] for row in rows) == sorted(OPTIMIZERS), rows
        losses = [row[3] for row in rows]
        assert losses == sorted(losses) and all(0 < loss < 3 for loss in losses), losses
    print(f"README: {len(python)} Python and {len(sql)} SQL blocks ran")


if __name__ == "__main__":
    main(*sys.argv[1:])
