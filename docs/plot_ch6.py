"""The README's picture: the lines of the README, smoothed as in the book, with labels.

    python docs/plot_ch6.py results/ch6 docs/ch6.svg

Smoothing is a convolution with a Kaiser window (β = 2, length 11), the ends padded by reflection.
"""

import sys

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "paribus"
matplotlib.rcParams["svg.fonttype"] = "none"

ORDER = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]


def smooth(losses: np.ndarray) -> np.ndarray:
    """As the book's `smooth_curve`."""
    padded = np.r_[losses[10:0:-1], losses, losses[-1:-11:-1]]
    window = np.kaiser(11, 2)
    return np.convolve(window / window.sum(), padded, mode="valid")[5:-5]


def main(results: str, picture: str) -> None:
    history = pd.read_parquet(f"{results}/history")
    losses = history.pivot_table(index="step", columns="label", values="loss", observed=True)
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for label in ORDER:
        axes.plot(losses.index[::4], smooth(losses[label].to_numpy())[::4], label=label, linewidth=1.2)
    axes.set(xlabel="step", ylabel="training loss", ylim=(0, 1), xlim=(0, losses.index[-1]))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
