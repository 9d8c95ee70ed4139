"""Golden random numbers: writes streams.toml beside this file.

    pip install blake3==1.0.11 && python tests/goldens/streams.py

The key of a stream is BLAKE3 in derive-key mode over seed, index (64 bits each, little-endian) and the purpose's name; its words
are ChaCha8's with a 64-bit block counter and the position as 64-bit nonce, written here from Bernstein's description and
checked against his test vector. Each list starts at the start of its stream. Words are text, as TOML's integers end at 2^63 - 1.
"""

import math
import struct
from pathlib import Path

from blake3 import blake3

CONTEXT = "paribus 2026-11 random stream"
# 2^64 mod this bound is a third of 2^64, so a third of the words is rejected.
REJECTING = 2**64 // 3 + 1

STREAMS = [
    (0, "init", 0, 0),
    (0, "init", 1, 0),
    (0, "batch", 0, 0),
    (0, "batch", 0, 1),
    (1, "batch", 0, 2000),
    (42, "init", 4294967295, 7),
    (2**63 - 1, "batch", 0, 2**40 + 5),
    (0, "sweep optimizer.lr", 0, 0),
    (7, "sweep regularization.weight_decay", 0, 99),
    (0, "dropout", 0, 0),
    (3, "dropout", 1, 2000),
    (0, "split", 0, 0),
    (7, "data", 0, 0),
    (7, "data", 1, 0),
]


def chacha8_block(key, counter, nonce):
    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", struct.pack("<2Q", counter, nonce))]
    x = list(start)

    def rotate(value, by):
        return (value << by | value >> 32 - by) & 0xFFFFFFFF

    def quarter_round(a, b, c, d):
        for p, q, r, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = (x[p] + x[q]) & 0xFFFFFFFF
            x[r] = rotate(x[r] ^ x[p], by)

    for _ in range(4):
        for i in range(4):
            quarter_round(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter_round(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))


assert chacha8_block(bytes(32), 0, 0).hex().startswith("3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e")


class Generator:
    def __init__(self, seed, purpose, index, position):
        material = struct.pack("<2Q", seed, index) + purpose.encode()
        key = blake3(material, derive_key_context=CONTEXT).digest()
        self.words = self.stream(key, position)
        self.spare = None

    @staticmethod
    def stream(key, position):
        counter = 0
        while True:
            yield from struct.unpack("<8Q", chacha8_block(key, counter, position))
            counter += 1

    def word(self):
        return next(self.words)

    def uniform(self):
        return (self.word() >> 11) / 2**53

    def below(self, bound):
        while True:
            high, low = divmod(self.word() * bound, 2**64)
            if low >= 2**64 % bound:
                return high

    def gaussian(self):
        if self.spare is not None:
            second, self.spare = self.spare, None
            return second
        while True:
            x = 2 * self.uniform() - 1
            y = 2 * self.uniform() - 1
            square = x * x + y * y
            if 0 < square < 1:
                scale = math.sqrt(-2 * math.log(square) / square)
                self.spare = y * scale
                return x * scale

    def shuffled(self, length):
        items = list(range(length))
        for last in range(length - 1, 0, -1):
            chosen = self.below(last + 1)
            items[last], items[chosen] = items[chosen], items[last]
        return items


def lines():
    yield "# Made by streams.py."
    for stream in STREAMS:
        def draws(draw, count):
            generator = Generator(*stream)
            return [draw(generator) for _ in range(count)]

        seed, purpose, index, position = stream
        yield ""
        yield "[[stream]]"
        yield f"seed = {seed}"
        yield f'purpose = "{purpose}"'
        yield f"index = {index}"
        yield f"position = {position}"
        # The generator makes four blocks (32 words) at a time; these include some of the fifth.
        yield "words = [" + ", ".join(f'"{word:016x}"' for word in draws(Generator.word, 36)) + "]"
        yield f"uniforms = {draws(Generator.uniform, 8)}"
        yield f"below_10 = {draws(lambda g: g.below(10), 20)}"
        yield f"below_60000 = {draws(lambda g: g.below(60000), 10)}"
        yield f"below_{REJECTING} = {draws(lambda g: g.below(REJECTING), 10)}"
        yield f"gaussians = {draws(Generator.gaussian, 11)}"
        yield f"shuffled = {Generator(*stream).shuffled(12)}"


if __name__ == "__main__":
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
