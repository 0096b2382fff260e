"""What a person says about another project's policy: `--policy-map NAME=WHAT`, pair by pair.

A policy's own name of a picture stands before a camera of ours, its names of numbers before a form
(states.py), `action` before the form of its answers (action_forms.py), and `rate` before how many
of its steps make a second. A single word is the name of a preset. Knows words; knows no policy.
"""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from policy.errors import CheckpointError
from policy.foreign.action_forms import require_form
from policy.foreign.states import StateForm

ACTION, RATE = "action", "rate"


class PolicyMap(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs, in order.

    Attributes:
        fields: the policy's name to a camera or a form, unread: which one it is, its own
            description tells.
        action: a name out of action_forms.FORMS; empty if nobody said.
        rate_hz: steps a second; 0 if nobody said.
    """

    fields: dict[str, str] = {}
    action: str = ""
    rate_hz: float = 0.0

    @classmethod
    def parse(cls, pairs: Iterable[str], presets: Mapping[str, "PolicyMap"] | None = None) -> Self:
        """Pairs as they are typed; later ones go before earlier ones.

        Raises:
            CheckpointError: a pair is none; says what would be right.
        """
        fields: dict[str, str] = {}
        action, rate_hz, known = "", 0.0, presets or {}
        for pair in pairs:
            name, equals, what = (part.strip() for part in pair.partition("="))
            if not equals and name in known:
                fields |= known[name].fields
                action, rate_hz = known[name].action or action, known[name].rate_hz or rate_hz
            elif not equals or not name or not what:
                raise CheckpointError(
                    f"--policy-map wants the policy's name and ours, as "
                    f"observation.images.top=front, not {pair!r}"
                    + (f"; or one of {', '.join(known)}" if known else ""))
            elif name == ACTION:
                action = _checked(require_form, what)
            elif name == RATE:
                rate_hz = _rate(what)
            else:
                fields[name] = what
        return cls(fields=fields, action=action, rate_hz=rate_hz)


def state_form(name: str, text: str) -> StateForm:
    """The form that somebody gave for a policy's numbers.

    Raises:
        CheckpointError: it is none; names the valid words.
    """
    try:
        return StateForm.parse(text)
    except ValueError as error:
        raise CheckpointError(f"--policy-map {name}={text}: {error}") from error


def _checked(require, what: str) -> str:
    try:
        require(what)
    except ValueError as error:
        raise CheckpointError(f"--policy-map {ACTION}={what}: {error}") from error
    return what


def _rate(text: str) -> float:
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz <= 1000:
        raise CheckpointError(f"--policy-map {RATE}={text}: steps a second are a number above 0")
    return rate_hz
