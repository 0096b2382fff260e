"""A Parquet file whose writer died gets the footer that it never wrote.

A Parquet writer puts pages on the disk as it goes, and what says where they are, the footer, when
it closes. The pages speak for themselves: each begins with a header that gives its kind, its size
and how many values it holds, and the columns follow each other in the order of the schema. So with
the schema known from elsewhere (here: a table of the same kind, written and closed), the row groups
can be found again, and a footer be written that any Parquet reader takes.
References: apache/parquet-format, README.md and parquet.thrift (PageHeader, FileMetaData).

This file knows pages and footers. It knows no dataset. What was in the memory of the dead process
is not in the file and cannot be had.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from recorders.exchange import thrift_compact as thrift
from recorders.exchange.parquet_levels import Leaf, leaves_of, rows_in_page
from recorders.exchange.thrift_compact import I32, I64, LIST, STRUCT, NotThriftError, Struct

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = range(4)
# FileMetaData, RowGroup, ColumnChunk and ColumnMetaData by their numbers in parquet.thrift.
_NUM_ROWS, _ROW_GROUPS, _COLUMN_ORDERS = 3, 4, 7
_COLUMNS, _GROUP_BYTES, _GROUP_ROWS, _GROUP_OFFSET, _GROUP_COMPRESSED, _ORDINAL = 1, 2, 3, 5, 6, 7
_FILE_OFFSET, _META = 2, 3
_TYPE, _ENCODINGS, _PATH, _CODEC = 1, 2, 3, 4
_VALUES, _UNCOMPRESSED, _COMPRESSED, _DATA_OFFSET, _DICTIONARY_OFFSET = 5, 6, 7, 9, 11


class Page(msgspec.Struct, frozen=True):
    """A page in a file: its kind, where its header, its body and its end are, what it holds."""

    kind: int
    begin: int
    body: int
    end: int
    values: int
    unpacked: int           # bytes, header included, before compression
    encoding: int


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        rows: of every row group, in order.
        lost_bytes: behind the last whole row group.
    """

    rows: tuple[int, ...]
    lost_bytes: int


def is_whole(path: Path) -> bool:
    """Whether a file has a footer."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < 12 or file.read(4) != MAGIC:
            return False
        file.seek(size - 4)
        return file.read(4) == MAGIC


def repair(path: Path, template: "pa.Table", to: Path) -> Repaired:
    """Write a whole file with all the row groups that a file without a footer holds.

    Args:
        path: the file without a footer.
        template: a table with at least one row and with the file's schema.
        to: the new file.

    Raises:
        ValueError: if the file is no Parquet file, or its columns are others than the template's.
    """
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ValueError(f"{path} is no Parquet file")
    footer = _footer_of(template, to)
    pages = _Pages(data, leaves_of(template.schema))
    groups: list[tuple[int, list[list[Page]]]] = []
    at = 0
    while (found := pages.row_group(at)) is not None:
        rows, group, at = found
        groups.append((rows, group))
    end = pages.all[at - 1].end if at else 4
    model = footer[_ROW_GROUPS][1][1][0]
    made = [_group(model, group, rows, ordinal) for ordinal, (rows, group) in enumerate(groups)]
    footer[_ROW_GROUPS] = (LIST, (STRUCT, made))
    footer[_NUM_ROWS] = (I64, sum(rows for rows, _ in groups))
    told = thrift.written(footer)
    to.write_bytes(b"".join([data[:end], told, len(told).to_bytes(4, "little"), MAGIC]))
    return Repaired(rows=tuple(rows for rows, _ in groups), lost_bytes=len(data) - end)


def pages_in(data: bytes) -> list[Page]:
    """All whole pages from the beginning on, up to the first that is none."""
    pages: list[Page] = []
    at = 4
    while at < len(data):
        reader = thrift.Reader(data, at)
        try:
            page = _page(reader.struct(), at, reader.at)
        except (NotThriftError, KeyError, TypeError):
            break
        if page is None or page.end > len(data):
            break
        pages.append(page)
        at = page.end
    return pages


def _page(header: Struct, begin: int, body: int) -> Page | None:
    """PageHeader: 1 type, 2 uncompressed size, 3 compressed size, 5, 7, 8 what it holds."""
    kind = header[1][1]
    unpacked, packed = header[2][1], header[3][1]
    where = {DATA_PAGE: 5, DICTIONARY_PAGE: 7, DATA_PAGE_V2: 8}
    if kind not in where or packed < 0 or unpacked < 0:
        return None
    holds = header[where[kind]][1]
    encoding = holds[4][1] if kind == DATA_PAGE_V2 else holds[2][1]
    return Page(kind, begin, body, body + packed, holds[1][1], body - begin + unpacked, encoding)


class _Pages:
    """The pages of a file, to be read as row groups.

    Attributes:
        all: in order.
    """

    def __init__(self, data: bytes, leaves: Sequence[Leaf]) -> None:
        self.all, self._data, self._leaves = pages_in(data), data, leaves
        self._rows: dict[tuple[int, int], int] = {}     # of a page, by its place and depth

    def row_group(self, at: int) -> tuple[int, list[list[Page]], int] | None:
        """Rows, the columns' pages, and where the next group begins; None if it is cut short.

        The first column says how many rows there are. If it has several pages, that is not known
        before the other columns agree: a shorter reading is tried first.
        """
        first: list[Page] = []
        leaf, held = self._leaves[0], 0
        while at < len(self.all):
            page = self.all[at]
            if page.kind == DICTIONARY_PAGE and first:
                return None                                 # the next column's
            first.append(page)
            at += 1
            if page.kind == DICTIONARY_PAGE:
                continue
            held += self._held(page, leaf)
            rows, over = divmod(held, leaf.per_row or 1)
            if not over and (rest := self._columns(at, rows)) is not None:
                return rows, [first, *rest[0]], rest[1]
        return None

    def _columns(self, at: int, rows: int) -> tuple[list[list[Page]], int] | None:
        columns: list[list[Page]] = []
        for leaf in self._leaves[1:]:
            column: list[Page] = []
            left = rows * (leaf.per_row or 1)
            while left > 0:
                if at == len(self.all) or (self.all[at].kind == DICTIONARY_PAGE and column):
                    return None
                column.append(self.all[at])
                if self.all[at].kind != DICTIONARY_PAGE:
                    left -= self._held(self.all[at], leaf)
                at += 1
            if left:
                return None
            columns.append(column)
        return columns, at

    def _held(self, page: Page, leaf: Leaf) -> int:
        """Values of a page where rows have as many each, else rows; none if it is another's."""
        if leaf.per_row:
            return page.values
        key = page.begin, leaf.deep
        if key not in self._rows:
            try:
                self._rows[key] = rows_in_page(
                    self._data[page.body:page.end], page.unpacked - (page.body - page.begin),
                    page.values, leaf.deep)
            except ValueError:
                self._rows[key] = 0
        return self._rows[key]


