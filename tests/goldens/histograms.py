"""Writes histograms.toml beside this file: the counts of numpy.histogram, edges included.

Many values lie on the edges of the bins, or one rounding away from them. Made with NumPy 2.4.6.
"""

from pathlib import Path

import numpy as np


def around_edges(low, high, bins):
    """Every edge, and the numbers next to it."""
    edges = np.linspace(low, high, bins + 1)
    return np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])


def cases():
    random = np.random.default_rng(6)
    sigmoid = 1 / (1 + np.exp(-3 * random.standard_normal(60)))
    yield sigmoid, 30, (0.0, 1.0)
    yield np.maximum(random.standard_normal(60), 0), 30, (0.0, 1.0)
    yield random.standard_normal(60), 10, None
    yield np.array([0.25, 0.25, 0.25]), 5, None
    yield np.array([-3.0]), 1, None
    yield np.array([1e-320, 2e-320, 5e-324, 0.0]), 2, None
    yield random.standard_normal(60) * 1e-8, 7, None
    for low, high, bins in [(0.0, 1.0, 30), (-1.0, 1.0, 30), (0.1, 0.7, 6), (-0.3, 2.0, 49), (1e-3, 1e3, 11)]:
        yield around_edges(low, high, bins), bins, (low, high)


def main():
    lines = ["# Made by histograms.py."]
    for values, bins, interval in cases():
        counts, edges = np.histogram(values, bins, interval)
        lines += ["", "[[histogram]]", f"values = {[float(value) for value in values]}", f"bins = {bins}"]
        if interval is not None:
            lines.append(f"range = {list(interval)}")
        lines += [f"edges = {[float(edge) for edge in edges]}", f"counts = {[int(count) for count in counts]}"]
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
