"""A process of its own for a device whose driver must find other libraries, driven line by line.

The parent sends JSON lists ["method", arguments…] and gets {"value": …} or {"error": "…"}. The
device's clock is turned by hand (`advance`), its thread's rounds are run by hand (`poll`).
"""

import json
import sys
from typing import Any

import msgspec

from recorders.clock import ManualClock
from studio.devices.interfaces import DeviceError, HumanInput
from studio.devices.spacemouse import SpaceMouse, SpaceMouseConfig
from studio.devices.spacemouse_port import list_spacemice


class Host:
    """The device and its clock."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.clock = ManualClock(1_000_000_000)
        self.device = SpaceMouse(self.clock, SpaceMouseConfig(**options), background=False)

    def advance(self, duration_ns: int) -> int:
        self.clock.advance(duration_ns)
        return self.clock.now_ns()

    def list(self) -> list[dict[str, Any]]:
        return msgspec.to_builtins(list_spacemice())

    def call(self, method: str, *arguments: Any) -> Any:
        if method in ("advance", "list"):
            return getattr(self, method)(*arguments)
        found = getattr(self.device, method)
        value = found(*arguments) if callable(found) else found
        return plain(value)


def plain(value: Any) -> Any:
    if isinstance(value, HumanInput):
        return {name: part.tolist() if hasattr(part, "tolist") else part
                for name, part in msgspec.structs.asdict(value).items()}
    if isinstance(value, dict):
        return {key: part.__name__ if isinstance(part, type) else part
                for key, part in value.items()}
    return value


def main() -> None:
    host = Host(json.loads(sys.argv[1]))
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"value": host.call(*json.loads(line))}
        except DeviceError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
