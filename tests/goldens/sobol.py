"""Golden points of the Sobol sequence: writes sobol.csv beside this file.

    pip install numpy==2.4.6 scipy==1.17.1 && python tests/goldens/sobol.py

Each line is a point's 0-based index and its 64 coordinates in units of 2^-20, which makes those of the first 2^20 points whole.
"""

from pathlib import Path

import numpy as np
from scipy.stats import qmc

DIMENSIONS = 64
# Point 2^k - 1 is the k-th direction number itself, counted from 1.
INDICES = [*range(64), *(2**k - 1 for k in range(7, 21)), 1000, 65_536, 123_456, 777_777, 999_999]

lines = []
for index in INDICES:
    # The points are the same with 53 bits, but with those SciPy 1.17.1 cannot fast-forward.
    sequence = qmc.Sobol(DIMENSIONS, scramble=False, bits=32)
    if index:
        sequence.fast_forward(index)
    point = sequence.random(1)[0] * 2**20
    assert (point == point.astype(int)).all()
    lines.append(",".join(map(str, [index, *point.astype(int)])))

# The mean centered L2 discrepancy of shifted points, compared with SciPy's scrambled points and random points.
generator = np.random.default_rng(0)
for dimensions, count in [(2, 64), (4, 64), (4, 256), (8, 64)]:
    points = (qmc.Sobol(dimensions, scramble=False, bits=53).random(count) * 2**53).astype(np.uint64)
    samples = {
        "shift": lambda: (points ^ generator.integers(2**53, size=dimensions, dtype=np.uint64)) / 2**53,
        "scrambling": lambda: qmc.Sobol(dimensions, seed=generator).random(count),
        "random": lambda: generator.random((count, dimensions)),
    }
    means = {name: np.mean([qmc.discrepancy(sample()) for _ in range(100)]) for name, sample in samples.items()}
    print(f"{count} points in {dimensions} dimensions:", *(f"{name} {mean:.2g}" for name, mean in means.items()))
    assert means["shift"] < 1.1 * means["scrambling"] and means["shift"] < means["random"] / 3

Path(__file__).with_name("sobol.csv").write_text("\n".join(lines) + "\n")
