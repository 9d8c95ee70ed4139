"""Golden trainings: writes training.toml beside this file.

    pip install blake3==1.0.11 numpy && python tests/goldens/training.py

A few steps of SGD on the first 500 training rows of MNIST, written from the formulas with NumPy in double precision. Initial
weights and batches come from the streams of streams.py.
"""

import gzip
from pathlib import Path

import numpy as np

from streams import Generator

ROWS, BATCH, STEPS, LR = 500, 16, 30, 0.05
MNIST = Path(__file__).parents[2] / "data" / "mnist"

TRAININGS = [
    {"seed": 0, "hidden": [20, 20], "activation": "relu", "weights": "he", "bias": True, "weight_decay": 0.0, "l1": 0.0, "sampling": "with-replacement"},
    {"seed": 1, "hidden": [15], "activation": "tanh", "weights": "xavier", "bias": True, "weight_decay": 0.1, "l1": 0.0, "sampling": "with-replacement"},
    {"seed": 2, "hidden": [12, 11, 10], "activation": "sigmoid", "weights": "glorot", "bias": False, "weight_decay": 0.01, "l1": 0.001, "sampling": "shuffle"},
    {"seed": 3, "hidden": [], "activation": "relu", "weights": "zeros", "bias": True, "weight_decay": 0.0, "l1": 0.01, "sampling": "shuffle"},
]

ACTIVATIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda y: y > 0),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "tanh": (np.tanh, lambda y: 1 - y**2),
}
STANDARD_DEVIATIONS = {
    "he": lambda inputs, outputs: np.sqrt(2 / inputs),
    "xavier": lambda inputs, outputs: np.sqrt(1 / inputs),
    "glorot": lambda inputs, outputs: np.sqrt(2 / (inputs + outputs)),
    "zeros": lambda inputs, outputs: 0,
}


def mnist():
    images = np.frombuffer(gzip.open(MNIST / "train-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
    labels = np.frombuffer(gzip.open(MNIST / "train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    pixels = images.reshape(-1, 784)[:ROWS].astype(np.float32) / np.float32(255)
    return pixels.astype(np.float64), labels[:ROWS].astype(int)


def batches(seed, sampling):
    if sampling == "with-replacement":
        for step in range(STEPS):
            generator = Generator(seed, "batch", 0, step)
            yield [generator.below(ROWS) for _ in range(BATCH)]
    else:
        orders = [Generator(seed, "batch", 0, epoch).shuffled(ROWS) for epoch in range(-(-STEPS * BATCH // ROWS))]
        sequence = [row for order in orders for row in order]
        for step in range(STEPS):
            yield sequence[step * BATCH : (step + 1) * BATCH]


def train(seed, hidden, activation, weights, bias, weight_decay, l1, sampling):
    widths = [784, *hidden, 10]
    W, b = [], []
    for k, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        generator = Generator(seed, "init", k, 0)
        draws = np.array([generator.gaussian() for _ in range(inputs * outputs)])
        W.append(draws.reshape(inputs, outputs) * STANDARD_DEVIATIONS[weights](inputs, outputs))
        b.append(np.zeros(outputs))
    f, slope = ACTIVATIONS[activation]

    def forward(x):
        ys = [x]
        for k in range(len(W)):
            x = ys[-1] @ W[k] + b[k]
            ys.append(f(x) if k + 1 < len(W) else x)
        return ys

    def probabilities(outputs):
        e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def cross_entropy(outputs, t):
        return -np.log(probabilities(outputs)[np.arange(len(t)), t] + 1e-7).mean()

    def penalty():
        return sum(0.5 * weight_decay * (w**2).sum() + l1 * np.abs(w).sum() for w in W)

    before, after, penalties = [], [], []
    for rows in batches(seed, sampling):
        x, t = X[rows], T[rows]
        ys = forward(x)
        before.append(cross_entropy(ys[-1], t) + penalty())
        dy = (probabilities(ys[-1]) - np.eye(10)[t]) / BATCH
        for k in reversed(range(len(W))):
            dW, db = ys[k].T @ dy + weight_decay * W[k] + l1 * np.sign(W[k]), dy.sum(axis=0)
            dy = dy @ W[k].T * slope(ys[k]) if k else None
            W[k] -= LR * dW
            if bias:
                b[k] -= LR * db
        after.append(cross_entropy(forward(x)[-1], t) + penalty())
        penalties.append(penalty())
    outputs = forward(X)[-1]
    return before, after, penalties, cross_entropy(outputs, T), (outputs.argmax(axis=1) == T).mean()


def lines():
    yield "# Made by training.py."
    for training in TRAININGS:
        before, after, penalties, loss, accuracy = train(**training)
        yield ""
        yield "[[training]]"
        for name, value in training.items():
            yield f"{name} = " + (str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"'))
        yield f"before_update = {[float(x) for x in before]}"
        yield f"after_update = {[float(x) for x in after]}"
        yield f"penalty = {[float(x) for x in penalties]}"
        yield f"train_loss = {float(loss)}"
        yield f"train_accuracy = {float(accuracy)}"


if __name__ == "__main__":
    X, T = mnist()
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
