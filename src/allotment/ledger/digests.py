"""SHA-256 of many messages of one length at once.

Source: FIPS 180-4, §5.1.1 (padding), §5.3.3 (initial value), §6.2 (the rounds).

A library hashes one message a call, each under the interpreter's lock, which costs more than the
rounds of a message as short as an event. Here as many messages as a processor's vectors hold take
every round together; `hashlib` checks it in the tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import inner, kernel

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint32]

DIGEST_BYTES = 32
_LANES = 64  # messages hashed together
_BLOCK = 64  # bytes


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(number: int, power: int) -> int:
    """The first 32 bits behind the point of a number's square or cube root."""
    wanted = number << 32 * power
    low, high = 0, 1 << 40
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= wanted else (low, middle)
    return low & 0xFFFFFFFF


# §4.2.2 and §5.3.3 define the constants by the roots of the first primes.
_ROUND = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint32)
_INITIAL = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32)


def digests(messages: Bytes) -> Bytes:
    """The SHA-256 of each row. messages: shape (n, length), contiguous; returns shape (n, 32).

    >>> digests(np.frombuffer(b"abc", np.uint8).reshape(1, 3)).tobytes().hex()[:16]
    'ba7816bf8f01cfea'
    """
    out = np.empty((messages.shape[0], DIGEST_BYTES), np.uint8)
    _hash_all(np.ascontiguousarray(messages), out, _ROUND, _INITIAL)
    return out


@kernel
def _hash_all(messages: Bytes, out: Bytes, constants: Words, initial: Words) -> None:
    n, length = messages.shape
    n_blocks = (length + 8) // _BLOCK + 1
    schedule = np.empty((64, _LANES), np.uint32)
    state = np.empty((8, _LANES), np.uint32)
    work = np.empty((8, _LANES), np.uint32)
    first = np.empty(_LANES, np.uint32)
    for start in range(0, n, _LANES):
        lanes = min(_LANES, n - start)
        for word in range(8):
            state[word, :] = initial[word]
        for block in range(n_blocks):
            _load(messages, start, lanes, block, n_blocks, schedule)
            _expand(schedule)
            work[:] = state
            for at in range(64):
                _first(work, at, schedule[at], constants[at], first)
                _second(work, at, first)
            for word in range(8):
                for lane in range(_LANES):
                    state[word, lane] += work[word, lane]
        for lane in range(lanes):
            for word in range(8):
                for byte in range(4):
                    out[start + lane, 4 * word + byte] = (state[word, lane] >> np.uint32(24 - 8 * byte)) & 255


@inner
def _load(messages: Bytes, start: int, lanes: int, block: int, n_blocks: int, schedule: Words) -> None:
    """The block's sixteen words of each message; behind its end 0x80, zeros and its length in bits."""
    length = messages.shape[1]
    for at in range(16):
        place = block * _BLOCK + 4 * at
        if block == n_blocks - 1 and at == 15:
            for lane in range(_LANES):
                schedule[at, lane] = 8 * length
        elif place + 4 <= length:
            for lane in range(lanes):
                row = start + lane
                word = np.uint32(messages[row, place]) << np.uint32(24)
                word |= np.uint32(messages[row, place + 1]) << np.uint32(16)
                word |= np.uint32(messages[row, place + 2]) << np.uint32(8)
                schedule[at, lane] = word | np.uint32(messages[row, place + 3])
        else:
            for lane in range(lanes):
                word = np.uint32(0)
                for byte in range(4):
                    value = 0
                    if place + byte < length:
                        value = messages[start + lane, place + byte]
                    elif place + byte == length:
                        value = 0x80
                    word |= np.uint32(value) << np.uint32(24 - 8 * byte)
                schedule[at, lane] = word
    for at in range(16):
        for lane in range(lanes, _LANES):
            schedule[at, lane] = 0


@inner
def _turned(word: np.uint32, by: int) -> np.uint32:
    return np.uint32((word >> np.uint32(by)) | (word << np.uint32(32 - by)))


@inner
def _expand(schedule: Words) -> None:
    for at in range(16, 64):
        for lane in range(_LANES):
            near, far = schedule[at - 2, lane], schedule[at - 15, lane]
            one = _turned(near, 17) ^ _turned(near, 19) ^ (near >> np.uint32(10))
            other = _turned(far, 7) ^ _turned(far, 18) ^ (far >> np.uint32(3))
            schedule[at, lane] = schedule[at - 16, lane] + other + schedule[at - 7, lane] + one


# The working variables a … h of round t stand in rows (0 … 7) − t of `work`, so that none moves.


@inner
def _first(work: Words, t: int, word: Words, constant: np.uint32, out: Words) -> None:
    """out ← T1 of round t."""
    e, f, g, h = work[(4 - t) & 7], work[(5 - t) & 7], work[(6 - t) & 7], work[(7 - t) & 7]
    for lane in range(_LANES):
        turned = _turned(e[lane], 6) ^ _turned(e[lane], 11) ^ _turned(e[lane], 25)
        chosen = (e[lane] & f[lane]) ^ (~e[lane] & g[lane])
        out[lane] = h[lane] + turned + chosen + constant + word[lane]


@inner
def _second(work: Words, t: int, first: Words) -> None:
    """h ← T1 + T2, the a of the next round; d ← d + T1, its e."""
    a, b, c, d, h = work[-t & 7], work[(1 - t) & 7], work[(2 - t) & 7], work[(3 - t) & 7], work[(7 - t) & 7]
    for lane in range(_LANES):
        turned = _turned(a[lane], 2) ^ _turned(a[lane], 13) ^ _turned(a[lane], 22)
        most = (a[lane] & b[lane]) ^ (a[lane] & c[lane]) ^ (b[lane] & c[lane])
        h[lane] = first[lane] + turned + most
    for lane in range(_LANES):
        d[lane] += first[lane]
