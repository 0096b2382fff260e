"""Everything that is said between the processes of the station, and nothing else.

Plain frozen structs, encoded with msgspec (MessagePack); rows and pictures travel beside them as
raw frames (see bus.py). The control loop's own record of a tick is the stream `tick`, declared
here because everybody downstream reads it.
"""

import math
from enum import IntEnum, IntFlag

import msgspec

from policy.monitoring.signals import SIGNALS
from recorders.streams import Column, StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.chunks.shown_plan import Override, RunningChunk

BATCHES, SNAPSHOT, SESSION = "batches", "snapshot", "session"   # topics of the link `watch`


class Mode(IntEnum):
    """The state of the station; the first thing the operator sees."""

    IDLE = 0        # not driving: limp to every input
    ARMED = 1       # holding, ready to move
    AUTO = 2        # the policy drives
    SHARED = 3      # policy and human, per degree of freedom
    HUMAN = 4       # the human drives
    HANDBACK = 5    # the policy re-plans from where the human let go
    HOLD = 6        # paused by the station or the operator
    STOP = 7        # latched software stop; leaves only by an explicit re-arm
    FAULT = 8       # a device failed
    REWIND = 9      # driving back along the way that the arm came


class Owner(IntEnum):
    """Who decided a degree of freedom in a tick."""

    NOBODY = 0
    HUMAN = 1
    POLICY = 2
    BLEND = 3
    HOLD = 4        # held where it was: clutch open, paused
    SAFETY = 5      # the safety layer overruled
    SCRIPT = 6      # along a recorded way: a replay, or a drive back


class Guard(IntFlag):
    """What the safety layer did in a tick; several may apply."""

    NONE = 0
    STOPPED = 1 << 0            # S1 latched software stop
    COMMAND_TIMEOUT = 1 << 1    # S2 nobody spoke for 100 ms
    CLUTCH_OPEN = 1 << 2        # S3 dead-man released
    DEVICE_LOST = 1 << 3        # S4
    RATE_LIMITED = 1 << 4       # S5, S7 velocity, acceleration or jerk
    JOINT_LIMIT = 1 << 5        # S6
    WORKSPACE = 1 << 6          # S6
    TOOL_SPEED = 1 << 7         # S6
    REJECTED = 1 << 8           # S8 not finite, or of the wrong shape
    FORCE_LIMIT = 1 << 9        # S9
    STALE_OBSERVATION = 1 << 10 # S10
    ROBOT_FAULT = 1 << 11       # S11
    TRACKING_ERROR = 1 << 12    # S13
    RECORDER_LOST = 1 << 13     # the recorder died or overflowed while an episode was open


