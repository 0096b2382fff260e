"""Six STS3215 servos that move: towards their goal at the servo's speed, while torque is on.

What an SO-101 on a serial port looks like, with the faults that hurt: a servo that died, one that
answers but turns no more, a bus that fell silent, noise on the wire, a port that is gone. Positions
are in steps of 1/4096 of a turn. Real time, because real servos do not wait.
"""

import time
from pathlib import Path

from doubles.feetech_bus import FeetechBus

_TORQUE, _GOAL, _POSITION = 40, 42, 56
SPEED = 3000.0          # steps/s: 45 turns a minute, the servo's speed at 12 V
RAD = 4096 / 6.283185307179586


class ServoArm(FeetechBus):
    """A bus of servos that follow."""

    def __init__(self, port: Path, *, lower: int = 1000, upper: int = 3000) -> None:
        self.stuck: set[int] = set()        # servos that answer and turn no more
        self.noise = 0                      # so many answers to come arrive damaged
        self.speed = SPEED                  # steps/s
        self.told: list[tuple[float, int, int]] = []    # (s, servo, goal) of every command
        self._at: dict[int, float] = {}
        self._then = time.monotonic()
        super().__init__(port, lower=lower, upper=upper)

    def place(self, positions: dict[int, int]) -> None:
        """Turn servos by hand; they have nowhere else to go."""
        super().place(positions)
        for number, at in positions.items():
            self._at[number] = float(at)
            self._put(self._tables[number], _GOAL, at)

    def position(self, number: int) -> float:
        """Where a servo is now, in steps."""
        self._move()
        return self._at[number]

    def goal(self, number: int) -> int:
        """Where a servo was told to be."""
        return int.from_bytes(self._tables[number][_GOAL:_GOAL + 2], "little")

    def torque(self, number: int) -> bool:
        """Whether a servo holds."""
        return bool(self._tables[number][_TORQUE])

    def fall_silent(self) -> None:
        """Nobody hears, nobody answers."""
        self.silent = set(self._tables)

    def _answer(self, packet: bytes) -> bytes:
        self._move()
        return super()._answer(packet)

    def _move(self) -> None:
        now = time.monotonic()
        reach, self._then = self.speed * (now - self._then), now
        for number, table in self._tables.items():
            if number in self.silent or number in self.stuck or not table[_TORQUE]:
                continue
            away = self.goal(number) - self._at[number]
            self._at[number] += max(-reach, min(reach, away))
            self._put(table, _POSITION, round(self._at[number]))

    def _sync_write(self, data: bytes) -> None:
        before = {number: bytes(self._tables[number]) for number in self.silent}
        super()._sync_write(data)
        for number, table in before.items():        # the dead hear nothing
            self._tables[number][:] = table
        if data[0] == _GOAL:
            self.told += [(time.monotonic(), number, self.goal(number))
                          for number in data[2::data[1] + 1] if number in self._tables]

    def _status(self, number: int, data: bytes = b"") -> bytes:
        answer = super()._status(number, data)
        if self.noise and answer:
            self.noise -= 1
            return answer[:-1] + bytes([answer[-1] ^ 0x55])
        return answer
