"""What holds for every test: no call leaves this machine, and no hub is asked for anything."""

import os
import sys

import pytest

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False")
os.environ.setdefault("OMP_NUM_THREADS", "1")

_LOCAL_NAMES = ("", "localhost", "::1", "0.0.0.0", "::", "testserver")


def _refuse_calls_outside(event: str, arguments: tuple) -> None:
    """An audit hook: Python tells it about every connection before it is made."""
    if event not in ("socket.connect", "socket.getaddrinfo"):
        return
    address = arguments[1] if event == "socket.connect" else arguments[:1]
    host = address[0] if isinstance(address, tuple) else ""
    name = host.decode() if isinstance(host, bytes) else host or ""
    if not (isinstance(name, str) and (name in _LOCAL_NAMES or name.startswith("127."))):
        pytest.fail(f"a test called out to {name!r}: tests run without a network")


sys.addaudithook(_refuse_calls_outside)
