"""Tables that come from elsewhere: read in whatever form they have, and written back as they were but for a few cells.

`Table` keeps the encoding, the byte-order mark, the delimiter, the line ends and the quotes of a file, so a cell that
nobody changes stays the same to the byte.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 50_000_000
"""Bytes of a table; a larger file is none."""
DELIMITERS = ",;\t"
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def quoted(cell: str, delimiters: str = DELIMITERS + "|") -> str:
    """Write a cell of a CSV file, in quotes where a program that splits at one of these delimiters would split it."""
    needs_quotes = cell != cell.strip() or any(sign in cell for sign in f'"\r\n{delimiters}')
    return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def same(text: str) -> str:
    """Write a name so that two ways to type it are equal: accents, case and spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


class Table:
    """A file of comma-, semicolon- or tab-separated values with a header, whose unchanged cells stay as they are."""

    def __init__(self, data: bytes, name: str):
        """Read it; a `ValueError` says why it is none, and begins with `name`."""
        if len(data) > MAX_BYTES:
            raise ValueError(
                f"{name}: it has {len(data) / 1e6:,.0f} MB, and up to {MAX_BYTES // 10**6} are read"
            )
        self.name = name
        self._mark, self._encoding, text = _decoded(data)
        if "\0" in text or text.startswith("PK\x03\x04"):
            raise ValueError(f"{name}: a table of text (CSV) was wanted; save the spreadsheet as CSV")
        self.delimiter = max(DELIMITERS, key=_outside_quotes(text).count)
        self._raw: list[list[str]] = []
        self._ends: list[str] = []
        for cells, end in _records(text, self.delimiter):
            self._raw.append(cells)
            self._ends.append(end)
        if not self._raw or not any(self.header):
            raise ValueError(f"{name}: a table with a header was wanted, and there is none in it")

    @classmethod
    def read(cls, path: str | Path, argument: str) -> "Table":
        """Read a file; errors begin with the name of the argument that it came from."""
        return cls(Path(path).read_bytes(), f"{argument}: {path}")

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return [_value(raw).strip() for raw in self._raw[0]]

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Give the number and the cells of each line below the header that is not blank.

        Cells that a short line lacks are "".
        """
        width = len(self._raw[0])
        for number, raw in enumerate(self._raw[1:], 1):
            cells = [_value(cell) for cell in raw]
            if any(cell.strip() for cell in cells):
                yield number, cells + [""] * (width - len(cells))

    def column(self, *names: str) -> int | None:
        """The number of the column that has one of these names, in whatever case; None if there is none."""
        wanted = {same(name) for name in names}
        return next((index for index, name in enumerate(self.header) if same(name) in wanted), None)

    def put(self, line: int, column: int, text: str) -> None:
        """Change one cell; it is quoted if it was, or if it must be."""
        raw = self._raw[line]
        raw += [""] * (column + 1 - len(raw))
        new = quoted(text, self.delimiter)
        if raw[column].startswith('"') and not new.startswith('"'):
            new = f'"{new}"'
        raw[column] = new

    def raw(self, line: int, column: int) -> str:
        """A cell as it stands in the file, with its quotes; "" if the line is too short."""
        return self._raw[line][column] if column < len(self._raw[line]) else ""

    def data(self) -> bytes:
        """The file as it is now."""
        lines = zip(self._raw, self._ends, strict=True)
        text = "".join(self.delimiter.join(raw) + end for raw, end in lines)
        return self._mark + text.encode(self._encoding, "replace")


def _decoded(data: bytes) -> tuple[bytes, str, str]:
    """The byte-order mark of a file, its encoding and its text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding, data[len(mark) :].decode(encoding, "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return b"", encoding, data.decode(encoding)
        except UnicodeDecodeError:
            pass
    return b"", "latin-1", data.decode("latin-1")


def _outside_quotes(text: str) -> str:
    """The first line of a table without what stands in quotes."""
    return re.sub(r'"(?:[^"]|"")*"', "", text).lstrip("\r\n").partition("\n")[0]


def _records(text: str, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """The lines of a table, each as its cells with their quotes, and what ends it."""
    cell = re.compile(rf'("(?:[^"]|"")*"[^{delimiter}\r\n]*|[^{delimiter}\r\n]*)({delimiter}|\r\n|\n|\r|\Z)')
    position, cells = 0, []
    while position < len(text) or cells:
        found = cell.match(text, position)
        position = found.end()
        cells.append(found[1])
        if found[2] != delimiter:
            yield cells, found[2]
            cells = []


def _value(raw: str) -> str:
    if raw.startswith('"'):
        inside, closed, rest = raw[1:].rpartition('"')
        if closed:
            return inside.replace('""', '"') + rest
    return raw
