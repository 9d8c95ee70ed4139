"""Counts the instructions that the program takes for a step and for a small run, and compares them with the recorded counts.

    python3 tests/python/instruction_counts.py target/release/paribus           # exit code 1 if a count has grown
    python3 tests/python/instruction_counts.py target/release/paribus --write   # record the current counts

Instructions are counted, not seconds, as they hardly change on a busy machine. The counts of two runs of different length are
subtracted, which leaves out what the program does once. Needs valgrind, and a processor with AVX2.
"""

import concurrent.futures
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

RECORD = pathlib.Path(__file__).with_name("instruction_counts.csv")

# Growth that the next version of the compiler may cause without being a regression.
TOLERANCE = 0.05

# For small runs: the clock decides how often rows are written, and each time costs about as much as a run.
WRITTEN_TOLERANCE = 0.10

IMAGES = """
[data]
source = "idx"
train_images = "images"
train_labels = "labels"
"""

# Name, the experiment, its short and long size, which replace `{size}`, and how much the count may grow.
CASES = [
    ("step of 784-100-100-100-100-10, SGD", IMAGES + """
[network]
hidden = [100, 100, 100, 100]
[train]
batch_size = 128
steps = {size}
[optimizer.sgd]
""", 2, 22, TOLERANCE),
    ("step of 784-100-100-10, tanh, batch norm, dropout, Adam, f64", IMAGES + """
[network]
hidden = [100, 100]
activation = "tanh"
batch_norm = true
dropout = 0.2
[train]
batch_size = 128
steps = {size}
precision = "f64"
[optimizer.adam]
""", 2, 22, TOLERANCE),
    ("run of 20 steps of 64-16-10, planned, trained and written", """
seeds = {size}
[data]
source = "digits"
[network]
hidden = [16]
[train]
batch_size = 32
steps = 20
[optimizer.sgd]
""", 20, 120, WRITTEN_TOLERANCE),
]


def images(folder: pathlib.Path, rows: int = 600) -> None:
    """Writes images of 28 by 28 pixels, a fifth of them not black, in the format of MNIST."""
    state, pixels = 1, bytearray()
    for _ in range(rows * 784):
        state = (state * 1103515245 + 12345) % 2**31
        pixels.append(state >> 16 & 255 if state >> 8 & 255 < 51 else 0)
    (folder / "images").write_bytes(struct.pack(">4i", 0x803, rows, 28, 28) + bytes(pixels))
    (folder / "labels").write_bytes(struct.pack(">2i", 0x801, rows) + bytes(row % 10 for row in range(rows)))


def count(program: str, folder: pathlib.Path, text: str) -> int:
    """All instructions of one run of the program on the experiment, in a new folder."""
    folder.mkdir()
    images(folder)
    (folder / "count.toml").write_text('name = "count"\nallow_warnings = ["one-seed"]\n' + text)
    environment = os.environ | {"PARIBUS_INSTRUCTIONS": "avx2"}
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program,
               "run", "count.toml", "--jobs", "1", "--quiet"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def main() -> None:
    program, write = os.path.abspath(sys.argv[1]), "--write" in sys.argv
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as at_once:
        experiments = [text.replace("{size}", str(size)) for _, text, *sizes, _ in CASES for size in sizes]
        folders = [pathlib.Path(name) / str(index) for index in range(len(experiments))]
        totals = list(at_once.map(count, [program] * len(experiments), folders, experiments))
    counts = {
        case: round((in_long - in_short) / (long - short))
        for (case, _, short, long, _), in_short, in_long in zip(CASES, totals[::2], totals[1::2])
    }
    if write:
        RECORD.write_text("".join(f'"{case}",{instructions}\n' for case, instructions in counts.items()))
    record = dict(re.findall(r'"(.*)",(\d+)', RECORD.read_text()))
    grown = []
    for case, *_, tolerance in CASES:
        change = counts[case] / int(record[case]) - 1
        print(f"{case}: {counts[case]:,} instructions, {change:+.1%}")
        if change > tolerance:
            grown.append(f"{case}: more than {tolerance:.0%} above {RECORD.name}: a slowdown; if it is intended, record it with --write")
        if change < -tolerance:
            print("  fewer than recorded: record them with --write")
    if grown:
        sys.exit("\n".join(grown))


main()
