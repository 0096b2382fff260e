"""Peers from demonstrations to a run that trains: one beginning for all of them.

    act, diffusion   LeRobot's policies, on an export of the same stores (lerobot_build.py)
    mlp              behaviour cloning on pictures (mlp.py)
    mlp-state        the same on the simulator's state: the upper bound

Brings together what others know. Knows no screen and no options.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import msgspec
import torch

from policy.data.batches import TrainingSet
from policy.errors import TrainingError
from policy.interfaces import PolicySpec
from policy.peers.instruction_words import InstructionWords
from policy.peers.lerobot_build import PeerKind, PeerSettings, build_peer, config_of, describe
from policy.peers.lerobot_frames import PeerFrames, PeerLessons, read_frames
from policy.peers.lerobot_training import PeerTrainer
from policy.peers.mlp import MlpDescription, MlpNetwork
from policy.peers.mlp_lessons import PictureLessons, StateLessons
from policy.peers.object_picker import ObjectPlaces
from policy.runs.latencies import LATENCY, cameras_latencies
from policy.runs.run_folder import RunFolder, require_free
from policy.training.chance import chance_of
from policy.training.loop import Ending, Trainer
from policy.training.optimizer import AdamWConfig
from policy.training.progress import Listener
from policy.training.provenance import mark_code, mark_store
from policy.training.schedule import Budget
from policy.training.train_config import TrainConfig
from recorders.clock import Clock
from recorders.episode_reader import EpisodeReader
from recorders.lerobot_v3 import ExportSettings, export_lerobot
from recorders.store import DemoStore

RecipeKind = Literal["act", "diffusion", "mlp", "mlp-state"]
RECIPE_KINDS: tuple[RecipeKind, ...] = get_args(RecipeKind)
CAMERAS = {"front": "rgb", "wrist": "rgb"}
STATE_PARTS = ("tool", "gripper", "lag", "touch", "objects")

_FIRST_WEIGHTS = (1 << 32) - 1      # the chance that the first weights are drawn from; no step's
_MLP_TRAINING = TrainConfig(pairs=32, optimizer=AdamWConfig(rate=1e-3))
_STATE_TRAINING = TrainConfig(pairs=64, optimizer=AdamWConfig(rate=1e-3))

Say = Callable[[str], None]


class AnyTrainer(Protocol):
    """What trains a peer."""

    def train(self) -> Ending:
        """Learn until the budget is used up."""
        ...


class PeerRun(msgspec.Struct, frozen=True):
    """A run that is ready to be trained.

    Attributes:
        run: its folder.
        episodes: how many demonstrations there are.
        trainer: from a clock, listeners and a question whether to stop.
    """

    run: RunFolder
    episodes: int
    trainer: Callable[[Clock, tuple[Listener, ...], Callable[[], bool]], AnyTrainer]


def begin(
    kind: RecipeKind, stores: Sequence[Path], folder: Path, *, budget: Budget, seed: int = 0,
    picture_size: tuple[int, int] = (96, 128), exports: Path | None = None, imagenet: bool = False,
    settings: PeerSettings | None = None, device: str = "cpu", say: Say = lambda text: None,
) -> PeerRun:
    """Read the demonstrations and begin a run.

    Args:
        kind: which peer.
        stores: the demonstrations; successes count.
        folder: of the run; a new one.
        budget: how long it may take.
        seed: of all chance.
        picture_size: (height, width) that the peer sees.
        exports: where LeRobot datasets are kept to be used again; None keeps none.
        imagenet: LeRobot's policies begin with torchvision's ImageNet weights.
        settings: of a LeRobot policy, in place of the usual ones.
        device: where to train.
        say: told what is being done.

    Raises:
        CheckpointError: if the folder holds something already.
        TrainingError: if the demonstrations do not do.
        StoreError, DamagedRecording: as the stores' readers say.
    """
    require_free(folder)
    torch.manual_seed(chance_of(seed, _FIRST_WEIGHTS))
    facts = {"name": kind, "seed": seed, "budget": msgspec.to_builtins(budget),
             "stores": [msgspec.to_builtins(mark_store(store)) for store in stores],
             LATENCY: cameras_latencies(stores, CAMERAS),
             "code": msgspec.to_builtins(mark_code())}
    if kind in ("mlp", "mlp-state"):
        return _begin_mlp(kind == "mlp", stores, folder, budget, seed, picture_size, device, facts)
    with _kept(exports) as place:
        datasets = [_export(store, place, picture_size, say) for store in stores]
        say("reading the pictures into memory …")
        frames = read_frames(datasets, tuple(CAMERAS))
    return _begin_lerobot(kind, frames, folder, budget, seed, imagenet, settings, stores,
                          device, facts)


def _begin_lerobot(
    kind: PeerKind, frames: PeerFrames, folder: Path, budget: Budget, seed: int, imagenet: bool,
    settings: PeerSettings | None, stores: Sequence[Path], device: str, facts: dict[str, Any],
) -> PeerRun:
    words = InstructionWords.fitted(frames.tasks)
    description = describe(kind, CAMERAS, frames.picture_size, words.features, frames.state,
                           frames.action, imagenet=imagenet, settings=settings)
    config = config_of(description)
    lessons = PeerLessons(
        frames, words, config.action_delta_indices,
        drop_last=getattr(config, "drop_n_last_frames", 0), seed=seed,
        history=config.observation_delta_indices is not None)
    peer = build_peer(description, pretrained=True, device=device)
    run = RunFolder.create(folder, {"kind": kind, "peer": msgspec.to_builtins(description),
                                    "cameras": CAMERAS, **_robot(stores[0]), **facts})
    episodes = len(set(frames.begins.tolist()))
    return PeerRun(run, episodes, lambda clock, listeners, stop: PeerTrainer(
        peer, description, lessons, run, budget=budget, seed=seed, clock=clock,
        listeners=listeners, stop=stop))


def _begin_mlp(
    pixels: bool, stores: Sequence[Path], folder: Path, budget: Budget, seed: int,
    picture_size: tuple[int, int], device: str, facts: dict[str, Any],
) -> PeerRun:
    # A policy that does not look still needs a camera: its pictures say when a moment is.
    spec = PolicySpec(cameras=CAMERAS, picture_size=picture_size) if pixels else \
        PolicySpec(cameras={"front": "rgb"}, picture_size=picture_size, proprioception=STATE_PARTS)
    try:
        training = TrainingSet.open(stores, spec, seed=seed)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    words = InstructionWords.fitted(training.instructions)
    places = training.proprioception_places
    description = MlpDescription(
        spec=spec, normaliser=training.normaliser, words=words.features,
        proprioception=max(place.stop for place in places.values()),
        action=training.demonstrations[0].actions.shape[-1], pixels=pixels,
        objects=None if pixels else ObjectPlaces(
            places["tool"].start, places["objects"].start, places["objects"].stop))
    network = MlpNetwork(description).to(device)
    lessons = (PictureLessons if pixels else StateLessons)(training, words)
    config = _MLP_TRAINING if pixels else _STATE_TRAINING
    run = RunFolder.create(folder, {"kind": "mlp", "mlp": msgspec.to_builtins(description),
                                    "train": msgspec.to_builtins(config), "cameras": spec.cameras,
                                    **_robot(stores[0]), **facts})
    return PeerRun(run, len(training.demonstrations), lambda clock, listeners, stop: Trainer(
        network, lessons, run, config, budget=budget, seed=seed, clock=clock, listeners=listeners,
        stop=stop))


def _robot(store: Path) -> dict[str, Any]:
    with DemoStore.open(store) as opened:
        robot = EpisodeReader(opened.episode_path(0)).attrs["robot"]
    return {"robot": robot.get("name", ""), "joint_names": list(robot.get("joint_names", ()))}


def _export(store: Path, place: Path, picture_size: tuple[int, int], say: Say) -> Path:
    """A LeRobot dataset of a store's successes, as the store stands now."""
    mark = mark_store(store)
    height, width = picture_size
    to = place / f"{mark.name}-{mark.digest}-{height}x{width}"
    if not to.exists():
        with DemoStore.open(store) as opened:
            which = [e.episode for e in opened.episodes() if e.label == "success"]
            say(f"exporting {len(which)} episodes of {store} to LeRobot's format …")
            export_lerobot(opened, which, to, ExportSettings(
                picture_size=picture_size, cameras=tuple(CAMERAS), sharp=True))
    return to


@contextmanager
def _kept(exports: Path | None) -> Iterator[Path]:
    """The folder of the exports: the one given, or one that goes away."""
    if exports is not None:
        yield exports
        return
    with tempfile.TemporaryDirectory(prefix="tandem-export-") as folder:
        yield Path(folder)
