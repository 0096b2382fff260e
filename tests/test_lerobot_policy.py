"""Our dual-system policy as LeRobot's type `tandem`: exported, run by lerobot-eval, refused."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from doubles.random_checkpoint import FELT, write_random_run

from policy.errors import CheckpointError
from policy.foreign.lerobot_export import export_policy
from policy.foreign.opening import open_policy
from policy.interfaces import Observation
from recorders.store_errors import StoreError
from recorders.streams import StreamSpec
from studio import cli
from studio.devices.interfaces import DeviceError
from studio.sim.robot import SimRobot
from studio.sim.samples import JOINT_NAMES
from studio.station.serving.policy_loading import remark_on, require_for

JOINTS = [f"{name}.pos" for name in JOINT_NAMES]
SMALL = ("--env.height=64", "--env.width=64", "--env.episode_length=6")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]      # importing LeRobot is most of it


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    run = write_random_run(folder / "run")
    assert cli.main(["export-policy", str(run), "--to", str(folder / "lerobot")]) == 0
    return folder / "lerobot"


@pytest.fixture
def plugin() -> Any:
    import studio.lerobot_plugin as plugin

    return plugin


def loaded(folder: Path) -> Any:
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class

    config = PreTrainedConfig.from_pretrained(folder)
    return get_policy_class("tandem").from_pretrained(folder, config=config)


def evaluated(monkeypatch, *words: str) -> None:
    """lerobot-eval as its command runs it, in this process."""
    from lerobot.scripts import lerobot_eval

    monkeypatch.setattr(sys, "argv", [
        "lerobot-eval", "--env.type=tandem", "--env.discover_packages_path=studio.lerobot_plugin",
        "--eval.n_episodes=2", "--eval.batch_size=2", "--eval.use_async_envs=false", *SMALL,
        *words])
    command: Any = lerobot_eval.eval_main      # it reads its words itself
    command()


@pytest.mark.gl
def test_lerobots_own_command_loads_the_folder_and_evaluates_it(exported, tmp_path, monkeypatch):
    evaluated(monkeypatch, f"--policy.path={exported}", "--env.senses=true", "--seed=5000",
              f"--output_dir={tmp_path}/out")
    told = json.loads((tmp_path / "out/eval_info.json").read_text())
    assert told["overall"]["n_episodes"] == 2


@pytest.mark.gl
def test_an_environment_that_does_not_show_what_it_feels_is_refused_by_name(
        exported, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"wants observation\.touch, which.*--env\.senses=true"):
        evaluated(monkeypatch, f"--policy.path={exported}", f"--output_dir={tmp_path}/out")


@pytest.mark.gl
def test_our_robot_shows_it_through_lerobots_frames_and_somebody_elses_is_refused(
        exported, plugin):
    from lerobot.policies.utils import prepare_observation_for_inference
    from lerobot.utils.feature_utils import build_dataset_frame, hw_to_dataset_features

    robot = plugin.TandemSim(plugin.TandemSimConfig(height=64, width=64, senses=True))
    robot.connect()
    seen = robot.get_observation()
    robot.disconnect()
    handed_on = {name: kind for name, kind in robot.observation_features.items()
                 if isinstance(kind, tuple) or name.endswith((".pos", ".vel"))}
    assert handed_on == robot.observation_features      # lerobot-rollout loses nothing of it
    assert list(handed_on)[:8] == JOINTS and seen["front_depth"].dtype == np.uint16
    frame = build_dataset_frame(hw_to_dataset_features(handed_on, "observation"), seen,
                                "observation")
    policy, cpu = loaded(exported), torch.device("cpu")
    batch = prepare_observation_for_inference(frame, cpu, "put the red cube in the bin", "x")
    policy.reset()
    action = policy.select_action(dict(batch))
    assert action.shape == (1, 8) and bool(torch.isfinite(action).all())
    state = batch["observation.state"]
    for numbers, said in ((6, r"as 8 numbers \(joint1\.pos.*not 6"), (8, r"observation\.touch")):
        with pytest.raises(ValueError, match=said):
            policy.select_action({**batch, "observation.state": state[:, :numbers]})


def test_the_first_frame_is_answered_from_where_the_arm_is_and_the_same_twice(exported, plugin):
    policy = loaded(exported)
    rng = np.random.default_rng(0)
    home = torch.tensor(policy._info.home, dtype=torch.float32)
    batch: dict[str, Any] = {
        "observation.state": home[None], "observation.touch": torch.zeros(1, 2),
        "observation.images.front": torch.from_numpy(rng.random((1, 3, 64, 64), np.float32)),
        "task": ["put the red cube in the bin"]}
    said = []
    for _ in range(2):
        policy.reset()
        policy._episodes = 0
        said.append(torch.cat([policy.select_action(dict(batch)) for _ in range(9)]))
    assert torch.equal(*said)
    step = torch.diff(torch.cat([home[None], said[0]]), dim=0).abs().max()
    assert 0 < float(step) < 0.2            # it moves, and never jumps


def test_the_exported_folder_drives_our_robots_as_the_run_does(exported):
    run, folder = open_policy(exported.parent / "run"), open_policy(exported)
    assert folder.spec == run.spec and folder.weights_version == run.weights_version == 7
    rng = np.random.default_rng(0)
    seen = Observation(
        stamp_ns=1, images={"front": rng.integers(0, 255, (96, 128, 3), np.uint8)},
        proprioception=np.zeros(FELT, np.float32), base=np.array([0.4, 0, 0.2, 1, 0, 0, 0, 1.0]),
        instruction="put the red cube in the bin")
    chunks = [policy.act(seen, policy.think(seen)) for policy in (run, folder)]
    assert np.array_equal(chunks[0].targets, chunks[1].targets)
    with pytest.raises(CheckpointError, match="our runs know what they see"):
        open_policy(exported, wishes=("action=joints",))


def test_weights_that_do_not_fit_and_folders_that_are_none_are_refused(exported, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for path in exported.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    weights = load_file(exported / "model.safetensors")
    weights.popitem()
    save_file(weights, broken / "model.safetensors")
    with pytest.raises(CheckpointError, match="does not fit the network: it lacks"):
        loaded(broken)
    with pytest.raises(StoreError, match="exists already"):
        export_policy(exported.parent / "run", exported, SimRobot.name, JOINT_NAMES)
    with pytest.raises(CheckpointError, match="is no run"):
        export_policy(tmp_path / "nothing", tmp_path / "to", SimRobot.name, JOINT_NAMES)
    assert not (tmp_path / "to").exists()


def test_an_exported_policy_says_what_it_was_trained_with_and_drives_no_other_robot(
        tmp_path, plugin):
    run, to = write_random_run(tmp_path / "run", robot=SimRobot.name, joint_names=JOINT_NAMES,
                               latency_ms={"front": [20.0, 20.0]}), tmp_path / "to"
    export_policy(run, to, SimRobot.name, JOINT_NAMES)
    said = loaded(to).config
    assert (said.robot, said.joint_names, said.latency_ms) == (
        SimRobot.name, list(JOINT_NAMES), {"front": [20.0, 20.0]})
    info = SimRobot(render=False).info
    require_for(str(to), info)
    for other in ({"name": "so101"}, {"joint_names": ("pan", "gripper")}):
        with pytest.raises(DeviceError, match="policy of another robot"):
            require_for(str(to), msgspec.structs.replace(info, **other))
    late = StreamSpec(name="front", rate_hz=30.0, latency_ns=70_000_000)
    assert "camera front is 70 ms late here" in remark_on(str(to), [late])


def test_a_policy_of_another_robot_is_tried_by_no_evaluation_and_no_fast_rollout(tmp_path, capsys):
    run, to = write_random_run(tmp_path / "run", robot=SimRobot.name, joint_names=JOINT_NAMES
                               ), tmp_path / "to"
    export_policy(run, to, SimRobot.name, JOINT_NAMES)
    said = json.loads((to / "config.json").read_text()) | {"robot": "so101"}
    (to / "config.json").write_text(json.dumps(said))
    for words in (["eval", str(to), "--seeds", "5000:5001"],
                  ["rollout", "--policy", str(to), "--task", "put-cube-in-bin", "--fast",
                   "--record", str(tmp_path / "store")]):
        assert cli.main(words) == 2
        assert "it was trained on so101, but this is" in capsys.readouterr().err


def test_a_run_of_another_robot_is_not_exported_for_the_simulated_arm(tmp_path):
    run = write_random_run(tmp_path / "run", robot="so101", joint_names=["pan", "gripper"])
    with pytest.raises(CheckpointError, match=r"its joints are pan, gripper.*LeRobot's commands"):
        export_policy(run, tmp_path / "to", SimRobot.name, JOINT_NAMES)
    assert not (tmp_path / "to").exists()
    named = write_random_run(tmp_path / "named", joint_names=JOINTS)    # by LeRobot's recorder
    assert export_policy(named, tmp_path / "to", SimRobot.name, JOINT_NAMES).step == 7
