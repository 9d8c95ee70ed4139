"""Writes real.csv beside itself: exact values of the elementary functions, to test src/engine/real.rs.

    python tests/goldens/real.py        # needs mpmath; 1.3.0 wrote the numbers that are here

A row is `function,x,y,rest`. x and y are the bits of numbers, 16 hexadecimal digits for f64 and 8 for f32; y is the
exact value of the function at x, rounded to nearest. `rest` is what the rounding took off, in units of y's last place, so that
the test can tell an error of 0.9 units from one of 1.1.
"""

import math
import random
import struct
from pathlib import Path

import mpmath
from mpmath import mpf

mpmath.mp.prec = 2200  # tanh(5e-324) differs from its argument in bit 2150
FUNCTIONS = {
    "exp": mpmath.exp,
    "ln": mpmath.log,
    "tanh": mpmath.tanh,
    "exp10": lambda x: mpmath.power(10, x),
    "log10": lambda x: mpmath.log(x) / mpmath.log(10),
    "cos_pi": mpmath.cospi,
    "exp_m1": mpmath.expm1,
    "ln_1p": mpmath.log1p,
    "normal_cdf": lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
INFINITY = math.inf


def bits(value, precision):
    code, digits = {"f64": ("d", 16), "f32": ("f", 8)}[precision]
    return struct.pack(">" + code, value).hex().rjust(digits, "0")


def rounded(exact, precision):
    """`exact` to nearest, ties to even, and the size of a unit in the result's last place (a power of two)."""
    digits, smallest, largest = {"f64": (53, -1074, mpf(2) ** 1024), "f32": (24, -149, mpf(2) ** 128)}[precision]
    if exact == 0:
        return mpf(0), mpf(2) ** smallest
    unit = mpf(2) ** max(int(mpmath.floor(mpmath.log(abs(exact), 2))) - digits + 1, smallest)
    nearest = mpmath.nint(exact / unit) * unit
    return (mpmath.sign(exact) * INFINITY if abs(nearest) >= largest else nearest), unit


def row(function, x, precision):
    at_zero = {"exp": 1.0, "ln": -INFINITY, "exp10": 1.0, "log10": -INFINITY, "cos_pi": 1.0, "normal_cdf": 0.5, "cos": 1.0}
    at_infinity = {
        "exp": max(x, 0.0),
        "ln": x,
        "tanh": math.copysign(1.0, x),
        "exp10": max(x, 0.0),
        "log10": x,
        "exp_m1": max(x, -1.0),
        "ln_1p": x,
        "normal_cdf": float(x > 0),
    }
    if math.isnan(x) or (function in ("ln", "log10") and x < 0) or (function == "ln_1p" and x < -1):
        y, rest = math.nan, 0.0
    elif x == 0:
        y, rest = at_zero.get(function, x), 0.0
    elif function == "ln_1p" and x == -1:
        y, rest = -INFINITY, 0.0
    elif math.isinf(x):
        y, rest = at_infinity[function], 0.0
    elif function in ("exp", "exp10") and abs(x) > 1000:
        y, rest = (INFINITY if x > 0 else 0.0), 0.0
    elif function == "exp_m1" and abs(x) > 1000:
        y, rest = (INFINITY if x > 0 else -1.0), 0.0
    elif function == "normal_cdf" and abs(x) > 45:
        y, rest = float(x > 0), 0.0
    elif function == "tanh" and abs(x) > 500:
        y, rest = math.copysign(1.0, x), 0.0
    else:
        exact = FUNCTIONS[function](mpf(x))
        nearest, unit = rounded(exact, precision)
        y = float(nearest)
        rest = 0.0 if math.isinf(y) else float((exact - nearest) / unit)
    return f"{function},{bits(x, precision)},{bits(y, precision)},{rest:.6f}"


def neighbours(x):
    return [math.nextafter(x, -INFINITY), x, math.nextafter(x, INFINITY)]


def points():
    draw = random.Random(6)

    def uniform(low, high, count):
        return [draw.uniform(low, high) for _ in range(count)]

    def magnitudes(low, high, count):
        return [draw.uniform(1.0, 2.0) * 2.0 ** draw.randint(low, high) for _ in range(count)]

    log2 = math.log(2.0)
    edges = [0.0, 5e-324, 2.2250738585072014e-308, 1e-310, 2.0**-60, 1e-9, 1.0, 1e300, 1.7976931348623157e308, INFINITY]
    edges = edges + [-x for x in edges] + [math.nan]
    exp = edges + neighbours(709.782712893384) + neighbours(-745.1332191019411) + neighbours(-708.3964185322641)
    exp += [x for k in (-1, 0, 1, 5, 1022) for x in neighbours((k + 0.5) * log2)]
    exp += uniform(-1.0, 1.0, 120) + uniform(-708.0, 709.0, 120) + uniform(-745.0, -708.0, 30)
    exp += [sign * x for x in magnitudes(-60, -3, 20) for sign in (1.0, -1.0)]
    ln = edges + neighbours(1.0) + neighbours(math.sqrt(0.5)) + neighbours(math.sqrt(2.0)) + [1e-7, 2.0, math.e, 10.0]
    ln += uniform(0.5, 2.0, 160) + magnitudes(-1022, 1022, 100) + uniform(0.0, 2.2e-308, 20)
    ln += [1.0 + sign * x for x in magnitudes(-52, -5, 20) for sign in (1.0, -1.0)]
    tanh = edges + neighbours(0.5625) + neighbours(19.0) + neighbours(22.0)
    tanh += uniform(-0.5625, 0.5625, 100) + uniform(0.5625, 3.0, 120) + uniform(-20.0, 20.0, 60)
    tanh += [sign * x for x in magnitudes(-1022, -3, 20) for sign in (1.0, -1.0)]
    for function, xs in (("exp", exp), ("ln", ln), ("tanh", tanh)):
        for x in xs:
            yield function, x, "f64"

    narrow = [0.5, 1.0, 88.72283, 88.72284, -87.3, -103.9, -104.1, 1e-40, 3e38] + uniform(-20.0, 20.0, 30)
    for function in ("exp", "ln", "tanh"):
        for x in narrow:
            yield function, struct.unpack("f", struct.pack("f", x))[0], "f32"

    exp10 = edges + [float(k) for k in (-323, -308, -307, -22, -5, -1, 1, 2, 22, 23, 300, 308)]
    exp10 += neighbours(308.25471555991674) + neighbours(-323.3062153431158) + neighbours(-307.0)
    exp10 += uniform(-1.0, 1.0, 80) + uniform(-307.0, 308.0, 80) + uniform(-323.0, -307.0, 20)
    exp10 += [sign * x for x in magnitudes(-60, -3, 20) for sign in (1.0, -1.0)]
    log10 = edges + neighbours(1.0) + neighbours(0.1) + neighbours(1e-307) + neighbours(1e22) + neighbours(1e300)
    log10 += uniform(0.5, 2.0, 80) + magnitudes(-1022, 1022, 80) + uniform(0.0, 2.2e-308, 20)
    log10 += [1.0 + sign * x for x in magnitudes(-52, -5, 20) for sign in (1.0, -1.0)]
    cos_pi = [x for x in edges if math.isfinite(x)] + neighbours(0.25) + neighbours(0.5) + neighbours(1.0) + neighbours(1.5)
    cos_pi += uniform(0.0, 1.0, 120) + uniform(-100.0, 100.0, 40) + magnitudes(-60, -3, 20)
    cos_pi += [0.5 + sign * x for x in magnitudes(-52, -5, 20) for sign in (1.0, -1.0)]
    for function, xs in (("exp10", exp10), ("log10", log10), ("cos_pi", cos_pi)):
        for x in xs:
            yield function, x, "f64"

    exp_m1 = edges + neighbours(709.782712893384) + neighbours(-37.5) + neighbours(-40.0) + [-0.3, 0.3]
    exp_m1 += [x for k in (-1, 0, 1, 5, 52, 53) for x in neighbours((k + 0.5) * log2)]
    exp_m1 += uniform(-1.0, 1.0, 120) + uniform(-40.0, 40.0, 120) + uniform(40.0, 709.0, 20)
    exp_m1 += [sign * x for x in magnitudes(-1022, -3, 20) for sign in (1.0, -1.0)]
    ln_1p = edges + neighbours(-1.0) + neighbours(math.sqrt(0.5) - 1) + neighbours(math.sqrt(2.0) - 1)
    ln_1p += uniform(0.0, 1.0, 160) + uniform(-1.0, 0.0, 60) + magnitudes(-60, 60, 60) + magnitudes(-1022, 1022, 20)
    normal_cdf = edges + neighbours(-38.4) + neighbours(-37.5) + neighbours(-39.0)
    normal_cdf += uniform(-1.0, 1.0, 60) + uniform(-6.0, 6.0, 120) + uniform(-38.5, 0.0, 120) + uniform(0.0, 10.0, 30)
    for function, xs in (("exp_m1", exp_m1), ("ln_1p", ln_1p), ("normal_cdf", normal_cdf)):
        for x in xs:
            yield function, x, "f64"
        for x in narrow:
            yield function, struct.unpack("f", struct.pack("f", x))[0], "f32"

    # Near multiples of pi / 2, where sine or cosine is small, and at both ends of the range.
    quarters = [1, 2, 3, 4, 5, 100, 101, 65535, 65536, 667543, 667544] + [draw.randint(6, 667543) for _ in range(40)]
    turns = [0.0, -0.5, 1e-9, 1.0, 100.0, -(2.0**20), 2.0**20]
    turns += [sign * x for k in quarters for x in neighbours(k * math.pi / 2) for sign in (1.0, -1.0)]
    turns += [sign * x for k in (0, 1, 7, 400000) for x in neighbours((k + 0.5) * math.pi / 2) for sign in (1.0, -1.0)]
    turns += uniform(-1.0, 1.0, 60) + uniform(-100.0, 100.0, 200) + uniform(-(2.0**20), 2.0**20, 400)
    turns += [1044690.3294507582, -1020325.68]
    turns += [sign * x for x in magnitudes(-60, -3, 20) for sign in (1.0, -1.0)]
    for function in ("sin", "cos"):
        for x in turns:
            yield function, x, "f64"


if __name__ == "__main__":
    lines = ["function,x,y,rest", *(row(*point) for point in points())]
    Path(__file__).with_suffix(".csv").write_text("\n".join(lines) + "\n")
