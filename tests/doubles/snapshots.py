"""What a station and a desk might say, without either: for tests of what consoles show."""

from typing import Any

import msgspec

from recorders.episode import EpisodeSummary
from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Owner, RecorderHealth, Snapshot, StreamHealth

RECORDER = RecorderHealth(alive=True, disk_free_bytes=212_000_000_000, store="/data/desk",
                          committed=3, changes=5)
STREAMS = (StreamHealth("arm", 100.0, 0, 4.0), StreamHealth("front", 30.0, 0, 12.0),
           StreamHealth("wrist", 30.0, 0, 17.0))


def snapshot(mode: Mode = Mode.IDLE, **changes: Any) -> Snapshot:
    """A healthy station of a seven-joint arm."""
    usual: dict[str, Any] = dict(
        stamp_ns=10**9, tick=100, mode=mode, reason="", epoch=0, owners=(int(Owner.HOLD),) * 8,
        guards=0, task="put-cube-in-bin", instruction="put the red cube into the bin", phase="0",
        success=False, episode="", episode_s=0.0, practice=False, position=(0.0,) * 8,
        sent=(0.0,) * 8, tool_pose=(0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0), wrench=(0.0,) * 6,
        human_axes=(0.0,) * 8, human_status=1, human_enabled=False, speed_scale=1.0,
        control_hz=100.0, lateness_p50_ms=0.1, lateness_p99_ms=0.8, lateness_max_ms=2.0,
        late_ticks=0, streams=STREAMS, recorder=RECORDER)
    return Snapshot(**usual | changes)


def recorder(**changes: Any) -> RecorderHealth:
    """A healthy recorder, but for the changes."""
    return msgspec.structs.replace(RECORDER, **changes)


def desk(**changes: Any) -> DeskState:
    """A desk whose station works."""
    usual: dict[str, Any] = dict(stamp_ns=10**9, robot="sim", teleop="keyboard",
                                 store="/data/desk")
    return DeskState(**usual | changes)


def summary(number: int = 1, **changes: Any) -> EpisodeSummary:
    """An episode of eight seconds."""
    usual: dict[str, Any] = dict(
        episode=f"20261123T0010{number:02d}-0000000{number % 10}", task="put-cube-in-bin",
        instruction="put the red cube into the bin", label="success", label_by="detector",
        note="", detector="success", seed=number, operator="ada", duration_s=8.4, steps=840,
        dropped=0, started_wall_ns=1_795_000_000_000_000_000 + number * 10**10, recovered=False,
        trashed=False, bytes=3_000_000, rows={"tick": 840})
    return EpisodeSummary(**usual | changes)
