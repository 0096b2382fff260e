"""Observations and answers as openpi's client and server write them: MessagePack with arrays.

An array is a map of `__ndarray__`, its bytes, its dtype and its shape; a NumPy scalar a map of
`__npgeneric__`. Reading takes plain numbers, texts, lists, maps and arrays of booleans, integers
and floats, and refuses everything else: nothing that is read can run. Knows bytes; knows no socket
and no policy.
"""

import math
from typing import Any

import msgspec
import numpy as np

PLAIN = "biuf"              # kinds of dtypes: bool, integers, floats


class WireMistake(ValueError):
    """What came is no message of this protocol."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes.

    Raises:
        WireMistake: it holds an array of something else than numbers.
    """
    return msgspec.msgpack.encode(_plain(message))


def unpack(data: bytes) -> dict[str, Any]:
    """Bytes as a message; its arrays are read-only views.

    Raises:
        WireMistake: they are none.
    """
    try:
        message = _arrays(msgspec.msgpack.decode(data))
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireMistake(f"this is no MessagePack: {error}") from error
    if not isinstance(message, dict):
        raise WireMistake("a message is a map of names")
    return message


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in PLAIN:
            raise WireMistake(f"an array of {value.dtype} cannot be sent: only numbers can")
        if isinstance(value, np.generic):
            return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str,
                b"shape": value.shape}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _arrays(value: Any) -> Any:
    if isinstance(value, list):
        return [_arrays(one) for one in value]
    if isinstance(value, msgspec.msgpack.Ext):
        raise WireMistake(f"it holds a value of the foreign type {value.code}")
    if not isinstance(value, dict):
        return value
    named = {name.decode("utf-8", "replace") if isinstance(name, bytes) else name: one
             for name, one in value.items()}
    if "__ndarray__" in named:
        return _array(named)
    if "__npgeneric__" in named:
        return _dtype(named).type(named.get("data"))
    return {name: _arrays(one) for name, one in named.items()}


def _array(named: dict[str, Any]) -> np.ndarray:
    data, shape, dtype = named.get("data"), named.get("shape"), _dtype(named)
    if not isinstance(data, bytes) or not isinstance(shape, list) \
            or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise WireMistake("an array came without its bytes or its shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise WireMistake(f"an array of {shape} {dtype} came with {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _dtype(named: dict[str, Any]) -> np.dtype:
    told = named.get("dtype")
    try:
        dtype = np.dtype(told) if isinstance(told, str) else None
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or dtype.kind not in PLAIN:
        raise WireMistake(f"an array of {told!r} is refused: only numbers are read")
    return dtype
