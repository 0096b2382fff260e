"""All that the panels draw from, put together once a turn; and what they are made with."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recorders.streams import StreamSpec
from studio.console.fonts import Fonts
from studio.console.shown import Shown
from studio.console.theme import Themes
from studio.devices.interfaces import RobotInfo
from studio.station.desk.link import DeskState
from studio.station.messages import Snapshot
from studio.views.banner import Banner
from studio.views.checks import Check
from studio.views.controls import Controls
from studio.views.dialogue import Dialogue
from studio.views.episode_rows import EpisodeRow
from studio.views.health_bar import Gauge
from studio.views.interrupted import InterruptedRow
from studio.views.live_plan import History
from studio.views.policy_words import PolicyWords
from studio.views.recording_plan import Flow, Plan
from studio.views.traces import Traces


@dataclass
class Ui:
    """What a panel is made with.

    Attributes:
        shown: sets what changed.
        themes: of the present palette.
        fonts: by size.
        do: what a person wants, by name, with what belongs to it.
        hurry: somebody's hand is at a widget that must be redrawn at once.
    """

    shown: Shown
    themes: Themes
    fonts: Fonts
    do: Callable[..., None]


@dataclass(frozen=True)
class Notice:
    """A line for the operator: the newest answer or event."""

    text: str = ""
    tone: str = "idle"
    icon: str = "info"


@dataclass
class Seen:
    """What there is to draw in this turn."""

    now_ns: int
    snapshot: Snapshot | None
    state: DeskState | None
    silent: bool
    banner: Banner
    controls: Controls
    checks: tuple[Check, ...]
    gauges: tuple[Gauge, ...]
    flow: Flow
    plan: Plan
    notice: Notice
    problems: tuple[str, ...]
    rows: tuple[EpisodeRow, ...]
    interrupted: tuple[InterruptedRow, ...]
    traces: Traces
    pictures: dict[str, bytes]
    streams: tuple[StreamSpec, ...]
    robot: RobotInfo | None
    policy: PolicyWords
    dialogue: Dialogue
    phrases: tuple[str, ...]
    history: History
    cameras: dict[str, np.void]
    dropped_before: dict[str, int] = field(default_factory=dict)
    arm_progress: float = 0.0
    focused: bool = True
    held: frozenset[str] = frozenset()
    muted: bool = False
    dark: bool = True
