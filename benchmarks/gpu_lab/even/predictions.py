"""What was expected of each cell on one H200, written down before the first run with an even routing.

The base are earlier measurements. The experts' kernel alone takes 294 µs a layer for 16 tokens with an even
routing. Attention reads 4.1 TB/s. The rest of a step takes 4.2 ms by default, and 2.7 ms with the examples'
arguments."""

from __future__ import annotations

#: Cell -> output tokens a second, by default and as the examples have it; a step of decode in ms, likewise.
EXPECTED: dict[str, tuple[tuple[int, int], tuple[float, float]]] = {
    "1000/1000 1": ((187, 253), (5.3, 3.9)),
    "1000/1000 16": ((1121, 1253), (12.8, 11.3)),
    "1000/1000 64": ((2862, 3068), (16.1, 14.6)),
    "1000/1000 256": ((5081, 5253), (22.3, 20.8)),
    "8000/1000 1": ((179, 240), (5.4, 4.0)),
    "8000/1000 16": ((955, 1069), (14.3, 12.8)),
    "8000/1000 64": ((2001, 2180), (22.3, 20.8)),
    "8000/1000 256": ((2520, 2713), (35.2, 33.7)),
    "1000/8000 1": ((186, 251), (5.4, 4.0)),
    "1000/8000 16": ((1164, 1307), (13.6, 12.1)),
    "1000/8000 64": ((3203, 3463), (19.2, 17.7)),
    "1000/8000 256": ((6841, 7127), (34.2, 32.7)),
}
#: Experts of 64 that one step of so many sequences reads; tokens of the busiest and the idlest expert of any
#: layer, over an even share; GB/s of the memory.
EXPERTS_HIT = {1: 6.0, 16: 50.8, 64: 63.9, 256: 64.0}
BUSIEST, IDLEST = 1.15, 0.85
BANDWIDTH = 4100