def _footer_of(template: "pa.Table", scratch: Path) -> Struct:
    """The footer that this table gets from the writer that LeRobot uses."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(scratch, template.schema, compression="snappy",
                          use_dictionary=True) as writer:
        writer.write_table(template)
    data = scratch.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    footer = thrift.Reader(data[-8 - size:-8]).struct()
    footer.pop(_COLUMN_ORDERS, None)        # of statistics, and there are none
    return footer


def _group(model: Struct, columns: list[list[Page]], rows: int, ordinal: int) -> Struct:
    kept = model[_COLUMNS][1][1]
    chunks = [_chunk(chunk[_META][1], pages) for chunk, pages in zip(kept, columns, strict=True)]
    unpacked = sum(page.unpacked for pages in columns for page in pages)
    return {_COLUMNS: (LIST, (STRUCT, chunks)), _GROUP_BYTES: (I64, unpacked),
            _GROUP_ROWS: (I64, rows), _GROUP_OFFSET: (I64, columns[0][0].begin),
            _GROUP_COMPRESSED: (I64, columns[-1][-1].end - columns[0][0].begin),
            _ORDINAL: (thrift.I16, ordinal)}


def _chunk(model: Struct, pages: list[Page]) -> Struct:
    data = [page for page in pages if page.kind != DICTIONARY_PAGE]
    dictionary = [page for page in pages if page.kind == DICTIONARY_PAGE]
    encodings = sorted({page.encoding for page in pages} | {3})         # 3: RLE, of the levels
    meta: dict[int, tuple[int, Any]] = {
        _TYPE: model[_TYPE], _ENCODINGS: (LIST, (I32, encodings)), _PATH: model[_PATH],
        _CODEC: model[_CODEC], _VALUES: (I64, sum(page.values for page in data)),
        _UNCOMPRESSED: (I64, sum(page.unpacked for page in pages)),
        _COMPRESSED: (I64, pages[-1].end - pages[0].begin), _DATA_OFFSET: (I64, data[0].begin)}
    if dictionary:
        meta[_DICTIONARY_OFFSET] = (I64, dictionary[0].begin)
    return {_FILE_OFFSET: (I64, 0), _META: (STRUCT, meta)}
