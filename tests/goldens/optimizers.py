"""Golden trajectories of every optimizer, in NumPy: writes optimizers.toml beside this file.

    pip install numpy==2.4.6 && python tests/goldens/optimizers.py

The rules are written from their formulas (see DESIGN, "Numerics"), with the order of operations of "Deep Learning from
Scratch". The function is ½ Σ curvature[i] x[i]² + coupling Σ x[i] x[i+1]: badly scaled, and with coupled axes. Numbers are
written with the digits that read back as the same double.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np

STEPS = 50
CURVATURE = np.array([0.05, 0.5, 2.0, 5.0, 20.0])
COUPLING = 0.1
START = np.array([-7.0, 2.0, 1.0, -0.5, 0.3])


def gradient(x):
    left = np.concatenate([[0.0], x[:-1]])
    right = np.concatenate([x[1:], [0.0]])
    return CURVATURE * x + COUPLING * (left + right)


def sgd(lr=0.01):
    def update(t, w, g):
        w -= lr * g

    return update


def momentum(lr=0.01, momentum=0.9):
    v = np.zeros_like(START)

    def update(t, w, g):
        v[:] = momentum * v - lr * g
        w += v

    return update


def nesterov(lr=0.01, momentum=0.9, form="lookahead"):
    v = np.zeros_like(START)

    def velocity(g):
        v[:] = v * momentum
        v[:] = v - lr * g

    def update(t, w, g):
        if form == "memo":
            velocity(g)
        w += momentum * momentum * v
        w -= (1 + momentum) * lr * g
        if form == "lookahead":
            velocity(g)

    return update


def adagrad(lr=0.01, eps=1e-7):
    h = np.zeros_like(START)

    def update(t, w, g):
        h[:] = h + g * g
        w -= lr * g / (np.sqrt(h) + eps)

    return update


def rmsprop(lr=0.01, decay=0.99, eps=1e-7):
    h = np.zeros_like(START)

    def update(t, w, g):
        h[:] = h * decay
        h[:] = h + (1 - decay) * g * g
        w -= lr * g / (np.sqrt(h) + eps)

    return update


def adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-7):
    m, v = np.zeros_like(START), np.zeros_like(START)

    def update(t, w, g):
        lr_t = lr * np.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
        m[:] = m + (1 - beta1) * (g - m)
        v[:] = v + (1 - beta2) * (g**2 - v)
        w -= lr_t * m / (np.sqrt(v) + eps)

    return update


CASES = [
    (sgd, {}),
    (sgd, {"lr": 0.09}),
    (momentum, {}),
    (momentum, {"lr": 0.03, "momentum": 0.5}),
    (nesterov, {}),
    (nesterov, {"lr": 0.03, "momentum": 0.7}),
    (nesterov, {"form": "memo"}),
    (nesterov, {"lr": 0.015, "momentum": 0.7, "form": "memo"}),
    (adagrad, {}),
    (adagrad, {"lr": 1.5, "eps": 0.001}),
    (rmsprop, {}),
    (rmsprop, {"lr": 0.1, "decay": 0.9, "eps": 1e-8}),
    (adam, {}),
    (adam, {"lr": 0.3, "beta1": 0.8, "beta2": 0.95, "eps": 0.01}),
]

# Powers for Adam's bias correction, computed in whole-number arithmetic and rounded once.
POWERS = [(0.9, t) for t in (1, 2, 3, 10, 100, 2001)] + [
    (beta, t) for beta in (0.999, 0.95, 1 / 3) for t in (2, 3, 4, 5, 7, 31, 48, 191, 500, 1000, 2001)
]


def numbers(values):
    return "[" + ", ".join(repr(float(x)) for x in values) + "]"


def table(settings):
    return "{ " + ", ".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v!r}" for k, v in settings.items()) + " }"


def lines():
    yield f"# Made by optimizers.py with NumPy {np.__version__}."
    yield f"curvature = {numbers(CURVATURE)}"
    yield f"coupling = {COUPLING!r}"
    yield f"start = {numbers(START)}"
    yield ""
    yield "# [base, exponent, power]"
    yield "powers = ["
    for base, exponent in POWERS:
        yield f"    [{base!r}, {float(exponent)!r}, {float(Fraction(base) ** exponent)!r}],"
    yield "]"
    for make, settings in CASES:
        yield ""
        yield "[[trajectory]]"
        yield f"algorithm = {{ {make.__name__} = {table(settings) if settings else '{}'} }}"
        yield "points = ["
        update, x = make(**settings), START.copy()
        for step in range(STEPS):
            update(step + 1, x, gradient(x))
            yield f"    {numbers(x)},"
        yield "]"


if __name__ == "__main__":
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
