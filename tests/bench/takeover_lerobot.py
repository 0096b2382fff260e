"""Taking an arm from a policy with LeRobot's DAgger strategy, on an arm that is kept in memory.

Its own loop, its own real-time-chunking engine, its own dataset; ours are only the arm, the leader,
the policy (a line from where the arm stands) and the two fingers: they press the first key at a
random moment and the second one as soon as the strategy says that it is paused, which is the best
case. Knows `lerobot.rollout`; makes no table.
"""

import random
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import numpy as np

JOINTS = tuple(f"joint{number}.pos" for number in range(1, 7))
FPS = 30
CHUNK = 50                      # steps
INFERENCE_S = 0.05
SPEED_RAD_S = 0.4               # the policy's
AWAY_RAD = 0.3                  # a leader that nobody drove stands so far from the arm
HAND_RAD_S = 0.5                # the person's
PATIENCE_S = 20.0

Leader = Literal["driven leader", "leader, arm slides to it", "clutch, no handover"]
LEADERS: tuple[Leader, ...] = ("driven leader", "leader, arm slides to it", "clutch, no handover")


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the driver.

    Attributes:
        until_s: from the first key to the first command of whoever drives then.
        gap_s: the longest time without any command meanwhile.
        jump: the largest second difference of the commands at the change, in rad/s².
    """

    until_s: float
    gap_s: float
    jump: float


class MemoryArm:
    """Is at once where it is told to be; remembers when, and when it was told what a leader said.
    """

    robot_type = name = "memory"
    is_connected = True
    observation_features = action_features = dict.fromkeys(JOINTS, float)

    def __init__(self) -> None:
        self.cameras: dict[str, Any] = {}
        self.position = np.zeros(len(JOINTS))
        self.sent: list[tuple[float, np.ndarray]] = []
        self.led: list[float] = []
        self.leader_said: np.ndarray | None = None

    def get_observation(self) -> dict[str, float]:
        return dict(zip(JOINTS, self.position.tolist(), strict=True))

    def send_action(self, action: dict[str, float]) -> dict[str, float]:
        self.position = np.array([action[joint] for joint in JOINTS])
        self.sent.append((time.perf_counter(), self.position.copy()))
        if self.leader_said is not None and np.array_equal(self.position, self.leader_said):
            self.led.append(self.sent[-1][0])
        return action

    def disconnect(self) -> None:
        """Nothing to let go of."""


class MemoryLeader:
    """A leader arm in a hand: `driven` ones can be moved by the strategy, a `clutch` follows."""

    is_connected = True
    action_features = dict.fromkeys(JOINTS, float)

    def __init__(self, arm: MemoryArm, kind: Leader) -> None:
        self._arm, self._kind = arm, kind
        self.position = np.full(len(JOINTS), AWAY_RAD)
        self._before_s = 0.0

    @property
    def feedback_features(self) -> dict[str, type]:
        return dict.fromkeys(JOINTS, float) if self._kind == "driven leader" else {}

    def enable_torque(self) -> None:
        """It holds itself."""

    def disable_torque(self) -> None:
        """It is in the hand."""

    def send_feedback(self, wanted: dict[str, float]) -> None:
        self.position = np.array([wanted[joint] for joint in JOINTS])

    def disconnect(self) -> None:
        """Nothing to let go of."""

    def get_action(self) -> dict[str, float]:
        now_s = time.perf_counter()
        if self._kind == "clutch, no handover":             # it re-references where the arm is
            self.position = self._arm.position.copy()
        moving = now_s - self._before_s < 0.2               # the hand moves while it is read
        self.position = self.position + HAND_RAD_S / FPS * moving
        self._before_s = now_s
        self._arm.leader_said = self.position.copy()
        return dict(zip(JOINTS, self.position.tolist(), strict=True))


class LinePolicy:
    """Plans a line from where the arm was seen, and takes its time."""

    config = SimpleNamespace()

    def supports_rtc(self) -> bool:
        return True

    def reset(self) -> None:
        """Nothing is kept."""

    def predict_action_chunk(self, batch: Any, inference_delay: int = 0,
                             prev_chunk_left_over: Any = None) -> Any:
        import torch

        time.sleep(INFERENCE_S)
        state = batch["observation.state"].reshape(1, 1, -1)
        steps = torch.arange(1, CHUNK + 1).reshape(1, -1, 1)
        away = float(state.flatten()[0])
        return state + steps * (SPEED_RAD_S / FPS) * (-1.0 if away > 0 else 1.0)


class Untouched:
    """Hands on what it gets, as a pre- and postprocessor."""

    steps = ()

    def __call__(self, values: Any) -> Any:
        return values

    def reset(self) -> None:
        """Nothing is kept."""


class Side:
    """The strategy at work in a thread, and fingers on its keys.

    Raises:
        ImportError: LeRobot is not installed.
    """

    def __init__(self, kind: Leader, folder: Path, count: int) -> None:
        from lerobot.datasets import LeRobotDataset
        from lerobot.policies.rtc.configuration_rtc import RTCConfig
        from lerobot.rollout.configs import DAggerStrategyConfig
        from lerobot.rollout.inference.rtc import RTCInferenceEngine
        from lerobot.rollout.robot_wrapper import ThreadSafeRobot
        from lerobot.rollout.strategies.dagger import DAggerStrategy

        self.arm = MemoryArm()
        self.leader = MemoryLeader(self.arm, kind)
        wrapped = ThreadSafeRobot(self.arm)                 # type: ignore[arg-type]
        wide = {"dtype": "float32", "shape": (len(JOINTS),), "names": list(JOINTS)}
        features = {"observation.state": wide, "action": wide}
        dataset = LeRobotDataset.create(
            "bench/dagger", FPS, features | {"intervention": {
                "dtype": "bool", "shape": (1,), "names": None}}, root=folder, use_videos=False)
        rtc = RTCConfig()
        rtc.enabled = True
        engine = RTCInferenceEngine(
            LinePolicy(), Untouched(), Untouched(), wrapped,    # type: ignore[arg-type]
            rtc, {"observation.state": wide}, "task", FPS, "cpu", rtc_queue_threshold=30)
        config = SimpleNamespace(
            fps=FPS, duration=0, interpolation_multiplier=1, use_torch_compile=False, task="task",
            dataset=None, play_sounds=False, display_data=False, return_to_initial_position=False)
        self.context: Any = SimpleNamespace(
            runtime=SimpleNamespace(cfg=config, shutdown_event=threading.Event()),
            hardware=SimpleNamespace(robot_wrapper=wrapped, teleop=self.leader,
                                     initial_position=None),
            policy=SimpleNamespace(inference=engine),
            processors=SimpleNamespace(
                teleop_action_processor=lambda pair: pair[0],
                robot_action_processor=lambda pair: pair[0],
                robot_observation_processor=lambda seen: seen),
            data=SimpleNamespace(dataset=dataset, dataset_features=features,
                                 ordered_action_keys=list(JOINTS)))
        self.strategy = DAggerStrategy(DAggerStrategyConfig(
            num_episodes=count + 1, smooth_handover=kind != "clutch, no handover"))
        self._thread = threading.Thread(target=self._run, name="dagger")

    def __enter__(self) -> "Side":
        self.strategy.setup(self.context)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.context.runtime.shutdown_event.set()
        self._thread.join(PATIENCE_S)
        self.strategy.teardown(self.context)

    def _run(self) -> None:
        self.strategy.run(self.context)

    def press(self, key: str) -> float:
        """Press a key; returns when."""
        now_s = time.perf_counter()
        self.strategy._events.request_transition(key)
        return now_s

    def until(self, reached: Any) -> None:
        """Look every millisecond."""
        deadline_s = time.perf_counter() + PATIENCE_S
        while not reached():
            if time.perf_counter() > deadline_s:
                raise TimeoutError(f"LeRobot stays {self.strategy._events.phase}")
            time.sleep(0.001)

    def phase(self, name: str) -> bool:
        """Whether the strategy says that it is in a phase."""
        return self.strategy._events.phase.value == name

    def take(self) -> Handover:
        """Both keys, until the arm was told what the leader said."""
        pressed_s = self.press("pause_resume")
        self.until(lambda: self.phase("paused"))
        self.press("correction")
        self.until(lambda: self.phase("correcting"))
        self.until(lambda: self.arm.led and self.arm.led[-1] > pressed_s)
        return self._handover(pressed_s, next(at_s for at_s in self.arm.led if at_s > pressed_s))

    def give_back(self) -> Handover:
        """Both keys the other way round, until the policy commands."""
        pressed_s = self.press("correction")
        self.until(lambda: self.phase("paused"))
        self.press("pause_resume")
        self.until(lambda: self.phase("autonomous"))
        resumed_s, at = time.perf_counter(), self.arm.position.copy()
        self.until(lambda: np.abs(self.arm.position - at).max() > 1e-9)
        moved = next(stamp_s for stamp_s, position in self.arm.sent
                     if stamp_s > resumed_s - 1 / FPS and np.abs(position - at).max() > 1e-9)
        return self._handover(pressed_s, moved)

    def _handover(self, pressed_s: float, until_s: float) -> Handover:
        """Gap and jump of what was sent from a little before to a little after."""
        self.until(lambda: self.arm.sent[-1][0] > until_s + 3 / FPS)
        near = [(stamp_s, position) for stamp_s, position in self.arm.sent
                if pressed_s - 3 / FPS <= stamp_s <= until_s + 3 / FPS]
        inside = [stamp_s for stamp_s, _ in near if stamp_s <= until_s]
        second = np.diff([position for _, position in near], n=2, axis=0) * FPS**2
        return Handover(until_s=until_s - pressed_s, gap_s=float(np.diff(inside).max()),
                        jump=float(np.abs(second).max()))


def handovers(kind: Leader, count: int, seed: int = 0) -> tuple[list[Handover], list[Handover]]:
    """So often taken, and given back."""
    rng, taken, given = random.Random(seed), [], []
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder, \
            Side(kind, Path(folder) / "data", count) as side:
        for _ in range(count):
            at = side.arm.position.copy()
            side.until(lambda at=at: np.abs(side.arm.position - at).max() > 0.05)
            time.sleep(rng.uniform(0.0, 0.3))
            taken.append(side.take())
            time.sleep(rng.uniform(0.2, 0.4))
            given.append(side.give_back())
    return taken, given
