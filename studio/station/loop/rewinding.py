"""Going back to where it went wrong, so that a person can show it from there.

A simulator is taken back to that moment; any other arm drives back along the way that it came.
Either way whatever was planned is void, the arm then holds, and goes on only for a person's hand or
word. The attempt stays one episode, with a mark: what was taken back happened, and was no good
(after Hu et al. 2025, RaC, arXiv 2509.07953). Knows modes, the way and the robot's world; knows no
chunk.
"""

from studio.devices.interfaces import DeviceError, Rewindable
from studio.station.commands import Reply, Rewind
from studio.station.loop.control_loop import ControlLoop
from studio.station.loop.ownership import Event
from studio.station.recording.episode_feed import EpisodeFeed


def go_back(loop: ControlLoop, feed: EpisodeFeed, command: Rewind) -> Reply:
    """Obey, or say why not; `value` is how many seconds of driving it goes back."""
    way = loop.way_back
    if refusal := _refusal(loop, command):
        return Reply(False, refusal)
    place = way.place(command.seconds, command.to_tick)
    seconds = f"{(len(way) - 1 - place) / loop.spec.rate_hz:.2f}"
    if not isinstance(loop.robot, Rewindable):
        if not loop.ownership.on(Event.REWIND):
            return Reply(False, loop.ownership.refusal(Event.REWIND))
        feed.event("rewind", how="driven", to_tick=way[place].tick, to_ns=way[place].stamp_ns)
        loop.arbiter.dismiss()
        way.start(place)
        return Reply(True, value=seconds)
    if not loop.ownership.can(Event.REWOUND):
        return Reply(False, loop.ownership.refusal(Event.REWIND))
    try:
        moment_ns = loop.robot.rewind(way[place].stamp_ns)
    except DeviceError as gone:
        return Reply(False, str(gone))
    loop.ownership.on(Event.REWOUND)
    loop.arbiter.dismiss()
    waypoint = way.cut(way.at(moment_ns))
    loop.taken_back(waypoint)
    feed.event("rewind", how="restored", to_tick=waypoint.tick, to_ns=waypoint.stamp_ns)
    return Reply(True, value=seconds)


def _refusal(loop: ControlLoop, command: Rewind) -> str:
    """Why nobody can go back so far; empty if they can."""
    way = loop.way_back
    if way.driving_back:
        return "the arm is going back already: move the device or pause to end it"
    if way.seconds <= 0:
        return "the arm was not driven yet in this scene: there is nowhere to go back to"
    if command.to_tick < 0 and not 0.0 < command.seconds < float("inf"):
        return f"seconds to go back must be above 0, not {command.seconds}"
    if command.to_tick >= way[len(way) - 1].tick:
        return f"tick {command.to_tick} is not past: the arm was last driven in tick " \
               f"{way[len(way) - 1].tick}"
    if 0 <= command.to_tick < way[0].tick:
        return f"the way back begins at tick {way[0].tick}: tick {command.to_tick} is not kept"
    return ""
