"""The numbers of NumPy's legacy generator: writes legacy_numpy.toml beside this file.

    pip install numpy && python tests/goldens/legacy_numpy.py
"""

from pathlib import Path

import numpy as np

SEEDS = [0, 1, 5, 42, 2**32 - 1]


def floats(values):
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"


def stream(seed):
    np.random.seed(seed)
    yield "[[stream]]"
    yield f"seed = {seed}"
    yield f"uniforms = {floats(np.random.rand(9))}"
    # An odd number: the second one of a pair is kept while other numbers are drawn.
    yield f"gaussians = {floats(np.random.randn(51))}"
    choices = [[bound, [int(x) for x in np.random.choice(bound, 12)]] for bound in (60000, 1, 2, 300, 400, 1000, 65536, 65537)]
    yield f"choices = {choices}"
    yield f"permutation = {[int(x) for x in np.random.permutation(100)]}"
    yield f"gaussians_after = {floats(np.random.randn(4))}"
    # uniform(low, high) is low + (high - low) * rand().
    assert (low := np.random.get_state()) is not None
    expected = np.random.uniform(-8, -4, 3)
    np.random.set_state(low)
    drawn = np.random.rand(3)
    assert list(expected) == [-8 + 4 * u for u in drawn]
    yield f"uniforms_after = {floats(drawn)}"
    yield ""


if __name__ == "__main__":
    lines = [f"# Made by legacy_numpy.py with NumPy {np.__version__}.", ""]
    for seed in SEEDS:
        lines += stream(seed)
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines))
