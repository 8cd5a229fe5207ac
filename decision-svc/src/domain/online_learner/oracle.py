"""FTRL-proximal (McMahan et al. 2013, algorithm 1) in plain Python; writes oracle.json beside this
file.

The log odds of the shrinkage estimate are an offset. Probabilities are rounded to single precision
before the gradient, as linfa-ftrl does.
"""

import json
import math
import pathlib
import struct

ALPHA, BETA, L1, L2 = 0.1, 1.0, 0.0, 1.0


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def contacts(count):
    for i in range(count):
        shrunk = 0.05 + (i % 5) / 10.0
        x = {0: 1.0, 1: math.log(shrunk / (1.0 - shrunk)), 2 + i % 3: 1.0}
        x[10] = (i % 7) / 4.0 - 0.5
        x[4095] = float(i % 2)
        yield x, shrunk, i % 3 == 0 or i % 7 == 6


def weight(z, n):
    if abs(z) <= L1:
        return 0.0
    return (math.copysign(L1, z) - z) / ((BETA + math.sqrt(n)) / ALPHA + L2)


def loss(p, y):
    return -math.log(p if y else 1.0 - p)


state = {}
losses = [0.0, 0.0]
for x, shrunk, y in contacts(200):
    w = {i: weight(*state.get(i, (0.0, 0.0))) for i in x}
    odds = math.log(shrunk / (1.0 - shrunk)) + sum(w[i] * x[i] for i in x)
    p = 1.0 / (1.0 + math.exp(-odds))
    losses[0] += loss(p, y)
    losses[1] += loss(shrunk, y)
    for i in x:
        z, n = state.get(i, (0.0, 0.0))
        g = (single(p) - y) * x[i]
        sigma = (math.sqrt(n + g * g) - math.sqrt(n)) / ALPHA
        state[i] = (z + g - sigma * w[i], n + g * g)
found = {i: weight(*known) for i, known in sorted(state.items())}
out = {
    "weights": {str(i): found[i] for i in found if found[i] != 0.0},
    "loss": losses[0],
    "shrinkage": losses[1],
}
text = json.dumps(out, indent=1) + "\n"
pathlib.Path(__file__).with_name("oracle.json").write_text(text)
