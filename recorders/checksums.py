"""CRC-32C as Zarr's `crc32c` codec appends it: four little-endian bytes behind the data."""

import google_crc32c


class ChecksumMismatch(ValueError):
    """Data do not match the checksum that was written with them."""


def with_checksum(data: bytes) -> bytes:
    """The data followed by their CRC-32C."""
    return data + google_crc32c.value(data).to_bytes(4, "little")


def split_checksum(data: bytes) -> bytes:
    """The data without their CRC-32C.

    Raises:
        ChecksumMismatch: if the data were changed since the checksum was made.
    """
    body, stored = data[:-4], int.from_bytes(data[-4:], "little")
    computed = google_crc32c.value(body)
    if computed != stored:
        raise ChecksumMismatch(f"checksum {computed:08x} instead of {stored:08x}")
    return body
