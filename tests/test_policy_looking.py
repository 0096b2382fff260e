"""The cloud's eye and the gaze: they learn to look at what the words ask for, and cannot cheat."""

import numpy as np
import pytest
import torch

from policy.network.cloud_eye import HEAT_MAPS, CloudEye
from policy.network.fast_eye import FastEye
from policy.network.target_head import HAND, POSE, TargetHead

CODE, STATE, POINTS = 8, POSE + 2, 96
COLOURS = torch.eye(3)


def scene(rng: torch.Generator, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Clouds (B, N, 6) of a red, a green and a blue heap among grey points, and where (B, 3, 3)."""
    heaps = 2 * torch.rand(rows, 3, 3, generator=rng) - 1
    which = torch.arange(POINTS) % 4                                # the fourth quarter is grey
    places = 4 * torch.rand(rows, POINTS, 3, generator=rng) - 2
    colours = torch.full((rows, POINTS, 3), 0.5)
    for number in range(3):
        mine = which == number
        near = 0.05 * torch.randn(rows, int(mine.sum()), 3, generator=rng)
        places[:, mine] = heaps[:, number, None] + near
        colours[:, mine] = COLOURS[number]
    return torch.cat([places, colours], -1), heaps


def test_it_learns_to_look_at_the_colour_that_is_asked_for():
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    codes, eye = torch.nn.Embedding(3, CODE), CloudEye(CODE)
    head = TargetHead(eye.width, STATE, CODE, HEAT_MAPS, flat=False)
    parts = torch.nn.ModuleList([codes, eye, head])
    optimiser = torch.optim.Adam(parts.parameters(), 5e-3)

    def wrong(rows: int) -> torch.Tensor:
        cloud, heaps = scene(rng, rows)
        asked = torch.randint(0, 3, (rows,), generator=rng)
        code = codes(asked)
        found = eye(cloud, code)
        gaze, _ = head(found, found, torch.zeros(rows, STATE), code)
        return (gaze - heaps[torch.arange(rows), asked]).norm(dim=1)

    for _ in range(150):
        loss = wrong(32).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert float(wrong(200).median()) < 0.1         # heaps are about 1 apart


@pytest.mark.parametrize("flat", [False, True])
def test_the_gaze_does_not_know_where_the_hand_is(flat):
    torch.manual_seed(0)
    width = HEAT_MAPS * (2 if flat else HAND)
    head = TargetHead(width, STATE, CODE, HEAT_MAPS, flat=flat)
    eye, code, state = torch.randn(4, width), torch.randn(4, CODE), torch.randn(4, STATE)
    elsewhere, closed = state.clone(), state.clone()
    elsewhere[:, :POSE] += 1
    closed[:, POSE:] += 1
    gaze, target = head(eye, eye, state, code)
    moved, target_moved = head(eye, eye, elsewhere, code)
    gripped, _ = head(eye, eye, closed, code)
    torch.testing.assert_close(moved, gaze)
    assert not torch.allclose(target_moved, target) and not torch.allclose(gripped, gaze)


def test_without_an_eye_there_is_no_gaze():
    head = TargetHead(0, STATE, CODE, 0, flat=True)
    nothing = torch.zeros(2, 0)
    gaze, target = head(nothing, nothing, torch.randn(2, STATE), torch.zeros(2, CODE))
    assert not gaze.any() and target.shape == (2, HAND)


def test_a_robot_without_a_tool_pose_has_a_gaze_too():
    """Fewer numbers than a pose: nothing is left to choose by but the words."""
    eye = FastEye(CODE)
    head = TargetHead(eye.width, 4, CODE, eye.heat_maps, flat=True)
    seen = eye(torch.rand(2, 3, 32, 32), torch.randn(2, CODE))
    gaze, target = head(seen, seen, torch.randn(2, 4), torch.randn(2, CODE))
    assert gaze.shape == target.shape == (2, HAND) and torch.isfinite(target).all()


def test_points_far_away_or_none_at_all_do_no_harm():
    eye = CloudEye(CODE)
    cloud = torch.from_numpy(np.array([np.zeros((5, 6)), np.full((5, 6), 1e6)], np.float32))
    assert torch.isfinite(eye(cloud, torch.randn(2, CODE))).all()
