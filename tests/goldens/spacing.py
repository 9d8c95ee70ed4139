"""Golden spacings: writes spacing.csv beside this file.

    pip install numpy==2.4.6 && python tests/goldens/spacing.py

Each line is a function of NumPy, its arguments, and the bits of its results as 16 hexadecimal digits each. Arguments are exact:
their digits read back as the same number.
"""

import random
import struct
from pathlib import Path

import numpy as np

CASES = [
    ("geomspace", 1.0, 1e-4, 16),
    ("geomspace", 1.0, 1e-4, 1),
    ("geomspace", 1.0, 1e-4, 2),
    ("geomspace", -1000.0, -1.0, 4),
    ("geomspace", 1.0, 1000.0, 4),
    ("geomspace", 3.0, 3.0, 3),
    ("geomspace", 1e-300, 1e300, 7),
    ("geomspace", 5e-324, 1.0, 5),
    ("linspace", 0.0, 1.0, 11),
    ("linspace", 10.0, 30.0, 3),
    ("linspace", 0.1, 0.1, 4),
    ("linspace", -1.0, 1.0, 1),
    ("linspace", 1.0, -1.0, 2),
    ("linspace", 0.0, 5e-324, 5),
    ("linspace", -1e-3, 1e3, 9),
]

draw = random.Random(0)
for _ in range(40):
    ends = [10 ** draw.uniform(-12, 6) for _ in range(2)]
    CASES.append(("geomspace", *ends, draw.randint(2, 40)))
    CASES.append(("linspace", ends[0], -ends[1], draw.randint(2, 40)))


def bits(number):
    return struct.pack(">d", number).hex()


lines = ["function,from,to,count,bits"]
for function, start, stop, count in CASES:
    numbers = getattr(np, function)(start, stop, count)
    lines.append(f"{function},{start!r},{stop!r},{count},{' '.join(map(bits, numbers))}")
Path(__file__).with_name("spacing.csv").write_text("\n".join(lines) + "\n")
