"""What all tests share: no call leaves this machine; and episodes written by zarr-python alone.

The episodes follow FORMAT.md word by word and use none of our writing code, so a reader that opens
them and the real writer's episodes alike reads the format and not the writer's habits.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pytest
import zarr
from hypothesis import settings

from recorders.images import zarr_codecs
from recorders.streams import StreamSpec

STREAM_START_NS = 5_000_000_000

# Stand-ins for hardware, `from doubles.…`; a package called `tests` belongs to draccus.
sys.path.append(str(Path(__file__).parent))

# A shell that starts the tests in its background tells them to ignore Ctrl-C, and every process
# that a test starts, and interrupts, would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine and nothing about the law.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _refuse_calls_outside(event: str, arguments: tuple) -> None:
    """An audit hook: Python tells it about every connection before it is made."""
    if event not in ("socket.connect", "socket.getaddrinfo"):
        return
    address = arguments[1] if event == "socket.connect" else arguments[:1]
    host = address[0] if isinstance(address, tuple) else ""     # a Unix socket's is a path
    name = host.decode() if isinstance(host, bytes) else host or ""
    local = name in ("", "localhost", "::1", "0.0.0.0", "::", "testserver")
    if not (local or name.startswith("127.")):
        pytest.fail(f"a test called out to {name!r}: tests run without a network")


sys.addaudithook(_refuse_calls_outside)


class WriteEpisode(Protocol):
    """See `write_zarr_episode`."""

    def __call__(
        self,
        path: Path,
        contents: Sequence[tuple[StreamSpec, Mapping[str, np.ndarray]]],
        *,
        per_shard: int = ...,
        picture_checksums: bool = ...,
        index_location: str = ...,
        **attributes: Any,
    ) -> Path: ...


def write_zarr_episode(
    path: Path,
    contents: Sequence[tuple[StreamSpec, Mapping[str, np.ndarray]]],
    *,
    per_shard: int = 256,
    picture_checksums: bool = False,
    index_location: str = "start",
    **attributes: Any,
) -> Path:
    """Write an episode's group with zarr-python; stamps that are not given are regular."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    for spec, arrays in contents:
        rows = len(next(iter(arrays.values())))
        stamps = STREAM_START_NS + (np.arange(rows) * (1e9 / spec.rate_hz)).astype(np.int64)
        group.require_group(spec.name)
        given = {"t_mono_ns": stamps, "t_wall_ns": stamps + 10**18,
                 "t_device_ns": np.zeros(rows, np.int64), "seq": np.arange(rows)} | dict(arrays)
        pictures = {image.name: image for image in spec.images}
        for name, values in given.items():
            axes = ["row", *[f"{name}_{axis}" for axis in range(1, values.ndim)]]
            if name in pictures:
                inner = zarr_codecs(pictures[name].encoding)
                inner += [{"name": "crc32c"}] if picture_checksums else []
                chunk, codecs = per_shard, [{"name": "sharding_indexed", "configuration": {
                    "chunk_shape": [1, *values.shape[1:]], "codecs": inner,
                    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                                     {"name": "crc32c"}],
                    "index_location": index_location}}]
            else:
                chunk, codecs = 4096, [{"name": "bytes", "configuration": {"endian": "little"}},
                                       {"name": "zstd", "configuration": {"level": 1,
                                                                          "checksum": True}}]
            array = zarr.create(
                store=path, path=f"{spec.name}/{name}", shape=values.shape, dtype=values.dtype,
                chunks=(chunk, *values.shape[1:]), codecs=codecs, dimension_names=axes,
                zarr_format=3, fill_value=0)
            array[...] = values
    seconds = max((len(next(iter(a.values()))) / s.rate_hz for s, a in contents), default=0.0)
    group.attrs.update({
        "format": 1, "episode": path.name, "task": "test", "instruction": "do it", "seed": 0,
        "started_mono_ns": STREAM_START_NS, "ended_mono_ns": STREAM_START_NS + int(seconds * 1e9),
        "streams": msgspec.to_builtins([spec for spec, _ in contents]), "events": [],
        "robot": {}, "detector": "", "recovered": False} | attributes)
    return path


@pytest.fixture(scope="session")
def write_episode() -> WriteEpisode:
    """Writes an episode's group with zarr-python alone."""
    return write_zarr_episode
