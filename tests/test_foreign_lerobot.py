"""A LeRobot policy's folder drives our robots, and what does not fit is named with what to do."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles.lerobot_folders import STEPS, write_folder

from policy.errors import CheckpointError
from policy.foreign.lerobot_policy import FolderPolicy
from policy.foreign.opening import open_policy
from policy.interfaces import Choosy, Observation, SeesAll
from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli
from studio.sim.robot import SimRobot
from studio.station.messages import Owner, tick_stream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("lerobot")
    torch.set_num_threads(1)
    write_folder(root / "act")
    write_folder(root / "diffusion", "diffusion")
    return root


def moment(k: int) -> Observation:
    rng = np.random.default_rng(k)
    return Observation(
        stamp_ns=NS_PER_S + k * NS_PER_S // 30, instruction="put it there", base=np.zeros(8),
        images={camera: rng.integers(0, 255, (64, 64, 3), np.uint8) for camera in
                ("front", "wrist")}, proprioception=rng.uniform(0, 1, 8).astype(np.float32))


def lerobots_own(folder: Path, moments: list[Observation], seed: int = 0) -> np.ndarray:
    """The first action of LeRobot's own loop after it saw some moments."""
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    from lerobot.policies.utils import prepare_observation_for_inference

    config = PreTrainedConfig.from_pretrained(folder)
    network = get_policy_class(config.type).from_pretrained(folder, config=config)
    before, after = make_pre_post_processors(config, str(folder))
    action = torch.zeros(0)
    for one in moments:
        seen = {f"observation.images.{name}": picture.copy()
                for name, picture in one.images.items()}
        batch = before(prepare_observation_for_inference(
            {**seen, "observation.state": one.proprioception.copy()}, torch.device("cpu"),
            one.instruction))
        getattr(network, "_queues", {}).get("action", []).clear()      # it shall predict anew
        torch.manual_seed(seed)
        action = after(network.select_action(batch))
        getattr(network, "_action_queue", []).clear()
    return action[0].numpy()


@pytest.mark.parametrize("kind", ["act", "diffusion"])
def test_it_answers_what_lerobots_own_loop_answers_the_past_included(folders, kind):
    policy = open_policy(folders / kind)
    assert isinstance(policy, SeesAll) and isinstance(policy, Choosy)
    moments = [moment(k) for k in range(3)]
    policy.reset(5)
    for one in moments:
        policy.see(one)
    chunk = policy.act(moments[-1], policy.think(moments[-1]))
    assert chunk.targets.shape == (policy.spec.steps, 8) and chunk.space == "joints"
    assert chunk.first_ns - moments[-1].stamp_ns == policy.spec.step_ns == round(NS_PER_S / 30)
    wanted = lerobots_own(folders / kind, moments, 5)
    wanted[-1] = np.clip(wanted[-1], 0, 1)
    assert np.allclose(chunk.targets[0], wanted, atol=1e-5)
    policy.reset(5)                                     # without a past it copies what it sees now
    alone = policy.act(moments[-1], policy.think(moments[-1])).targets[0]
    assert np.allclose(alone, wanted, atol=1e-5) == (kind == "act")


