"""The lines of a CSV file: where each begins, how many fields it has, what is wrong with it.

CSV readers accept a row that was cut off in its middle, or count records where a person counts
lines. Here every byte is looked at once, so that a mistake is reported at the line where an
editor shows it; only then are the sound lines given to Arrow.

Fields are separated by commas and may stand in double quotes, a quote inside doubled; lines end
with LF or CRLF; no value spans lines.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import kernel
from allotment.errors import BadRow
from allotment.units import Bools, Codes, Index, Ints

UNCLOSED_QUOTE, LONE_RETURN, NUL, NOT_ASCII = 1, 2, 4, 8
_COMMA, _QUOTE, _LF, _CR = 44, 34, 10, 13
_START, _PLAIN, _QUOTED, _AFTER_QUOTE = 0, 1, 2, 3  # where a byte stands in its field
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Lines:
    """The sound rows of a file, and what is wrong with the others."""

    header: tuple[str, ...]
    body: bytes | memoryview  # sound rows only, without the header
    numbers: Ints  # (n_rows,) the line of each row of `body`, 1 being the header
    bad: tuple[BadRow, ...]


def split_lines(data: bytes, file: str) -> Lines:
    """The rows of a CSV file. Structural mistakes are values; only sound rows are in the body."""
    view = memoryview(data)[3:] if data.startswith(codecs.BOM_UTF8) else memoryview(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _nothing(BadRow(file, 0, "", "found UTF-16 text", "save the file as UTF-8"))
    blanks = codecs.BOM_UTF8 + b"\r\n\t "
    if not data[:4096].strip(blanks) and not data.strip(blanks):
        return _nothing(BadRow(file, 0, "", "the file is empty", "give a file with a header and rows"))
    raw = np.frombuffer(view, np.uint8)
    n_lines = _count_lines(raw)
    start = np.empty(n_lines + 1, np.int64)
    fields = np.empty(n_lines, np.int32)
    flags = np.zeros(n_lines, np.int8)
    _scan(raw, start, fields, flags)
    bad = [*_flagged(view, start, flags, file)]
    header = header_of(bytes(view[start[0] : start[1]]))
    if bad and bad[0].line == 1:
        return Lines(header, b"", np.empty(0, np.int64), tuple(bad))
    ragged = (fields != len(header)) & (fields > 0) & (flags & (UNCLOSED_QUOTE | LONE_RETURN) == 0)
    bad += [_ragged(file, line, int(fields[line]), len(header)) for line in np.flatnonzero(ragged).tolist()]
    refused = ragged | (fields == 0)
    refused[[row.line - 1 for row in bad]] = True
    blank_only = not ragged.any() and not bad
    refused[0] = False
    numbers = np.flatnonzero(~refused[1:]) + 2
    body = view[start[1] :] if blank_only else _without(view, start, refused)
    return Lines(header, body, numbers, tuple(sorted(bad, key=lambda row: row.line)))


def header_of(line: bytes) -> tuple[str, ...]:
    """The names of the columns in a file's first line."""
    text = line[:100_000].removeprefix(codecs.BOM_UTF8).decode(errors="replace").rstrip("\r\n")
    text = text.replace("\r", " ")  # a stray one is told as a mistake; here it only must not hinder
    return tuple(name.strip() for name in next(csv.reader([text]), []))


def _nothing(row: BadRow) -> Lines:
    return Lines((), b"", np.empty(0, np.int64), (row,))


def _ragged(file: str, line: int, found: int, wanted: int) -> BadRow:
    what = "cut off or missing a comma" if found < wanted else "an unquoted comma inside a value"
    return BadRow(
        file,
        line + 1,
        "",
        f"found {found} field(s) where the header has {wanted}",
        f"mend the row ({what}?), or write the file again",
    )


def _flagged(view: memoryview, start: Ints, flags: Codes, file: str) -> list[BadRow]:
    bad = []
    for at in np.flatnonzero(flags).tolist():
        flag = int(flags[at])
        if flag & NUL:
            bad.append(BadRow(file, at + 1, "", "found a NUL byte", "write the file again as plain text"))
        elif flag & LONE_RETURN:
            found = "found a carriage return inside the line"
            bad.append(BadRow(file, at + 1, "", found, "end lines with LF or CRLF"))
        elif flag & UNCLOSED_QUOTE:
            found = "found a quotation mark that is not closed on its line"
            bad.append(BadRow(file, at + 1, "", found, "close it, or double a quotation mark inside a value"))
        else:
            try:
                bytes(view[start[at] : start[at + 1]]).decode()
            except UnicodeDecodeError as error:
                found = f"byte {error.object[error.start]:#04x} at position {error.start + 1} is not UTF-8"
                bad.append(BadRow(file, at + 1, "", found, "save the file as UTF-8"))
    return bad


def _without(view: memoryview, start: Ints, refused: Bools) -> bytes:
    """The bytes of the lines that are kept, header left out."""
    kept = ~refused
    kept[0] = False
    edges = np.flatnonzero(np.diff(np.concatenate(([0], kept.astype(np.int8), [0]))))
    return b"".join(view[start[a] : start[b]] for a, b in edges.reshape(-1, 2).tolist())


@kernel
def _count_lines(raw: Bytes) -> int:
    n = 0
    for byte in raw:
        if byte == _LF:
            n += 1
    if raw.shape[0] and raw[-1] != _LF:
        n += 1
    return n


@kernel
def _next(state: int, byte: int) -> int:
    # Quotes open a value only at its start, as in RFC 4180; elsewhere they are plain text.
    if state == _QUOTED:
        return _AFTER_QUOTE if byte == _QUOTE else _QUOTED
    if state == _AFTER_QUOTE and byte == _QUOTE:
        return _QUOTED
    if byte == _COMMA:
        return _START
    if state == _START and byte == _QUOTE:
        return _QUOTED
    return _PLAIN


@kernel
def _scan(raw: Bytes, start: Ints, fields: Index, flags: Codes) -> None:
    line, n_fields, state, n = 0, 1, _START, raw.shape[0]
    start[0] = 0
    for i in range(n):
        byte = raw[i]
        if byte == _LF:
            if state == _QUOTED:
                flags[line] |= UNCLOSED_QUOTE
            blank = i == start[line] or (i == start[line] + 1 and raw[i - 1] == _CR)
            fields[line] = 0 if blank else n_fields
            line += 1
            start[line] = i + 1
            n_fields, state = 1, _START
            continue
        state = _next(state, byte)
        if state == _START:
            n_fields += 1
        if byte == 0:
            flags[line] |= NUL
        elif byte == _CR and (i + 1 == n or raw[i + 1] != _LF):
            flags[line] |= LONE_RETURN
        elif byte >= 128:
            flags[line] |= NOT_ASCII
    if line < fields.shape[0]:
        if state == _QUOTED:
            flags[line] |= UNCLOSED_QUOTE
        fields[line] = n_fields
        start[line + 1] = n
