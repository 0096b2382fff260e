"""Whether two runs' policies see, answer and count alike, so that one may take over from the other;
and whether a run's is for this robot.

Knows what a run says of itself (config.json); knows no weights and no robot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_SPEC = {"cameras": "cameras", "picture_size": "size of pictures",
         "proprioception": "proprioception", "action_space": "action space",
         "step_s": "time between two steps", "steps": "steps of a chunk",
         "cloud_points": "points of the cloud"}


def misfit(one: Mapping[str, Any], driving: Mapping[str, Any]) -> str:
    """What keeps a run's versions from taking over; empty if nothing does.

    Args:
        one: config of the version's run.
        driving: config of the run that drives.
    """
    for what, name in (("kind", "kind"), ("robot", "robot"), ("joint_names", "joints")):
        if one.get(what) != driving.get(what):
            return _differs(name, one.get(what), driving.get(what))
    ours, theirs = _described(one), _described(driving)
    spec, other = ours.get("spec", {}), theirs.get("spec", {})
    for what, name in _SPEC.items():
        if spec.get(what) != other.get(what):
            return _differs(name, spec.get(what), other.get(what))
    if ours.get("normaliser") != theirs.get("normaliser"):
        return "it counts in other units: its normaliser is not the driving version's, so begin " \
               "it with --from"
    return ""


def robot_misfit(one: Mapping[str, Any], robot: str, joint_names: Sequence[str]) -> str:
    """What of a run is of another robot; empty if nothing is, or if it does not say.

    Args:
        one: its config.
        robot: name of the robot that is there.
        joint_names: of that robot, gripper included.
    """
    theirs = one.get("joint_names")
    if theirs and (not isinstance(theirs, Sequence) or list(theirs) != list(joint_names)):
        return (f"its joints are {_words(theirs)}, but {robot} has "
                f"{_words(joint_names)}")
    if one.get("robot") and one["robot"] != robot:
        return f"it was trained on {one['robot']}, but this is {robot}"
    return ""


def _described(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part that describes the network, whatever the kind of run calls it."""
    return config.get(str(config.get("kind")), {})


def _differs(name: str, one: Any, driving: Any) -> str:
    return f"it is of another {name}: {_words(one)}, where {_words(driving)} drives"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}/{of}" for key, of in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value not in (None, "") else "none"
