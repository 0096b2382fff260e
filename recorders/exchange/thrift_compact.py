"""Thrift's compact protocol, as far as Parquet's page headers and footers use it.

Structs are read without a schema, as field number to (type, value), and are written back byte for
byte. Source: apache/thrift, doc/specs/thrift-compact-protocol.md. Knows nothing about Parquet.
"""

from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_DEEPEST = 32

Struct = dict[int, tuple[int, Any]]         # field number to (type, value)
ListOf = tuple[int, list[Any]]              # (type of the items, items)


class NotThriftError(ValueError):
    """The bytes are no struct of the compact protocol."""


class Reader:
    """Reads from bytes at a position.

    Attributes:
        at: where the next byte is taken.
    """

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data, self.at = data, at

    def struct(self, depth: int = 0) -> Struct:
        """A struct.

        Raises:
            NotThriftError: if there is none, or it is cut short.
        """
        if depth > _DEEPEST:
            raise NotThriftError("too deep")
        fields: Struct = {}
        number = 0
        while True:
            head = self._byte()
            if head == 0:
                return fields
            kind, step = head & 15, head >> 4
            number = number + step if step else self._zigzag()
            if not TRUE <= kind <= STRUCT or number < 0:
                raise NotThriftError(f"type {kind} of field {number}")
            fields[number] = (kind, self._value(kind, depth))

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind == BYTE:
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            size, of = head >> 4, head & 15
            size = self._varint() if size == 15 else size
            if size > len(self.data):
                raise NotThriftError(f"a list of {size}")
            if of in (TRUE, FALSE):
                return of, [self._byte() == TRUE for _ in range(size)]
            return of, [self.struct(depth + 1) if of == STRUCT else self._value(of, depth + 1)
                        for _ in range(size)]
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise NotThriftError("maps are not expected")

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise NotThriftError("cut short")
        self.at += 1
        return self.data[self.at - 1]

    def _take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise NotThriftError("cut short")
        self.at += size
        return bytes(self.data[self.at - size:self.at])

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise NotThriftError("a number without an end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def written(fields: Struct) -> bytes:
    """A struct as bytes."""
    out = bytearray()
    before = 0
    for number in sorted(fields):
        kind, value = fields[number]
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE
        step = number - before
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _zigzag(number)
        out += _written(kind, value)
        before = number
    return bytes(out + b"\0")


def _written(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind == BYTE:
        return bytes([value])
    if kind in (I16, I32, I64):
        return _zigzag(value)
    if kind == DOUBLE:
        return value
    if kind == BINARY:
        return _varint(len(value)) + value
    if kind in (LIST, SET):
        of, items = value
        head = bytes([len(items) << 4 | of]) if len(items) < 15 else \
            bytes([0xF0 | of]) + _varint(len(items))
        if of in (TRUE, FALSE):
            return head + bytes(TRUE if item else FALSE for item in items)
        return head + b"".join(written(item) if of == STRUCT else _written(of, item)
                               for item in items)
    return written(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
