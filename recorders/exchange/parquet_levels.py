"""How many rows a page of a Parquet column holds.

A page's header counts values. Where every row has as many (numbers, lists of fixed length) that
tells the rows; where rows have any number (the language columns) they are counted by the
repetition levels at the page's beginning: a row begins at every level of 0.
References: apache/parquet-format, README.md ("Nested Encoding", "Data Pages") and Encodings.md
("Run Length Encoding / Bit-Packing Hybrid"). Knows pages' bytes and schemas; knows no file.
"""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


class Leaf(msgspec.Struct, frozen=True):
    """A column of plain values.

    Attributes:
        per_row: values of every row; 0: rows have any number of them.
        deep: how many lists it lies in.
    """

    per_row: int
    deep: int = 0


def leaves_of(schema: "pa.Schema") -> list[Leaf]:
    """The leaf columns of a table, in the order in which they lie in a file."""
    return [leaf for field in schema for leaf in _leaves(field.type, Leaf(1))]


def _leaves(kind: "pa.DataType", above: Leaf) -> list[Leaf]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return [leaf for k in range(kind.num_fields)
                for leaf in _leaves(kind.field(k).type, above)]
    if pa.types.is_fixed_size_list(kind):
        return _leaves(kind.value_type, Leaf(above.per_row * kind.list_size, above.deep + 1))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _leaves(kind.value_type, Leaf(0, above.deep + 1))
    return [above]


def rows_in_page(packed: bytes, unpacked_size: int, values: int, deep: int) -> int:
    """Rows that begin in a page of data, version 1, packed with Snappy.

    Args:
        packed: the page without its header.
        unpacked_size: of it.
        values: how many the header counts.
        deep: see `Leaf`.

    Raises:
        ValueError: these are no such levels.
    """
    import pyarrow as pa

    try:
        data = pa.decompress(packed, unpacked_size, codec="snappy", asbytes=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"no Snappy: {error}") from error
    size = int.from_bytes(data[:4], "little")
    if size > len(data) - 4:
        raise ValueError("levels longer than their page")
    return zeros(data[4:4 + size], values, deep.bit_length())


def zeros(packed: bytes, count: int, width: int) -> int:
    """How many of `count` numbers, packed in runs of `width` bits each, are 0.

    Raises:
        ValueError: there are fewer than `count`.
    """
    at = seen = found = 0
    while seen < count:
        head, at = _varint(packed, at)
        if head & 1:                                        # (head >> 1) groups of eight
            end = at + (head >> 1) * width
            bits = np.unpackbits(np.frombuffer(packed[at:end], np.uint8), bitorder="little")
            values = bits.reshape(-1, width)[:count - seen]
            found += int((~values.any(axis=1)).sum())
            run = len(values)
        else:
            end, run = at + (width + 7) // 8, min(head >> 1, count - seen)
            found += run if not any(packed[at:end]) else 0
        if not run or end > len(packed):
            raise ValueError("cut short")
        at, seen = end, seen + run
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 35:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
    raise ValueError("a number without an end")
