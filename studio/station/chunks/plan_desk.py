"""A person's commands about the plans, at the station: when they may be given, what is recorded.

Knows the control loop and the episode; what a command does to a plan is overriding.py's.
"""

import msgspec

from studio.station.chunks.override_commands import EDITS, OverrideCommand
from studio.station.chunks.overriding import VETOES
from studio.station.commands import Reply
from studio.station.loop.control_loop import ControlLoop
from studio.station.loop.ownership import Event
from studio.station.messages import Mode
from studio.station.recording.episode_feed import EpisodeFeed

DRIVEN = (Mode.AUTO, Mode.SHARED, Mode.HANDBACK)
ASK = ("you dropped two plans in a row: show the policy how by moving the device, change the "
       "words, or arm and let it try again")


def override(loop: ControlLoop, feed: EpisodeFeed, command: OverrideCommand) -> Reply:
    """Obey, or say why not."""
    if (player := loop.player) is None:
        return Reply(False, "no policy is there: choose one first")
    if isinstance(command, EDITS) and loop.ownership.mode not in DRIVEN:
        return Reply(False, f"the policy does not drive while {loop.ownership.mode.name}: let it "
                     "drive, then change its plan")
    chunk_id, step = player.place
    if refusal := player.override(command):
        return Reply(False, refusal)
    feed.event("override", command=type(command).__name__, tick=loop.number,
               running=chunk_id, at_step=step, asked=msgspec.to_builtins(command))
    if player.overriding.vetoes >= VETOES:
        player.overriding.vetoes = 0
        loop.ownership.on(Event.TROUBLE, ASK)
    return Reply(True)
