"""The point eye and the gaze: they learn to look at what the words ask for, and cannot cheat."""

import numpy as np
import pytest
import torch

from policy.network.picture_points import picture_points
from policy.network.point_eye import HEAT_MAPS, PointEye
from policy.network.target_head import HAND, POSE, Event, TargetHead
from policy.network.unprojection import Unprojection

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


def in_picture(rng: torch.Generator, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (B, N, 5) of pictures of such a scene, seen by a camera, and where (B, 3, 3).

    Each thing is 3 x 3 of 48 x 64 pixels, which is three in a thousand.
    """
    pictures = torch.rand(rows, 3, 1, 1, generator=rng) * 0.2 + torch.linspace(0.3, 0.5, 64)
    pictures = pictures.expand(-1, -1, 48, -1).clone()
    row = torch.randint(1, 47, (rows, 3), generator=rng)
    column = torch.randint(1, 63, (rows, 3), generator=rng)
    for scene_number in range(rows):
        for thing in range(3):
            y, x = int(row[scene_number, thing]), int(column[scene_number, thing])
            pictures[scene_number, :, y - 1:y + 2, x - 1:x + 2] = COLOURS[thing][:, None, None]
    x, y = 2 * column / 63 - 1, 2 * row / 47 - 1
    away = 3 + y                                        # what is further up is further away
    return picture_points(pictures, 256), torch.stack([3 * x / away, -y, 0.3 + 0 * x], -1)


@pytest.mark.parametrize("seen", [scene, in_picture])
def test_it_learns_to_look_at_the_colour_that_is_asked_for(seen):
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    flat = seen is in_picture
    codes, eye = torch.nn.Embedding(3, CODE), PointEye(CODE, 2 if flat else 3)
    head = TargetHead(eye.width, STATE, CODE, HEAT_MAPS, flat=flat)
    parts = torch.nn.ModuleList([codes, eye, head])
    optimiser = torch.optim.Adam(parts.parameters(), 5e-3)

    def wrong(rows: int) -> torch.Tensor:
        points, heaps = seen(rng, rows)
        asked = torch.randint(0, 3, (rows,), generator=rng)
        place, code = heaps[torch.arange(rows), asked], codes(asked)
        found = eye(points, code)
        gaze, _ = head(found, found, torch.zeros(rows, STATE), code, Event(place, torch.ones(rows)))
        return (gaze - place).norm(dim=1)

    for _ in range(150):
        loss = wrong(32).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    parts.eval()
    with torch.no_grad():
        assert float(wrong(200).median()) < 0.1         # heaps are about 1 apart


def test_a_small_thing_of_its_own_colour_has_as_many_votes_as_the_table():
    pictures = torch.full((2, 3, 20, 30), 0.5)
    pictures[1, :, 4:6, 10:12] = COLOURS[0][:, None, None]
    points = picture_points(pictures, 100)
    red = points[1, points[1, :, 2] > 0.9]
    assert len(red) == 50
    assert {round(float(x), 3) for x in red[:, 0]} == {round(2 * c / 29 - 1, 3) for c in (10, 11)}
    assert {round(float(y), 3) for y in red[:, 1]} == {round(2 * r / 19 - 1, 3) for r in (4, 5)}
    assert points[0, :, :2].amin() == -1 and points[0, :, :2].amax() > 0.9
    torch.testing.assert_close(picture_points(pictures[1:], 100)[0], points[1])


def test_a_map_out_of_the_picture_is_what_fits_best_and_is_kept():
    torch.manual_seed(0)
    unproject = Unprojection(2)

    def truth(place: torch.Tensor) -> torch.Tensor:
        x, y = place.T
        return torch.stack([2 + x - 0.3 * x * y, 0.5 * y ** 2], 1)

    known, place = torch.cat([torch.ones(50), torch.zeros(50)]), torch.zeros(100, 2)
    for _ in range(30):
        place = 2 * torch.rand(100, 2) - 1
        unproject(place, truth(place) + 100 * (1 - known[:, None]), known)
    unproject(place, torch.zeros(100, 2), torch.zeros(100))             # nothing is known
    unproject.eval()
    unproject(place, torch.zeros(100, 2), torch.ones(100))              # not in training
    again = Unprojection(2).eval()
    again.load_state_dict(unproject.state_dict())
    torch.testing.assert_close(again(place), truth(place), atol=0.01, rtol=0)


@pytest.mark.parametrize("flat", [False, True])
def test_the_gaze_does_not_know_where_the_hand_is(flat):
    torch.manual_seed(0)
    width = HEAT_MAPS * (2 if flat else HAND)
    head = TargetHead(width, STATE, CODE, HEAT_MAPS, flat=flat)
    eye, code, state = torch.randn(4, width), torch.randn(4, CODE), torch.randn(4, STATE)
    head(eye, eye, state, code, Event(torch.randn(4, HAND), torch.ones(4)))
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
    eye = PointEye(CODE, 2)
    head = TargetHead(eye.width, 4, CODE, HEAT_MAPS, flat=True)
    seen = eye(picture_points(torch.rand(2, 3, 32, 32)), torch.randn(2, CODE))
    gaze, target = head(seen, seen, torch.randn(2, 4), torch.randn(2, CODE))
    assert gaze.shape == target.shape == (2, HAND) and torch.isfinite(target).all()


def test_points_far_away_or_none_at_all_do_no_harm():
    eye = PointEye(CODE)
    cloud = torch.from_numpy(np.array([np.zeros((5, 6)), np.full((5, 6), 1e6)], np.float32))
    assert torch.isfinite(eye(cloud, torch.randn(2, CODE))).all()
