"""Keys to actions: on the edge, never on repetition, and never while somebody types.

A key that is held acts once. Keys that drive the arm are not here (devices/keyboard.py): they act
as long as they are held. Names of keys are those of `studio.devices.keyboard`, lower case.
"""

import msgspec

from studio.devices.keyboard import KEYS as DRIVING_KEYS

HOT_KEYS: dict[str, str] = {
    "space": "stop",
    "enter": "record", "f5": "record",
    "right": "end", "left": "rerecord", "escape": "finish",     # LeRobot's
    "1": "success", "2": "failure", "3": "partial", "0": "unlabelled",
    "delete": "discard", "backspace": "discard",
    "z": "undo", "n": "new scene", "p": "practice", "m": "mute", "h": "pause",
    "t": "let drive", "r": "rewind", "x": "veto", "b": "roll back", "g": "accept plan",
}
"""Key to action. No key here drives the arm, so no drive is ever taken for a command."""

KEY_TITLES = {"space": "Space", "enter": "Enter", "right": "→", "left": "←", "escape": "Esc",
              "delete": "Del", "backspace": "⌫", "f5": "F5"}


class KeyEdges(msgspec.Struct, frozen=True):
    """Which keys were down when somebody last looked.

    Attributes:
        held: their names.
        armed: whether all keys have been up since the window got the focus or a text was left:
            the Enter that ends a text must not start an episode.
    """

    held: frozenset[str] = frozenset()
    armed: bool = True

    def seen(self, held: frozenset[str], *, focused: bool, typing: bool
             ) -> "tuple[KeyEdges, tuple[str, ...]]":
        """After a look at the keyboard; also the actions that were asked for since the last."""
        hot = held & HOT_KEYS.keys()
        if not focused or typing:
            return KeyEdges(hot, armed=not hot), ()
        if not self.armed:
            return KeyEdges(hot, armed=not hot), ()
        fresh = sorted(hot - self.held)
        return KeyEdges(hot), tuple(HOT_KEYS[key] for key in fresh)


def driving(held: frozenset[str], *, focused: bool, typing: bool) -> frozenset[str]:
    """The keys that drive the arm; none without the focus or while somebody types."""
    return held & DRIVING_KEYS if focused and not typing else frozenset()


def key_for(action: str) -> str:
    """How the key of an action is written on its button; empty if it has none."""
    key = next((key for key, does in HOT_KEYS.items() if does == action), "")
    return KEY_TITLES.get(key, key.upper())
