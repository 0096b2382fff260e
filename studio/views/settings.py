"""What a console remembers from one day to the next: nothing that the station or a store knows.

A small JSON file in the user's configuration folder. A damaged one is set aside and a folder that
cannot be written is a line on the screen: neither keeps anybody from working. Knows the file;
refuses to know what is drawn.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from platformdirs import user_config_path

from recorders.files import write_atomically

NAME = "consoles.json"
MOST_INSTRUCTIONS, MOST_POLICIES = 20, 8


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered."""

    palette: Literal["dark", "light"] = "dark"
    """Colours of the consoles; see look.py."""
    scale: Annotated[float, msgspec.Meta(ge=0.5, le=3.0)] = 1.0
    """Of letters and gaps, for screens with small pixels."""
    window: tuple[Annotated[int, msgspec.Meta(ge=640)], Annotated[int, msgspec.Meta(ge=480)]] = (
        1600, 930)
    """Width and height of the desktop console's window, in pixels."""
    muted: bool = False
    """No sounds."""
    speed: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0
    """Scale of every velocity limit that a new station is asked for."""
    countdown_s: Annotated[int, msgspec.Meta(ge=0, le=30)] = 3
    """Before an episode begins."""
    limit_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0
    """After which an episode ends by itself; 0 never."""
    operator: str = ""
    """Who drives, as recordings shall say."""
    task: str = ""
    """The task that was recorded last."""
    instructions: tuple[str, ...] = ()
    """What was asked for last, newest first."""
    policies: tuple[str, ...] = ()
    """Folders of the policies that were chosen last, newest first."""


def remember_instruction(settings: Settings, text: str) -> Settings:
    """Put an instruction first among the remembered ones; an empty one is not worth it."""
    text = text.strip()
    if not text:
        return settings
    others = [old for old in settings.instructions if old != text]
    return msgspec.structs.replace(settings, instructions=(text, *others)[:MOST_INSTRUCTIONS])


def remember_policy(settings: Settings, folder: str) -> Settings:
    """Put a policy's folder first among the remembered ones; none is not worth it."""
    if not folder:
        return settings
    others = [old for old in settings.policies if old != folder]
    return msgspec.structs.replace(settings, policies=(folder, *others)[:MOST_POLICIES])


def settings_folder() -> Path:
    """Where consoles keep what they remember: this file, and the layout of their windows."""
    return user_config_path("tandem-studio", appauthor=False)


def load_settings(folder: Path) -> tuple[Settings, str]:
    """What was remembered, and a line for the operator if something is wrong.

    A file that cannot be understood is set aside, and everything is as on the first day.
    """
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings), ""
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        return Settings(), f"The settings cannot be read ({error.strerror}: {path})"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        aside = path.with_suffix(".damaged.json")
        try:
            path.replace(aside)
        except OSError:
            return Settings(), f"The settings are damaged ({error}): {path}"
        return Settings(), f"The settings were damaged ({error}) and are set aside as {aside}"


def save_settings(folder: Path, settings: Settings) -> str:
    """Remember, all or nothing; a line for the operator if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / NAME, msgspec.json.format(msgspec.json.encode(settings)) + b"\n")
    except OSError as error:
        return f"The settings cannot be kept ({error.strerror}: {folder / NAME})"
    return ""
