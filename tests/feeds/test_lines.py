from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.feeds.lines import header_of, split_lines


def places(data: bytes) -> list[tuple[int, str]]:
    return [(row.line, row.found) for row in split_lines(data, "f.csv").bad]


def test_clean_rows_keep_their_line_numbers() -> None:
    lines = split_lines(b"a,b\n1,2\n\n3,4\n", "f.csv")
    assert lines.header == ("a", "b")
    assert lines.numbers.tolist() == [2, 4]
    assert lines.bad == ()


def test_crlf_and_byte_order_mark_are_no_mistake() -> None:
    lines = split_lines(b'\xef\xbb\xbfa,b\r\n"x, y",2\r\n', "f.csv")
    assert lines.header == ("a", "b")
    assert lines.bad == ()
    assert bytes(lines.body) == b'"x, y",2\r\n'


def test_a_row_cut_in_its_middle_is_told_at_its_line() -> None:
    assert places(b"a,b\n1,2\n3") == [(3, "found 1 field(s) where the header has 2")]


def test_a_row_with_a_comma_too_many_is_told_and_the_next_is_read() -> None:
    lines = split_lines(b"a,b\n1,2,3\n4,5\n", "f.csv")
    assert [row.line for row in lines.bad] == [2]
    assert lines.numbers.tolist() == [3]
    assert bytes(lines.body) == b"4,5\n"


def test_a_quotation_mark_that_is_not_closed() -> None:
    assert places(b'a,b\n"1,2\n3,4\n') == [(2, "found a quotation mark that is not closed on its line")]


def test_a_nul_byte() -> None:
    assert places(b"a,b\n1,2\n3,\x004\n") == [(3, "found a NUL byte")]


def test_a_return_without_line_feed() -> None:
    assert places(b"a,b\n1,2\r3,4\n") == [(2, "found a carriage return inside the line")]


def test_bytes_that_are_not_utf8_with_their_position() -> None:
    assert places("a,b\nJosé,2\n".encode("latin-1")) == [(2, "byte 0xe9 at position 4 is not UTF-8")]


def test_utf8_beyond_ascii_is_no_mistake() -> None:
    assert places("a,b\nJosé,2\n".encode()) == []


def test_utf16_is_told_as_such() -> None:
    assert places("a,b\n1,2\n".encode("utf-16")) == [(0, "found UTF-16 text")]


def test_empty_files() -> None:
    assert places(b"") == [(0, "the file is empty")]
    assert places(b"\xef\xbb\xbf \r\n") == [(0, "the file is empty")]


def test_every_mistake_is_told_in_order() -> None:
    found = places(b'a,b\n1\n"2,3\n4,5,6\n7,\x008\n9,10\n')
    assert [line for line, _ in found] == [2, 3, 4, 5]


def test_a_header_is_read_with_its_quotes() -> None:
    assert header_of(b'\xef\xbb\xbf"a, b",c \r\n') == ("a, b", "c")


def test_a_stray_return_in_the_header_is_told() -> None:
    assert places(b"\ra,b\n1,2\n") == [(1, "found a carriage return inside the line")]


fields = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=6
)


@given(st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=200, deadline=None)
def test_whatever_a_csv_writer_writes_is_read_line_by_line(
    rows: list[tuple[str, str, str]], end: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    writer.writerow(("a", "b", "c"))
    writer.writerows(rows)
    lines = split_lines(out.getvalue().encode(), "f.csv")
    assert lines.bad == ()
    assert lines.numbers.tolist() == list(range(2, len(rows) + 2))
