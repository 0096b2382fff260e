"""Whether the fast eye can learn to see: alone, on the first pictures of recorded episodes.

At an episode's beginning nothing but the picture says where the asked cube is: the hand has not
moved yet. This trains eye, code and read-out alone on these pictures and tells how far from the
cube they look in episodes that were held out. Labels are the simulator's. It is quick (a minute),
so it is the place to try out an eye.

Run it with `python tests/bench/fast_eye.py STORE… [--steps 300] [--labels own|tool]
[--read-out-rate 1]`; stores of put-cube-in-bin, recorded with cameras.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn

from policy.data.batches import TrainingSet
from policy.data.demonstrations import Demonstration
from policy.data.pictures import LIGHT, SHIFT_PX, cut_out, prepare_padded
from policy.interfaces import PolicySpec
from policy.network.fast_eye import HEAT_MAPS, FastEye
from policy.network.phrase_code import PhraseCode
from policy.training.configs import FRONT_AND_WRIST
from policy.words import WordTokenizer
from studio.sim.instructions import COLOURS

MOMENTS = (1, 5, 9)         # pictures after the beginning, at 30 Hz
BATCH, CODE, RATE = 64, 32, 2e-3
OUT = Path("out/bench/fast_eye.json")


@dataclass(frozen=True)
class Probe:
    """What to train, and how."""

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    steps: int = 300
    labels: Literal["own", "tool"] = "own"
    """Scaled by the cubes' own statistics, or by the tool's, as a policy's target head has them."""
    read_out_rate: float = 1.0
    """Learning rate of the read-out, in times of the eye's."""
    seed: int = 0


class Eyes(nn.Module):
    """Both eyes, the code, and a read-out that sees nothing else."""

    def __init__(self, phrases: Sequence[str]) -> None:
        super().__init__()
        self.code = PhraseCode(WordTokenizer.fitted(phrases).words, CODE, 8)
        self.eyes = nn.ModuleList(FastEye(CODE) for _ in FRONT_AND_WRIST)
        self.read_out = nn.Sequential(nn.Linear(len(self.eyes) * 2 * HEAT_MAPS, 128), nn.GELU(),
                                      nn.Linear(128, 2))

    def forward(self, pictures: Tensor, phrases: Sequence[str]) -> Tensor:
        """(B, V, 3, H, W) u1 and B phrases to (B, 2), where the cube is, normalised."""
        look_for = self.code(phrases)[:, :CODE]
        seen = [eye(pictures[:, v].float() / 255, look_for) for v, eye in enumerate(self.eyes)]
        return self.read_out(torch.cat(seen, 1))


def beginnings(demonstrations: Sequence[Demonstration], size: tuple[int, int]
               ) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Padded pictures (N, V, 3, …), where the asked cube is (N, 2) in m, and N phrases."""
    pictures, places, phrases = [], [], []
    for one in demonstrations:
        phrase = one.phrases[one.phrase[MOMENTS[0]]]
        cube = COLOURS.index(phrase.split()[1])
        for moment in MOMENTS:
            pictures.append([prepare_padded(
                one.episode[camera].images(name)[int(one.picture_rows[camera][moment])], size)
                for camera, name in FRONT_AND_WRIST.items()])
            places.append(one.episode["sim"].column("objects")[0, cube, :2])
            phrases.append(phrase)
    return np.array(pictures), np.array(places, np.float32), phrases


def cut(padded: np.ndarray, size: tuple[int, int], rng: np.random.Generator | None) -> Tensor:
    """Pictures of the right size, augmented if there is a random generator."""
    out = np.empty((*padded.shape[:2], 3, *size), np.uint8)
    for row, view in np.ndindex(*padded.shape[:2]):
        if rng is None:
            cut_out(padded[row, view], out[row, view])
        else:
            down_px, right_px = rng.integers(0, 2 * SHIFT_PX + 1, 2).tolist()
            cut_out(padded[row, view], out[row, view], down_px, right_px, rng.uniform(*LIGHT))
    return torch.from_numpy(out)


def main(probe: Probe) -> None:
    """Train, and print the error on unseen episodes every 100 steps."""
    torch.set_num_threads(1)
    torch.manual_seed(probe.seed)
    rng = np.random.default_rng(probe.seed)
    spec = PolicySpec(cameras=FRONT_AND_WRIST)
    lessons = TrainingSet.open(probe.stores, spec, hold_out=0.12, seed=probe.seed)
    pictures, places_m, phrases = beginnings(lessons.demonstrations, spec.picture_size)
    unseen, unseen_m, unseen_phrases = beginnings(lessons.held_out, spec.picture_size)
    middle_m, scale_m = (places_m.mean(0), places_m.std(0)) if probe.labels == "own" else (
        np.array(lessons.normaliser.position_mean[:2], np.float32),
        np.array(lessons.normaliser.position_scale[:2], np.float32))
    eyes = Eyes(lessons.phrases)
    optimiser = torch.optim.AdamW([
        {"params": [*eyes.code.parameters(), *eyes.eyes.parameters()]},
        {"params": eyes.read_out.parameters(), "lr": RATE * probe.read_out_rate}], RATE)
    shown = cut(unseen, spec.picture_size, None)
    found: list[dict[str, float]] = []
    print(f"{len(pictures)} pictures to learn from, {len(unseen)} unseen; error in cm")
    for step in range(1, probe.steps + 1):
        rows = rng.integers(0, len(pictures), BATCH)
        guess = eyes(cut(pictures[rows], spec.picture_size, rng), [phrases[row] for row in rows])
        label = torch.from_numpy((places_m[rows] - middle_m) / scale_m)
        loss = F.smooth_l1_loss(guess, label, beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 0:
            with torch.no_grad():
                place_m = eyes(shown, unseen_phrases).numpy() * scale_m + middle_m
            error_cm = 100 * np.linalg.norm(place_m - unseen_m, axis=1)
            low, middle, high = np.percentile(error_cm, [25, 50, 75]).tolist()
            found.append({"step": step, "p25": low, "p50": middle, "p75": high})
            print(f"step {step}: {low:.1f} / {middle:.1f} / {high:.1f} (quartiles)", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"labels": probe.labels, "read_out_rate": probe.read_out_rate,
                               "seed": probe.seed, "errors_cm": found}))


if __name__ == "__main__":
    main(tyro.cli(Probe))
