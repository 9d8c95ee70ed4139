"""The work that all peers do: experiments/ch6.toml, its data, its hyperparameters, and how much arithmetic that is."""

import argparse
import gzip
import json
import multiprocessing
import os
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = tomllib.loads((ROOT / "experiments/ch6.toml").read_text())

WIDTHS = [784, *EXPERIMENT["network"]["hidden"], 10]
BATCH = EXPERIMENT["train"]["batch_size"]
STEPS = EXPERIMENT["train"]["steps"]
OPTIMIZERS = EXPERIMENT["optimizer"]
SHAPES = list(zip(WIDTHS[:-1], WIDTHS[1:]))

# The range of the mean of the last 100 losses for any seed, as in tests/it/ch6.rs.
LEARNED = {
    "adagrad": (0.02, 0.045),
    "adam": (0.025, 0.06),
    "momentum": (0.05, 0.08),
    "nesterov": (0.03, 0.06),
    "rmsprop": (0.03, 0.15),
    "sgd": (0.17, 0.23),
}

# The longest runs first.
ORDER = ["adam", "rmsprop", "adagrad", "nesterov", "momentum", "sgd"]
assert sorted(ORDER) == sorted(OPTIMIZERS) and EXPERIMENT["record"] == {"loss": "after-update"}


def dense_operations():
    """Floating-point operations of all runs: two forward passes, the gradients of all weights, and of all inputs but the data."""
    weights = [inputs * outputs for inputs, outputs in SHAPES]
    products = 2 * sum(weights) + sum(weights) + sum(weights[1:])
    return 2 * BATCH * products * STEPS * len(OPTIMIZERS)


def images(name="mnist/train-images-idx3-ubyte.gz", labels="mnist/train-labels-idx1-ubyte.gz", full=255):
    """Images as f32 from 0 to 1, [rows, pixels], and their classes, [rows]."""
    import numpy as np

    def unpacked(file, header):
        return np.frombuffer(gzip.decompress((ROOT / "data" / file).read_bytes()), np.uint8, offset=header)

    classes = unpacked(labels, 8)
    pixels = unpacked(name, 16).reshape(len(classes), -1)
    return pixels.astype(np.float32) / np.float32(full), classes.astype(np.int64)


def he(random, dtype):
    """Weights and biases, layer by layer."""
    import numpy as np

    layers = []
    for inputs, outputs in SHAPES:
        weights = random.standard_normal((inputs, outputs)) * np.sqrt(2 / inputs)
        layers.append((weights.astype(dtype), np.zeros(outputs, dtype)))
    return layers


def arguments(**defaults):
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", default=value, type=type(value))
    return parser.parse_args()


def one_thread():
    """Limits libraries to one thread. Called before they are imported."""
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
        os.environ[name] = "1"


def deal(processes, prepare):
    """Trains all runs in several processes, each of which takes the next run when it is done.

    `prepare()`, in each process, loads what is needed and returns a function from an optimizer's name to the losses. Prints the
    seconds from when all are prepared to when the last run is done, the processor time of all runs, and the means of the last 100
    losses.
    """
    context = multiprocessing.get_context("fork")
    queue, results, barrier = context.SimpleQueue(), context.SimpleQueue(), context.Barrier(processes + 1)
    for name in ORDER:
        queue.put(name)
    for _ in range(processes):
        queue.put(None)
    workers = [context.Process(target=_work, args=(prepare, queue, results, barrier)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    begin = time.perf_counter()
    ended = [results.get() for _ in ORDER]
    report(time.perf_counter() - begin, ended)
    for worker in workers:
        worker.join()


def _work(prepare, queue, results, barrier):
    try:
        train = prepare()
    except BaseException:
        barrier.abort()
        raise
    barrier.wait()
    while (name := queue.get()) is not None:
        results.put(timed(name, lambda: train(name)))


def timed(name, train):
    """The name, the mean of the last 100 losses, and the seconds of processor time that it took."""
    begin = time.process_time()
    losses = [float(loss) for loss in train()]
    assert len(losses) == STEPS
    return name, sum(losses[-100:]) / 100, time.process_time() - begin


def report(training, ended, **others):
    means = {name: mean for name, mean, _ in ended}
    print(json.dumps({"training": training, "processor": sum(seconds for *_, seconds in ended), **others, "means": means}))
