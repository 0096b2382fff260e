"""Whether two runs' policies see, answer and count alike, so that one may take over from the other.

Knows what a run says of itself (config.json); knows no weights and no robot.
"""

from collections.abc import Mapping
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
