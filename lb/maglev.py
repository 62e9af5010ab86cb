"""The Maglev builder of the core, called from Python: the very C code, not a second one.

The algorithm is that of Eisenbud et al., NSDI 2016, section 3.4; the rule for weights and the
hashes are in lb/README.md.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from lb.built import library
from lb.errors import MaglevError

MAX_SIZE = 16777213
_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """A preference list: offset (0 to size-1), skip (1 to size-1), weight (0: no slots)."""

    offset: int
    skip: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of a pool; its address (of either family) alone decides its preference list."""

    name: str
    address: str
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Table:
    """`slots[s]` is the index of the entry or backend that owns slot s; `counts` are by index."""

    size: int
    slots: tuple[int, ...]
    counts: tuple[int, ...]
    digest: str


class _CEntry(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_uint32),
        ("skip", ctypes.c_uint32),
        ("weight", ctypes.c_uint32),
    )


class _CBackend(ctypes.Structure):
    _fields_ = (("identity", ctypes.c_uint64), ("weight", ctypes.c_uint32))


@cache
def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library("popscope_maglev")))
    u32, pointer = ctypes.c_uint32, ctypes.c_void_p
    for function in (lib.ps_maglev_build, lib.ps_maglev_build_pool):
        function.argtypes = (u32, u32, pointer, pointer)
        function.restype = ctypes.c_int
    lib.ps_maglev_digest.argtypes = (u32, pointer, pointer)
    lib.ps_maglev_digest.restype = ctypes.c_uint64
    lib.ps_maglev_identity.argtypes = (ctypes.c_char_p,)
    lib.ps_maglev_identity.restype = ctypes.c_uint64
    lib.ps_is_prime.argtypes = (u32,)
    lib.ps_is_prime.restype = ctypes.c_bool
    return lib


def is_prime(number: int) -> bool:
    """Whether a number below 2^32 is a prime. Raises NotBuiltError."""
    return bool(0 <= number <= _U32 and _library().ps_is_prime(number))


def build(size: int, entries: Sequence[Entry]) -> Table:
    """The table of these preference lists; turns are taken in the order given.

    Raises MaglevError (size no prime, a value out of range, no weight), NotBuiltError.
    """
    _check_size(size)
    for i, e in enumerate(entries):
        if not (0 <= e.offset < size and 0 < e.skip < size and 0 <= e.weight <= _U32):
            raise MaglevError(
                f"entry {i} ({e.offset},{e.skip},{e.weight}): the offset must be 0 to {size - 1}, "
                f"the skip 1 to {size - 1}, the weight not negative"
            )
    values = (_CEntry * len(entries))(*(_CEntry(e.offset, e.skip, e.weight) for e in entries))
    return _call("ps_maglev_build", size, values, None)


def build_pool(size: int, backends: Sequence[Backend]) -> Table:
    """The table that every core builds for a pool, whatever order it was told the backends in.

    Raises MaglevError, NotBuiltError.
    """
    _check_size(size)
    try:
        identities = [_identity(ipaddress.ip_address(b.address)) for b in backends]
    except ValueError as error:
        raise MaglevError(f"a backend's address: {error}") from error
    pairs = zip(identities, (b.weight for b in backends), strict=True)
    values = (_CBackend * len(backends))(*(_CBackend(*pair) for pair in pairs))
    return _call("ps_maglev_build_pool", size, values, identities)


def _identity(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    mapped = bytes(10) + b"\xff\xff" if address.version == 4 else b""
    return int(_library().ps_maglev_identity(mapped + address.packed))


def _check_size(size: int) -> None:
    if not (2 <= size <= MAX_SIZE and is_prime(size)):
        raise MaglevError(f"the size is {size}, but must be a prime of 2 to {MAX_SIZE}")


def _call(
    function: str,
    size: int,
    values: ctypes.Array[_CEntry] | ctypes.Array[_CBackend],
    identities: Sequence[int] | None,
) -> Table:
    lib = _library()
    slots = (ctypes.c_uint32 * size)()
    code = getattr(lib, function)(size, len(values), values, slots)
    if code == -errno.ENOENT:
        raise MaglevError("nothing has a weight above 0: there is no table")
    if code == -errno.EEXIST:
        raise MaglevError("two backends have the same address")
    if code:
        raise MaglevError(f"{function}: {errno.errorcode.get(-code, code)}")
    ids = (ctypes.c_uint64 * len(values))(*identities) if identities else None
    counts = [0] * len(values)
    owners = tuple(slots)
    for owner in owners:
        counts[owner] += 1
    return Table(size, owners, tuple(counts), f"{lib.ps_maglev_digest(size, slots, ids):016x}")
