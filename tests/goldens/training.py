"""Golden trainings: writes training.toml beside this file.

    pip install blake3==1.0.11 numpy scipy && python tests/goldens/training.py

A few steps of SGD on the first 500 training rows of MNIST, written from the formulas with NumPy in double precision. Initial
weights, batches and dropout masks come from the streams of streams.py. `network` is the text of an experiment file, `layers`
its meaning.
"""

import gzip
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from streams import Generator

ROWS, BATCH, STEPS, LR, CLASSES = 500, 16, 30, 0.05, 10
MNIST = Path(__file__).parents[2] / "data" / "mnist"


def stack(hidden, *between, bias=True):
    """Identical hidden layers, and an output layer."""
    return [layer for width in hidden for layer in (("affine", width, bias), *between)] + [("affine", CLASSES, bias)]


DEFAULTS = {"weights": "he", "weight_decay": 0.0, "l1": 0.0, "sampling": "with-replacement", "objective": "cross-entropy"}
TRAININGS = [
    {"seed": 0, "network": "hidden = [20, 20]", "layers": stack([20, 20], ("relu",))},
    {"seed": 1, "network": "hidden = [15]\nactivation = 'tanh'", "layers": stack([15], ("tanh",)), "weights": "xavier", "weight_decay": 0.1},
    {
        "seed": 2,
        "network": "hidden = [12, 11, 10]\nactivation = 'sigmoid'\nbias = false",
        "layers": stack([12, 11, 10], ("sigmoid",), bias=False),
        "weights": "glorot",
        "weight_decay": 0.01,
        "l1": 0.001,
        "sampling": "shuffle",
    },
    {"seed": 3, "network": "hidden = []", "layers": stack([]), "weights": "zeros", "l1": 0.01, "sampling": "shuffle"},
    {
        "seed": 4,
        "network": "hidden = [20, 15]\nbatch_norm = true",
        "layers": stack([20, 15], ("batch-norm",), ("relu",)),
        "weight_decay": 0.01,
    },
    {
        "seed": 5,
        "network": "hidden = [20, 15]\ndropout = 0.2",
        "layers": stack([20, 15], ("relu",), ("dropout", 0.2, "inference")),
    },
    {
        "seed": 6,
        "network": "hidden = [20, 15]\nbatch_norm = true\nactivation = 'gelu'\ndropout = { ratio = 0.4, scaling = 'inverted' }",
        "layers": stack([20, 15], ("batch-norm",), ("gelu",), ("dropout", 0.4, "inverted")),
        "sampling": "shuffle",
    },
    {
        "seed": 7,
        "network": "hidden = [20]\nactivation = { kind = 'elu', alpha = 0.5 }\noutput = 'sigmoid'",
        "layers": [*stack([20], ("elu", 0.5)), ("sigmoid",)],
        "objective": "mse",
    },
    {
        "seed": 8,
        "network": "hidden = [20, 20]\nactivation = 'leaky-relu'",
        "layers": stack([20, 20], ("leaky-relu", 0.01)),
        "objective": "mse",
        "l1": 0.001,
    },
    {
        "seed": 9,
        "network": "layers = [{ kind = 'dropout', ratio = 0.1 }, { kind = 'affine', width = 20 }, 'softplus', 'batch-norm', "
        "{ kind = 'affine', width = 15, bias = false }, 'batch-norm', { kind = 'leaky-relu', slope = 0.3 }, "
        "{ kind = 'dropout', ratio = 0.5, scaling = 'inverted' }, 'affine', 'identity']",
        "layers": [
            ("dropout", 0.1, "inference"),
            ("affine", 20, True),
            ("softplus",),
            ("batch-norm",),
            ("affine", 15, False),
            ("batch-norm",),
            ("leaky-relu", 0.3),
            ("dropout", 0.5, "inverted"),
            ("affine", CLASSES, True),
        ],
    },
]

# Each a function and its derivative.
ACTIVATIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "leaky-relu": (lambda x, slope: np.where(x > 0, x, slope * x), lambda x, slope: np.where(x > 0, 1, slope)),
    "elu": (lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)), lambda x, alpha: np.where(x > 0, 1, alpha * np.exp(x))),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
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


class Affine:
    def __init__(self, seed, k, inputs, outputs, bias, weights):
        generator = Generator(seed, "init", k, 0)
        draws = np.array([generator.gaussian() for _ in range(inputs * outputs)])
        self.W = draws.reshape(inputs, outputs) * STANDARD_DEVIATIONS[weights](inputs, outputs)
        self.b, self.has_bias, self.outputs = np.zeros(outputs), bias, outputs

    def forward(self, x, step):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy, weight_decay, l1):
        dx = dy @ self.W.T
        self.W = self.W - LR * (self.x.T @ dy + weight_decay * self.W + l1 * np.sign(self.W))
        if self.has_bias:
            self.b = self.b - LR * dy.sum(axis=0)
        return dx


