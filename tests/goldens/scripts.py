"""Scripts like the book's, with other seeds, networks and orders: writes scripts.toml beside this file.

    pip install numpy && python tests/goldens/scripts.py

Written from the formulas. Every script calls numpy.random.seed once and draws everything from that stream: first the order in which rows
are held out; then, for each block, the trial's values, all weights, and in each step one batch and every network's dropout.
"""

import gzip
from pathlib import Path

import numpy as np

MNIST = Path(__file__).parents[2] / "data" / "mnist"


def mnist(rows):
    images = np.frombuffer(gzip.open(MNIST / "train-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
    labels = np.frombuffer(gzip.open(MNIST / "train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    pixels = images.reshape(-1, 784)[:rows].astype(np.float32) / np.float32(255)
    return pixels.astype(np.float64), labels[:rows].astype(int)


class Network:
    def __init__(self, hidden, std, lr, batch_norm=False, dropout=0.0, weight_decay=0.0):
        widths = [784, *hidden, 10]
        self.W = [(np.sqrt(2 / n) if std == "he" else std) * np.random.randn(n, m) for n, m in zip(widths, widths[1:])]
        self.b = [np.zeros(m) for m in widths[1:]]
        self.gamma, self.beta = [np.ones(n) for n in hidden], [np.zeros(n) for n in hidden]
        self.mean, self.var = [np.zeros(n) for n in hidden], [np.zeros(n) for n in hidden]
        self.lr, self.batch_norm, self.dropout, self.weight_decay = lr, batch_norm, dropout, weight_decay

    def forward(self, x, training):
        self.cache = []
        for k in range(len(self.W) - 1):
            a = x @ self.W[k] + self.b[k]
            norm = None
            if self.batch_norm:
                if training:
                    mu = a.mean(axis=0)
                    var = ((a - mu) ** 2).mean(axis=0)
                    self.mean[k], self.var[k] = 0.9 * self.mean[k] + 0.1 * mu, 0.9 * self.var[k] + 0.1 * var
                else:
                    mu, var = self.mean[k], self.var[k]
                std = np.sqrt(var + 1e-6)
                norm = ((a - mu) / std, std)
                a = self.gamma[k] * norm[0] + self.beta[k]
            y = np.where(a > 0, a, 0)
            mask = np.random.rand(*y.shape) > self.dropout if training and self.dropout else 1 if training else 1 - self.dropout
            self.cache.append((x, norm, a > 0, mask))
            x = y * mask
        self.cache.append((x, None, None, None))
        return x @ self.W[-1] + self.b[-1]

    def step(self, x, t):
        outputs = self.forward(x, True)
        e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        dy = e / e.sum(axis=1, keepdims=True)
        dy[np.arange(len(t)), t] -= 1
        dy /= len(t)
        for k in reversed(range(len(self.W))):
            x, norm, alive, mask = self.cache[k]
            if k < len(self.W) - 1:
                dy = dy * mask * alive
                if norm is not None:
                    xn, std = norm
                    dgamma, dbeta, dxn = (xn * dy).sum(axis=0), dy.sum(axis=0), dy * self.gamma[k]
                    dy = (dxn - dxn.mean(axis=0) - xn * (dxn * xn).mean(axis=0)) / std
                    self.gamma[k] = self.gamma[k] - self.lr * dgamma
                    self.beta[k] = self.beta[k] - self.lr * dbeta
            dx = dy @ self.W[k].T
            self.b[k] = self.b[k] - self.lr * dy.sum(axis=0)
            self.W[k] = self.W[k] - self.lr * (x.T @ dy + self.weight_decay * self.W[k])
            dy = dx

    def loss(self, x, t):
        outputs = self.forward(x, False)
        e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(t)), t] + 1e-7).mean() + sum(0.5 * self.weight_decay * (w**2).sum() for w in self.W)


def block(networks, X, T, batch, steps):
    losses = [[] for _ in networks]
    for _ in range(steps):
        rows = np.random.choice(len(X), batch)
        for network, recorded in zip(networks, losses):
            network.step(X[rows], T[rows])
            recorded.append(float(network.loss(X[rows], T[rows])))
    return losses


def scripts():
    head = "[data]\nsource = 'mnist'\ntrain_rows = 500\n"
    tail = "\n[train]\nbatch_size = 20\nsteps = 12\nprecision = 'f64'\n[record]\nloss = 'after-update'\n"
    X, T = mnist(500)

    np.random.seed(7)
    arms = [Network([12, 9], "he", lr, dropout=0.3) for lr in (0.1, 0.02, 0.5)]
    text = "seeds = [7]\nrng = { kind = 'numpy', group = ['lr'] }\n" + head
    text += "[network]\nhidden = [12, 9]\ndropout = 0.3\n[optimizer]\nkind = 'sgd'\nlr = [0.1, 0.02, 0.5]" + tail
    yield text, block(arms, X, T, 20, 12)

    np.random.seed(123456789)
    losses = []
    for std in (0.3, 0.01):
        losses += block([Network([11], std, 0.1, batch_norm=norm) for norm in (False, True)], X, T, 20, 12)
    text = "seeds = [123456789]\nrng = { kind = 'numpy', chain = ['weights'], group = ['batch_norm'] }\n" + head
    text += "[init]\nweights = [0.3, 0.01]\n[network]\nhidden = [11]\nbatch_norm = [false, true]\n[optimizer.sgd]\nlr = 0.1" + tail
    yield text, losses

    np.random.seed(4)
    order = np.random.permutation(500)
    Xs, Ts = X[order][75:], T[order][75:]
    losses = []
    for _ in range(3):
        lr = 10 ** np.random.uniform(-3, -1)
        decay = np.random.uniform(0.0, 0.1)
        losses += block([Network([10], "he", lr, weight_decay=decay)], Xs, Ts, 20, 12)
    text = "seeds = [4]\nrng = { kind = 'numpy', chain = ['trial'] }\n[sweep]\ntrials = 3\n[optimizer.sgd]\nlr = { log_uniform = [1e-3, 1e-1] }\n"
    text += "[regularization]\nweight_decay = { uniform = [0.0, 0.1] }\n" + head + "validation_rows = 75\n[network]\nhidden = [10]" + tail
    yield text, losses


if __name__ == "__main__":
    lines = ["# Made by scripts.py.", ""]
    for text, losses in scripts():
        lines += ["[[script]]", f'experiment = """\n{text}"""', f"losses = {losses}", ""]
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines))
