"""Golden points: writes spiral.toml beside this file.

    python tests/goldens/spiral.py        # needs numpy; 2.4.6 wrote the numbers that are here

The Gaussians that the second volume of the book draws for its spirals (seed 1984), and the points that its formula makes of them.
"""

from pathlib import Path

import numpy as np

ARMS, POINTS = 3, 100

gaussians = np.random.RandomState(1984).randn(ARMS * POINTS)
radius = np.tile(np.arange(POINTS) / POINTS, ARMS)
angle = np.repeat(np.arange(ARMS), POINTS) * 4.0 + 4.0 * radius + gaussians * 0.2
points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)

if __name__ == "__main__":
    lines = ["# Made by spiral.py."]
    for name, values in [("gaussians", gaussians), ("points", points.ravel())]:
        lines.append(f"{name} = [{', '.join(repr(float(value)) for value in values)}]")
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines) + "\n")