def tick_stream(info: RobotInfo, rate_hz: float) -> StreamSpec:
    """The control loop's record of a tick for a robot with D degrees of freedom.

    NaN stands for "nobody said anything". Which training method needs which column:
    docs/tick.md.
    """
    names = info.joint_names
    wide = (len(names),)
    pose = ("x", "y", "z", "qw", "qx", "qy", "qz")
    twist = ("vx", "vy", "vz", "wx", "wy", "wz")

    def joints(name: str) -> Column:
        return Column(name=name, dtype="<f8", shape=wide, unit="rad", names=names)

    return StreamSpec(name="tick", rate_hz=rate_hz, columns=(
        Column(name="lateness_ns", dtype="<i8", unit="ns"),
        Column(name="mode", dtype="u1", values=tuple(mode.name for mode in Mode)),
        Column(name="epoch", dtype="<i4"),
        Column(name="owner", dtype="u1", shape=wide, names=names,
               values=tuple(owner.name for owner in Owner)),
        Column(name="human_share", dtype="<f4", shape=(7,), names=(*twist, "gripper")),
        Column(name="intervention", dtype="<i4"),       # counts from 1; 0: nobody stepped in
        Column(name="instruction_id", dtype="<i4"),     # counts the edits of an episode from 0
        Column(name="weights_version", dtype="<i4"),    # of the policy whose wish stands below
        Column(name="rewinds", dtype="<i4"),            # how often somebody went back so far
        Column(name="rewound_ns", dtype="<i8", unit="ns"),  # the moment gone back to last; or 0
        Column(name="guards", dtype="<u4", values=tuple(str(guard.name) for guard in Guard)),
        Column(name="speed_scale", dtype="<f4"),
        Column(name="observation_ns", dtype="<i8", unit="ns"),   # stamp of the arm sample used
        Column(name="observation_seq", dtype="<i8"),
        Column(name="human_ns", dtype="<i8", unit="ns"),         # stamp of the device's report
        Column(name="human_raw", dtype="<f4", shape=(8,)),
        Column(name="human_buttons", dtype="<u4"),
        Column(name="human_enabled", dtype="u1"),
        Column(name="human_twist", dtype="<f4", shape=(6,), unit="m/s rad/s", names=twist),
        Column(name="human_gripper", dtype="<f4"),
        Column(name="human_corrective", dtype="<f4", shape=(7,), names=(*twist, "gripper")),
        Column(name="tool_target", dtype="<f8", shape=(7,), unit="m", names=pose),
        joints("proposed_human"),      # what the human's device asked for, as joints
        joints("proposed_policy"),     # what the policy wanted, also while a human drives
        Column(name="chunk_id", dtype="<i4"),       # that this is from; 0: from none
        Column(name="chunk_step", dtype="<i4"),     # the target led to; the chunk's length: past it
        Column(name="override", dtype="u1", values=tuple(str(one.name) for one in Override)),
        Column(name="signals", dtype="<f4", shape=(len(SIGNALS),), names=SIGNALS),
        Column(name="alert", dtype="<i4"),          # the one that stands; 0: none
        joints("blended"),             # after arbitration
        joints("sent"),                # after safety: what the robot was told
        Column(name="sent_velocity", dtype="<f8", shape=wide, unit="rad/s", names=names),
        Column(name="sent_tool", dtype="<f8", shape=(7,), unit="m", names=pose),
    ))


class Assignment(msgspec.Struct, frozen=True):
    """What the arm is asked to do in a tick; goes with every tick to whoever plans."""

    task: str = ""
    instruction: str = ""
    instruction_id: int = 0     # counts the edits of a scene from 0
    scene: int = 0              # counts resets and beginnings of episodes; plans end with it
    seed: int = 0               # of the scene, for whatever a policy draws at random
    rewinds: int = 0            # how often somebody went back in it: one looks anew each time
    subtask: str = ""           # what a person says is to be done now; empty: System 2 says it


class StreamHealth(msgspec.Struct, frozen=True):
    """How a stream is doing."""

    name: str
    rate_hz: float              # measured over the last second
    dropped: int                # by gaps in `seq`, since the station started
    age_ms: float               # of the newest sample


class RecorderHealth(msgspec.Struct, frozen=True):
    """How the recorder is doing, as it says itself."""

    alive: bool = False
    wanted: bool = True         # False: no store is open, and nothing but practice is possible
    writing: str = ""           # the episode that it has not committed or put away yet
    queued: int = 0             # messages handed over and not yet written
    overflowed: int = 0         # messages that could not be handed over: lost data, an error
    disk_free_bytes: int = 0
    store: str = ""             # folder of the store that it writes
    committed: int = 0          # episodes since the station started
    changes: int = 0            # lines of the store's log: reload the list when it is another
    last_episode: str = ""
    last_label: str = ""
    last_commit_ms: float = 0.0  # from "stop" to "committed"
    error: str = ""
    interrupted: tuple[str, ...] = ()   # episodes left unfinished: to be kept or discarded
    unable: str = ""            # why no episode can be begun, and what to do; empty if one can
    cut_short: str = ""         # an episode that the recorder could not take to its end


class Spread(msgspec.Struct, frozen=True):
    """How some times are spread; NaN without any."""

    p50: float = math.nan
    p99: float = math.nan
    max: float = math.nan


class Alert(msgspec.Struct, frozen=True):
    """A signal of the rollout that is larger than in successes; see alerts.py."""

    number: int                 # counts from 1
    signal: str                 # a name of policy/monitoring/signals.py
    words: str                  # what that means, for the operator
    value: float
    limit: float
    began_ns: int


class PolicyHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the policy is doing, as its process says and as the station sees it.

    Counts and times are of the present scene, rates of the last two seconds.
    """

    alive: bool = False
    unconfirmed: bool = False           # lost while it drove: only a person lets it drive again
    name: str = ""                      # of its checkpoint
    weights_version: int = 0
    subtask: str = ""                   # what System 2 says is to be done now
    understood: bool = True             # whether System 2 knows what the instruction asks for
    latent_age_ms: float = math.nan     # since System 2 looked
    system1_hz: float = 0.0
    system2_hz: float = 0.0
    system1_calls: int = 0
    system2_runs: int = 0
    held: int = 0                       # turns that passed for want of a usable latent
    slowed: int = 0                     # calls on an old latent
    deadline_ms: float = 0.0            # of System 1, from the tick that brought the picture
    deadline_misses: int = 0
    spoiled: int = 0                    # chunks that were no chunk and were not sent
    act_ms: Spread = Spread()           # a call of System 1
    think_ms: Spread = Spread()         # a run of System 2, without what ran in between
    answer_ms: Spread = Spread()        # from the tick that brought the picture to its chunk
    age_ms: Spread = Spread()           # of the latent, at every call of System 1
    latency_ms: Spread = Spread()       # from an observation to the first tick that followed it
    taken: int = 0                      # chunks that were played
    refused: int = 0                    # chunks of another epoch, scene or robot
    dry_ticks: int = 0                  # the chunk was over and nothing followed
    problem: str = ""                   # for the operator
    remark: str = ""                    # what is not as it was in training; it drives all the same
    words: tuple[str, ...] = ()         # that a sub-task may be made of; none: there are none
    subtasks: tuple[str, ...] = ()      # that System 2 was taught, as far as that is known


class Snapshot(msgspec.Struct, frozen=True):
    """All that a console may draw; latest value only."""

    stamp_ns: int
    tick: int
    mode: Mode
    reason: str                         # why it is in STOP, FAULT or HOLD
    epoch: int
    owners: tuple[int, ...]
    guards: int
    task: str
    instruction: str
    phase: str                          # of the task, when the scene knows
    success: bool                       # by the task's detector
    episode: str                        # empty when none is open
    episode_s: float
    practice: bool
    position: tuple[float, ...]
    sent: tuple[float, ...]
    tool_pose: tuple[float, ...]
    wrench: tuple[float, ...]
    human_axes: tuple[float, ...]
    human_status: int
    human_enabled: bool
    speed_scale: float
    control_hz: float
    lateness_p50_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float
    late_ticks: int                     # more than one period late, since the start
    streams: tuple[StreamHealth, ...]
    recorder: RecorderHealth
    policy: PolicyHealth | None = None  # None: nobody but people drives here
    chunk: RunningChunk | None = None   # that is played, also while a person drives beside it
    plan_scale: float = 1.0             # speed that a person wants of the plans, 1 as planned
    stepping: bool = False              # only what is accepted runs
    problems: tuple[str, ...] = ()      # what the operator should do something about
    seed: int = 0                       # of the scene
    human_buttons: int = 0              # bit i is button i
    human_report: str = ""              # what the device said last, as it said it
    rewinds: int = 0                    # how often somebody went back in this scene
    rewind_s: float = 0.0               # of driving: so far back one can go
    resetting: bool = False             # the scene is set up once the last episode is written
    human_share: tuple[float, ...] = () # x y z roll pitch yaw gripper: 1 the person's, 0 not theirs
    intervention: int = 0               # counts from 1; 0: nobody stepped in
    sharing: tuple[float, ...] = ()     # what a person gets of the six axes who steps in next
    hand_back: bool = True              # and whether letting go hands the arm back
    alert: Alert | None = None          # the policy needs help, or may
    subtask: str = ""                   # that a person says in System 2's place
    instruction_by: str = ""            # who edited the words; empty: nobody, or nobody says so
    subtask_by: str = ""                # who said the sub-task, or took it back
    signals: tuple[float, ...] = ()     # as the tick's; NaN: not known
    signal_limits: tuple[float, ...] = ()       # infinite: never too much; empty: not calibrated
