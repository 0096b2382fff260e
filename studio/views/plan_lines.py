"""The plan that runs as lines over time, one for each number that it changes, around now.

For screens that only look. Knows plans and where the arm was; refuses to know pens and colours.
"""

import msgspec

from studio.devices.interfaces import RobotInfo
from studio.station.messages import RunningChunk
from studio.views.live_plan import History, chunk_of, dragged, fixed_points

Points = tuple[tuple[float, float], ...]        # (s from now, value)


class PlanLine(msgspec.Struct, frozen=True, kw_only=True):
    """One number of the plan.

    Attributes:
        name: x, y, z or gripper of a plan in tool space, else a joint's.
        unit: of its values; empty for a share.
        past: where it was.
        hands: spans in s from now in which a person drove.
        proposed: what the policy said.
        ahead: what stands, from the step that the arm is led to on.
        fixed: what a person fixed.
    """

    name: str
    unit: str
    past: Points
    hands: Points
    proposed: Points
    ahead: Points
    fixed: Points


def plan_lines(running: RunningChunk | None, robot: RobotInfo | None,
               history: History) -> tuple[PlanLine, ...]:
    """Every line of a plan; none without one.

    Args:
        running: of a snapshot.
        robot: its joints' names, if it is known.
        history: of the same snapshots.
    """
    if running is None:
        return ()
    chunk, hands = chunk_of(running, robot), tuple(history.hands())
    said = [dragged(running, row) for row in running.proposed or running.targets]

    def at(step: int) -> float:
        return (step - running.step) * running.step_s

    return tuple(PlanLine(
        name=name, unit="" if name == "gripper" else "m" if running.space == "tool" else "rad",
        past=tuple(zip(*history.line(running.space, column), strict=True)), hands=hands,
        proposed=tuple((at(step), row[column]) for step, row in enumerate(said)),
        ahead=tuple((at(step), row[column]) for step, row in enumerate(chunk.values)
                    if step >= running.step),
        fixed=tuple((at(step), value) for step, value in fixed_points(running, column)))
        for column, name in enumerate(chunk.names))
