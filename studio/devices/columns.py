"""Columns that the streams of every robot have, real or simulated: what reads one reads all.

Knows names, units and shapes; knows no robot.
"""

from recorders.streams import Column, StreamSpec

POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")


def joint_column(name: str, unit: str, joints: tuple[str, ...]) -> Column:
    """A number per joint."""
    return Column(name=name, dtype="<f8", shape=(len(joints),), unit=unit, names=joints)


def arm_stream(rate_hz: float, joints: tuple[str, ...], unit: str, effort_unit: str,
               *more: Column) -> StreamSpec:
    """Proprioception: the joints, in `unit`, the tool, and whatever more this robot tells."""
    return StreamSpec(name="arm", rate_hz=rate_hz, columns=(
        joint_column("position", unit, joints), joint_column("velocity", f"{unit}/s", joints),
        joint_column("effort", effort_unit, joints),
        Column(name="tool_pose", dtype="<f8", shape=(7,), unit="m", names=POSE),
        Column(name="tool_twist", dtype="<f8", shape=(6,), unit="m/s rad/s",
               names=("vx", "vy", "vz", "wx", "wy", "wz")), *more))
