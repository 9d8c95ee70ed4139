"""Golden arrays: writes the folder npy beside this file.

    python tests/goldens/npy.py        # needs numpy; 2.4.6 wrote the files that are here

The numbers 0 to 23 in the shape (3, 2, 4) (in bool.npy, whether they are odd), in the types, byte orders, memory orders and
versions that NumPy saves.
"""

from pathlib import Path

import numpy as np

numbers = np.arange(24).reshape(3, 2, 4)

ARRAYS = {
    "bool": numbers % 2 == 1,
    "u1": numbers.astype("u1"),
    "i1": numbers.astype("i1"),
    "i2_big": numbers.astype(">i2"),
    "i4": numbers.astype("<i4"),
    "i8": numbers.astype("<i8"),
    "u8_big": numbers.astype(">u8"),
    "f4": numbers.astype("<f4"),
    "f4_big_fortran": np.asfortranarray(numbers.astype(">f4")),
    "f8_fortran": np.asfortranarray(numbers.astype("<f8")),
}

if __name__ == "__main__":
    folder = Path(__file__).with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    for version in (2, 3):
        with open(folder / f"version_{version}.npy", "wb") as file:
            np.lib.format.write_array(file, numbers.astype("<f8"), version=(version, 0))
