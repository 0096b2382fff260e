"""Columns that the streams of every simulated robot have, so that what reads one reads all.

Knows names, units and shapes; knows no world.
"""

from recorders.streams import Column, StreamSpec

POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")
# Of the scene: the phase of the task, whether it has been done, and how much of it, 0..1.
VERDICT = (Column(name="phase", dtype="u1"), Column(name="success", dtype="u1"),
           Column(name="progress", dtype="<f8"))


def joint_column(name: str, unit: str, joints: tuple[str, ...]) -> Column:
    """A number per joint."""
    return Column(name=name, dtype="<f8", shape=(len(joints),), unit=unit, names=joints)


def arm_stream(rate_hz: float, joints: tuple[str, ...], unit: str, effort_unit: str) -> StreamSpec:
    """Proprioception: the joints, in `unit`, and the tool."""
    return StreamSpec(name="arm", rate_hz=rate_hz, columns=(
        joint_column("position", unit, joints), joint_column("velocity", f"{unit}/s", joints),
        joint_column("effort", effort_unit, joints),
        Column(name="tool_pose", dtype="<f8", shape=(7,), unit="m", names=POSE),
        Column(name="tool_twist", dtype="<f8", shape=(6,), unit="m/s rad/s",
               names=("vx", "vy", "vz", "wx", "wy", "wz"))))
