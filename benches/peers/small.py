"""Measures many small runs, digits, hidden [16], batch 32, 20 steps: paribus as a whole command, NumPy and PyTorch in one process.

Prints a Markdown table; `--write FILE` puts it between the markers in FILE. See README.md.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from work import ROOT, images, one_thread

one_thread()

HERE = Path(__file__).resolve().parent
HIDDEN, BATCH, STEPS, LR = 16, 32, 20, 0.1
EXPERIMENT = f"""
name = "small"
seeds = SEEDS
data.source = "digits"
network.hidden = [{HIDDEN}]
train = {{ batch_size = {BATCH}, steps = {STEPS} }}
record.loss = "before-update"
optimizer = {{ kind = "sgd", lr = {LR} }}
"""


def digits():
    return images("digits/digits-images-idx3-ubyte.gz", "digits/digits-labels-idx1-ubyte.gz", 16)


def numpy_trials(count):
    """Seconds for `count` trials, one after the other, each with its own seed, with the data already loaded."""
    import numpy as np

    pixels, classes = digits()
    begin = time.perf_counter()
    for seed in range(count):
        random = np.random.default_rng(seed)
        features, labels = pixels.shape[1], 10
        w1 = (random.standard_normal((features, HIDDEN)) * np.sqrt(2 / features)).astype(np.float32)
        w2 = (random.standard_normal((HIDDEN, labels)) * np.sqrt(2 / HIDDEN)).astype(np.float32)
        b1, b2 = np.zeros(HIDDEN, np.float32), np.zeros(labels, np.float32)
        losses, rows = [], np.arange(BATCH)
        for _ in range(STEPS):
            batch = random.integers(len(classes), size=BATCH)
            x, t = pixels[batch], classes[batch]
            hidden = np.maximum(x @ w1 + b1, 0)
            scores = hidden @ w2 + b2
            scores -= scores.max(axis=1, keepdims=True)
            exponentials = np.exp(scores)
            y = exponentials / exponentials.sum(axis=1, keepdims=True)
            losses.append(-np.log(y[rows, t] + 1e-7).mean())
            y[rows, t] -= 1
            y /= BATCH
            dh = (y @ w2.T) * (hidden > 0)
            w2 -= LR * (hidden.T @ y)
            b2 -= LR * y.sum(axis=0)
            w1 -= LR * (x.T @ dh)
            b1 -= LR * dh.sum(axis=0)
    return time.perf_counter() - begin


def torch_trials(count):
    """The same, as a tutorial writes it: a module, autograd, torch.optim."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    pixels, classes = (torch.from_numpy(values) for values in digits())

    def trial(seed):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(pixels.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
        optimizer, losses = torch.optim.SGD(model.parameters(), lr=LR), []
        for _ in range(STEPS):
            batch = torch.randint(len(classes), (BATCH,))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(pixels[batch]), classes[batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    trial(0)  # imports what is needed once
    begin = time.perf_counter()
    for seed in range(count):
        trial(seed)
    return time.perf_counter() - begin


def paribus(program, count):
    """Seconds and peak megabytes of the whole command: planned, trained, written."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "small.toml").write_text(EXPERIMENT.replace("SEEDS", str(count)))
        begin = time.perf_counter()
        process = subprocess.Popen([program, "run", "small.toml", "--quiet"], cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit("paribus failed")
        return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--paribus", type=Path, default=ROOT / "target/release/paribus", help="the program, built for release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, nargs="*", default=[10_000, 100_000], help="how many runs an experiment has")
    parser.add_argument("--json", type=Path, help="the file for all timings")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the file with the markers")
    options = parser.parse_args()
    program = options.paribus.resolve()

    trials = {"NumPy": (numpy_trials, 1000), "PyTorch": (torch_trials, 300)}
    measured = {}
    for _ in range(options.rounds):
        for count in options.runs:
            measured.setdefault(f"paribus, {count:,} runs", []).append((count, *paribus(program, count)))
        for name, (train, count) in trials.items():
            # In a separate process: after importing PyTorch, this process's memory would be counted as that of its
            # children.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                measured.setdefault(f"{name}, training alone, one process", []).append((count, pool.apply(train, (count,))))
        print(json.dumps(measured), file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))

    lines = ["| | s | runs a second | memory, MB |", "|---|---|---|---|"]
    for name, results in measured.items():
        count, seconds, *memory = min(results, key=lambda result: result[1])
        memory = f"{max(result[2] for result in results):.0f}" if memory else ""
        lines.append(f"| {name} | {seconds:.2f} | {count / seconds:,.0f} | {memory} |")
    note = f"Minima, each measured {options.rounds} times, in turn; memory is the most that any took. {len(os.sched_getaffinity(0))} cores."
    table = "\n".join([*lines, "", note])
    print(table)
    if options.write:
        from compare import put

        put(options.write, "small", table)


if __name__ == "__main__":
    main()
