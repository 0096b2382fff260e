"""Feetech STS3215 servos on a pseudo terminal: real pyserial, SDK and LeRobot talk to them.

Protocol 0 of the servo's manual: ping, read, write, sync read, sync write on a 256-byte control
table. The port is a symbolic link, as udev makes one, so a replugged bus has the name of the old.
"""

import os
import pty
import select
import threading
import tty
from pathlib import Path

_PING, _READ, _WRITE, _SYNC_READ, _SYNC_WRITE = 1, 2, 3, 0x82, 0x83
_BROADCAST = 0xFE
_MODEL, _ID, _MIN_LIMIT, _MAX_LIMIT, _OFFSET, _POSITION = 3, 5, 9, 11, 31, 56
_STS3215 = 777


class FeetechBus:
    """Six servos that answer until the bus is unplugged."""

    def __init__(self, port: Path, *, lower: int = 1000, upper: int = 3000) -> None:
        self.port = port
        self.silent: set[int] = set()       # servos that do not answer: dead
        self._tables = {number: bytearray(256) for number in range(1, 7)}
        for number, table in self._tables.items():
            table[_ID] = number
            self._put(table, _MODEL, _STS3215)
            self._put(table, _MIN_LIMIT, lower)
            self._put(table, _MAX_LIMIT, upper)
        self.place({number: (lower + upper) // 2 for number in self._tables})
        self._thread: threading.Thread | None = None
        self._master = self._slave = self._stop_read = self._stop_write = -1

    @staticmethod
    def _put(table: bytearray, address: int, value: int) -> None:
        table[address:address + 2] = value.to_bytes(2, "little")

    def place(self, positions: dict[int, int]) -> None:
        """Turn servos by hand, in steps of 1/4096 of a turn."""
        for number, position in positions.items():
            self._put(self._tables[number], _POSITION, position)

    def plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port.symlink_to(os.ttyname(self._slave))
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="feetech bus")
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is None:
            return
        self.port.unlink()
        os.write(self._stop_write, b"x")
        self._thread.join()
        self._thread = None
        for fd in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(fd)

    def _serve(self) -> None:
        heard = bytearray()
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            heard += os.read(self._master, 4096)
            while (packet := self._next_packet(heard)) is not None:
                os.write(self._master, self._answer(packet))

    @staticmethod
    def _next_packet(heard: bytearray) -> bytes | None:
        """Cut the first whole packet (ff ff id length …) off what was heard."""
        start = heard.find(b"\xff\xff")
        if start < 0:
            heard.clear()
            return None
        del heard[:start]
        if len(heard) < 4 or len(heard) < 4 + heard[3]:
            return None
        packet = bytes(heard[:4 + heard[3]])
        del heard[:len(packet)]
        return packet

    def _answer(self, packet: bytes) -> bytes:
        number, instruction, data = packet[2], packet[4], packet[5:-1]
        if instruction == _SYNC_WRITE:
            self._sync_write(data)
            return b""
        if instruction == _SYNC_READ:
            address, size = data[0], data[1]
            return b"".join(self._status(n, bytes(self._tables[n][address:address + size]))
                            for n in data[2:] if n in self._tables)
        asked = list(self._tables) if number == _BROADCAST else [number]
        return b"".join(self._one(n, instruction, data) for n in asked if n in self._tables)

    def _one(self, number: int, instruction: int, data: bytes) -> bytes:
        table = self._tables[number]
        if instruction == _READ:
            return self._status(number, bytes(table[data[0]:data[0] + data[1]]))
        if instruction == _WRITE:
            table[data[0]:data[0] + len(data) - 1] = data[1:]
        return self._status(number)

    def _sync_write(self, data: bytes) -> None:
        address, size = data[0], data[1]
        for start in range(2, len(data), size + 1):
            number, values = data[start], data[start + 1:start + 1 + size]
            if number in self._tables:
                self._tables[number][address:address + size] = values

    def _status(self, number: int, data: bytes = b"") -> bytes:
        if number in self.silent:
            return b""
        body = bytes([number, len(data) + 2, 0]) + data
        return b"\xff\xff" + body + bytes([~sum(body) & 0xFF])


def write_calibration(folder: Path, name: str = "leader", *, lower: int = 1000,
                      upper: int = 3000) -> None:
    """LeRobot's calibration file of an arm whose id is `name`, fitting the bus above."""
    import json

    names = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({
        name: {"id": i, "drive_mode": 0, "homing_offset": 0, "range_min": lower,
               "range_max": upper}
        for i, name in enumerate(names, start=1)}))