def test_it_drives_a_rollout_and_its_chunks_are_recorded(folders, tmp_path, capsys):
    code = cli.main(["rollout", "--policy", str(folders / "act"), "--fast", "--max-s", "1",
                     "--image-size", "64", "64", "--record", str(tmp_path / "store"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0 and answer["problem"] == "" and answer["system1_calls"] > 3
    with DemoStore.open(tmp_path / "store") as store:
        (kept,) = store.episodes()
        episode = EpisodeReader(store.episode_path(kept.episode))
    assert len(episode["chunk"]) > 3
    assert (episode["tick"]["owner"][:, 0] == 2).any()          # Owner.POLICY


def test_a_person_takes_the_arm_from_it_and_gives_it_back_without_a_jump(folders, tmp_path, capsys):
    """It never learned anything and gets nowhere: the simulated overseer steps in, and lets go."""
    store = str(tmp_path / "store")
    code = cli.main(["rollout", "--policy", str(folders / "act"), "--fast", "--max-s", "20",
                     "--teleop", "overseer", "--image-size", "64", "64", "--record", store,
                     "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["problem"] == "" and answer["interventions"] >= 1, (code, answer)
    assert cli.main(["data", "check", store, "--json"]) == 0     # the rules of rollouts among it
    with DemoStore.open(store) as opened:
        (kept,) = opened.episodes()
        tick = EpisodeReader(opened.episode_path(kept.episode))["tick"]
    owner = np.array(tick["owner"])[:, 0]
    drivers = owner[np.isin(owner, [Owner.HUMAN, Owner.POLICY])]
    changes = [Owner(who) for who in drivers[np.flatnonzero(np.diff(drivers, prepend=-1))]]
    assert changes[:3] == [Owner.POLICY, Owner.HUMAN, Owner.POLICY]
    person = np.array(tick["intervention"]) > 0
    assert person[owner == Owner.HUMAN].all() and not person[owner == Owner.POLICY].all()
    info = SimRobot(ManualClock(NS_PER_S), render=False).info
    sent = np.array(tick["sent"])
    velocity = np.diff(sent, axis=0) * 100
    acceleration = np.diff(velocity, axis=0) * 100
    assert (np.abs(velocity) <= np.array(info.max_velocity) * 1.001).all()
    assert (np.abs(acceleration) <= np.array(info.max_acceleration) * 1.001).all()


def fitting(policy: FolderPolicy, joints: tuple[str, ...] | None = None) -> str:
    info = SimRobot(ManualClock(NS_PER_S), cameras=("front",), image_size=(64, 64)).info
    return "; ".join(policy.misfits(info.name, joints or info.joint_names,
                                    (tick_stream(info, 100.0), *info.streams)))


def test_what_does_not_fit_a_robot_is_named_one_by_one_with_the_option_that_maps_it(folders):
    found = fitting(FolderPolicy.open(folders / "act"), tuple("abcdefgh"))
    assert "--policy-map observation.images.wrist=front" in found
    assert "--policy-map observation.state=joints if they mean the same" in found
    assert "--policy-map action=joints if they mean the same" in found
    wishes = ("observation.images.wrist=front", "observation.state=joints", "action=joints")
    assert fitting(FolderPolicy.open(folders / "act", wishes=wishes), tuple("abcdefgh")) == ""
    narrow = FolderPolicy.open(folders / "act", wishes=("observation.images.wrist=front",
                                                        "observation.state=arm"))
    assert "'arm' of tandem_sim is 7 numbers" in fitting(narrow)


@pytest.mark.parametrize(("damage", "says"), [
    (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
    (lambda f: (f / "policy_postprocessor.json").unlink(), "no policy_postprocessor.json"),
    (lambda f: (f / "config.json").write_text('{"type": "nobodys"}'), "of no output"),
    (lambda f: (f / "model.safetensors").write_bytes(b"x"), "cannot be loaded by LeRobot"),
    (lambda f: (f / "config.json").write_text((f / "config.json").read_text().replace(
        '"act"', '"nobodys"')), "knows act, diffusion"),
])
def test_a_folder_that_is_not_whole_is_refused_in_one_line(folders, tmp_path, damage, says):
    damage(folder := shutil.copytree(folders / "act", tmp_path / "act"))
    with pytest.raises(CheckpointError, match=says) as refused:
        open_policy(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("ours", "known", "says"), [
    (False, True, r"none of our exports.*8 numbers \(joint1.pos"), (True, False, "is not here")])
def test_numbers_whose_meaning_nobody_says_are_asked_for(tmp_path, ours, known, says):
    folder = write_folder(tmp_path / "act", ours=ours, known=known)
    with pytest.raises(CheckpointError, match=says) as refused:
        open_policy(folder)
    assert "--policy-map observation.state=" in str(refused.value)
    wishes = ("observation.state=joints-deg", "action=joints-deg", "rate=15")
    policy = open_policy(folder, wishes=wishes)
    assert policy.spec.step_s == pytest.approx(1 / 15) and policy.spec.steps == STEPS


def test_a_hub_id_that_cannot_be_reached_says_so_in_one_line(monkeypatch):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"lerobot/nothing cannot be had .* give the folder"):
        open_policy("hf:lerobot/nothing")


def test_a_map_for_a_run_of_ours_is_a_mistake(tmp_path):
    with pytest.raises(CheckpointError, match="--policy-map is for policies of LeRobot"):
        open_policy(tmp_path, wishes=("a=b",))
