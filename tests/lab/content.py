"""What the backends serve, so that a client can tell a whole page from a broken one."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

BLOCK = 64 * 1024


def blocks(seed: int, size: int) -> Iterator[bytes]:
    """The body of a download: `size` bytes that only `seed` decides, in blocks of 64 KiB."""
    block = random.Random(seed).randbytes(BLOCK)
    for start in range(0, size, BLOCK):
        # Blocks differ, so that a missing or a swapped one shows.
        yield (start.to_bytes(8, "big") + block[8:])[: size - start]


def checksum(seed: int, size: int) -> int:
    """CRC-32 of the body."""
    crc = 0
    for block in blocks(seed, size):
        crc = zlib.crc32(block, crc)
    return crc


def page(backend: str, number: int) -> str:
    """A short page: who answers, and the number that was asked for."""
    return f"<html><body>{backend} answers {number}</body></html>\n"
