"""Which plots there are, and from where to where their axes go."""

from collections.abc import Sequence

import msgspec

OLD = "Old: the station says nothing"
_STEP = 0.5         # axes move in steps, so that they do not tremble with every sample


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """One plot of a column over time; `names` is empty where the joints' names are meant."""

    title: str
    stream: str
    column: str
    unit: str
    names: tuple[str, ...] = ()


PLOTS = (
    Plot(title="Joints", stream="arm", column="position", unit="rad"),
    Plot(title="Command", stream="tick", column="sent", unit="rad"),
    Plot(title="Force", stream="contact", column="wrench", unit="N, Nm",
         names=("Fx", "Fy", "Fz", "Tx", "Ty", "Tz")),
    Plot(title="Your device", stream="tick", column="human_twist", unit="m/s, rad/s",
         names=("vx", "vy", "vz", "wx", "wy", "wz")),
)


def limits_of(lines: Sequence[Sequence[float]], before: tuple[float, float] | None
              ) -> tuple[float, float]:
    """Where a plot's axis begins and ends; kept while the lines fit and fill half of it.

    Args:
        lines: values; not finite ones are nowhere.
        before: as it was.
    """
    values = [value for line in lines for value in line if abs(value) < float("inf")]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if before is not None and before[0] <= low and high <= before[1] and (
            high - low >= 0.4 * (before[1] - before[0]) or before[1] - before[0] <= 4 * _STEP):
        return before
    room = max(_STEP, 0.15 * (high - low))
    return ((low - room) // _STEP * _STEP, -(-(high + room) // _STEP) * _STEP)
