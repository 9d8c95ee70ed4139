"""Golden ids: writes ids.toml beside this file.

    pip install blake3==1.0.11 && python tests/goldens/ids.py

An id is the first 16 hexadecimal digits of BLAKE3 over what it names (a run or a trajectory), the numerics version, the data
fingerprint and the settings in the order of their names. Every text is preceded by its length, every value by a letter for its
type, and every number is little-endian.
"""

import json
import struct
from pathlib import Path

from blake3 import blake3

NUMERICS_VERSION = 1
NOT_IN_TRAJECTORY = {"evaluate_every", "evaluate_on", "loss_at", "loss_every", "steps"}

RUNS = [
    ("", {}),
    ("mnist", {"lr": 0.01}),
    ("mnist", {"seed": 2**63 - 1, "bias": False, "lr": -0.0, "hidden": ""}),
    (
        "0123456789abcdef",
        {
            "steps": 2001,
            "seed": 2,
            "optimizer": "adam",
            "lr": 0.001,
            "beta1": 0.9,
            "beta2": 0.999,
            "eps": 1e-7,
            "hidden": "100-100-100-100",
            "activation": "relu",
            "bias": True,
            "weights": "he",
            "batch_size": 128,
            "loss_at": "after-update",
            "loss_every": 1,
            "evaluate_on": "train-test",
            "evaluate_every": "epoch",
        },
    ),
]


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(value):
    match value:
        case bool():
            return b"b" + bytes([value])
        case int():
            return b"i" + struct.pack("<q", value)
        case float():
            return b"f" + struct.pack("<d", value)
        case str():
            return b"t" + text(value)


def identify(what, fingerprint, settings):
    data = text(what) + struct.pack("<I", NUMERICS_VERSION) + text(fingerprint)
    for name in sorted(settings):
        data += text(name) + scalar(settings[name])
    return blake3(data).hexdigest()[:16]


def lines():
    yield "# Made by ids.py."
    yield f"numerics_version = {NUMERICS_VERSION}"
    for fingerprint, settings in RUNS:
        trajectory = {name: value for name, value in settings.items() if name not in NOT_IN_TRAJECTORY}
        yield ""
        yield "[[run]]"
        yield f'fingerprint = "{fingerprint}"'
        yield f'run_id = "{identify("paribus run", fingerprint, settings)}"'
        yield f'trajectory_id = "{identify("paribus trajectory", fingerprint, trajectory)}"'
        yield "[run.settings]"
        for name, value in settings.items():
            yield f"{name} = {json.dumps(value)}"


if __name__ == "__main__":
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