class BatchNorm:
    """Through the covariance of dy with the normalized x, not through the book's chain of sums."""

    def __init__(self, width):
        self.gamma, self.beta, self.mean, self.variance = np.ones(width), np.zeros(width), np.zeros(width), np.zeros(width)

    def forward(self, x, step):
        if step is None:
            return self.gamma * (x - self.mean) / np.sqrt(self.variance + 1e-6) + self.beta
        mean, variance = x.mean(axis=0), x.var(axis=0)
        self.mean, self.variance = 0.9 * self.mean + 0.1 * mean, 0.9 * self.variance + 0.1 * variance
        self.deviation = np.sqrt(variance + 1e-6)
        self.normal = (x - mean) / self.deviation
        return self.gamma * self.normal + self.beta

    def backward(self, dy, weight_decay, l1):
        dbeta, dgamma = dy.sum(axis=0), (dy * self.normal).sum(axis=0)
        dx = self.gamma / self.deviation * (dy - dbeta / len(dy) - self.normal * dgamma / len(dy))
        self.gamma, self.beta = self.gamma - LR * dgamma, self.beta - LR * dbeta
        return dx


class Dropout:
    def __init__(self, seed, k, ratio, scaling):
        self.seed, self.k, self.ratio = seed, k, ratio
        self.training, self.evaluation = (1.0, 1 - ratio) if scaling == "inference" else (1 / (1 - ratio), 1.0)

    def forward(self, x, step):
        if step is None:
            return x * self.evaluation
        generator = Generator(self.seed, "dropout", self.k, step)
        uniforms = np.array([generator.uniform() for _ in range(x.size)]).reshape(x.shape)
        self.mask = (uniforms > self.ratio) * self.training
        return x * self.mask

    def backward(self, dy, weight_decay, l1):
        return dy * self.mask


class Activation:
    def __init__(self, name, *numbers):
        self.f, self.slope, self.numbers = *ACTIVATIONS[name], numbers

    def forward(self, x, step):
        self.x = x
        return self.f(x, *self.numbers)

    def backward(self, dy, weight_decay, l1):
        return dy * self.slope(self.x, *self.numbers)


def build(seed, layers, weights):
    built, width = [], 784
    for kind, *settings in layers:
        def count(of):
            return sum(isinstance(layer, of) for layer in built)

        if kind == "affine":
            outputs, bias = settings
            built.append(Affine(seed, count(Affine), width, outputs, bias, weights))
            width = outputs
        elif kind == "batch-norm":
            built.append(BatchNorm(width))
        elif kind == "dropout":
            built.append(Dropout(seed, count(Dropout), *settings))
        else:
            built.append(Activation(kind, *settings))
    return built


def train(seed, network, layers, weights, weight_decay, l1, sampling, objective):
    layers = build(seed, layers, weights)

    def forward(x, step=None):
        for layer in layers:
            x = layer.forward(x, step)
        return x

    def probabilities(outputs):
        e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def loss(outputs, t):
        if objective == "mse":
            return ((outputs - np.eye(CLASSES)[t]) ** 2).mean()
        return -np.log(probabilities(outputs)[np.arange(len(t)), t] + 1e-7).mean()

    def gradient(outputs, t):
        if objective == "mse":
            return 2 * (outputs - np.eye(CLASSES)[t]) / outputs.size
        return (probabilities(outputs) - np.eye(CLASSES)[t]) / len(t)

    def penalty():
        matrices = [layer.W for layer in layers if isinstance(layer, Affine)]
        return sum(0.5 * weight_decay * (w**2).sum() + l1 * np.abs(w).sum() for w in matrices)

    before, after, penalties = [], [], []
    for step, rows in enumerate(batches(seed, sampling)):
        x, t = X[rows], T[rows]
        outputs = forward(x, step)
        before.append(loss(outputs, t) + penalty())
        dy = gradient(outputs, t)
        for layer in reversed(layers):
            dy = layer.backward(dy, weight_decay, l1)
        after.append(loss(forward(x), t) + penalty())
        penalties.append(penalty())
    outputs = forward(X)
    return before, after, penalties, loss(outputs, T), (outputs.argmax(axis=1) == T).mean()


def lines():
    yield "# Made by training.py."
    for training in TRAININGS:
        training = DEFAULTS | training
        before, after, penalties, loss, accuracy = train(**training)
        yield ""
        yield "[[training]]"
        for name in ["seed", "weights", "weight_decay", "l1", "sampling", "objective"]:
            yield f"{name} = " + repr(training[name]).replace("'", '"')
        yield f'network = """\n{training["network"]}"""'
        yield f"before_update = {[float(x) for x in before]}"
        yield f"after_update = {[float(x) for x in after]}"
        yield f"penalty = {[float(x) for x in penalties]}"
        yield f"train_loss = {float(loss)}"
        yield f"train_accuracy = {float(accuracy)}"


if __name__ == "__main__":
    X, T = mnist()
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
