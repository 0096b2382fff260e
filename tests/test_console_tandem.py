"""A rollout from the window: a policy is chosen, drives, shares the arm, is told, is judged."""

from pathlib import Path

import numpy as np
import pytest
from doubles.desktop import missing, open_desktop, running_desk, virtual_screen
from doubles.low_limits import limited
from doubles.random_checkpoint import write_random_run

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.messages import Mode

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(bool(missing()), reason=missing())]
SIZE = (1280, 720)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a short name, because sockets lie in it."""
    return tmp_path_factory.mktemp("seat")


def test_a_policy_is_chosen_drives_shares_the_arm_and_is_judged_from_the_window(folder: Path):
    run, store = write_random_run(folder / "run"), folder / "store"
    limited(tracking=1e-6).save(run)                 # an arm that moves at all lags more
    with (virtual_screen(folder, SIZE) as screen, running_desk(folder, store) as links,
          open_desktop(folder, links, screen, SIZE) as desktop):
        desktop.click("tandem tab")
        desktop.click("policy open")
        desktop.click("policy path")
        screen.hands("type", str(run))
        screen.hands("key", "Return")
        desktop.hear("answer", command="UsePolicy", accepted=True)
        desktop.until(lambda: (policy := desktop.snapshot().policy) is not None and policy.alive,
                      "the policy")

        desktop.press("arm")
        desktop.hear("answer", command="Arm", accepted=True)
        screen.hands("mouseup", "1")
        desktop.hear("pressed", down=False)
        desktop.click("share 1")                # of y: yours, then both
        desktop.hear("answer", command="SetSharing", accepted=True)
        desktop.until(lambda: desktop.snapshot().sharing[1] == 0.5, "the shares")

        desktop.tap("t")
        desktop.hear("answer", command="StartPolicy", accepted=True)
        desktop.hear("banner", word="Policy drives")
        desktop.hear("cue", cue="alert")
        desktop.click("alert fine")
        desktop.hear("answer", command="AnswerAlert", accepted=True)
        screen.hands("keydown", "a")
        desktop.hear("banner", word="Shared")
        screen.hands("keyup", "a")
        desktop.hear("banner", word="Policy drives")

        desktop.click("tandem words")
        screen.hands("type", "put the blue cube in the bin")
        screen.hands("key", "Return")
        desktop.hear("answer", command="SetInstruction", accepted=True)
        desktop.until(lambda: "blue" in desktop.snapshot().instruction, "other words")

        desktop.hover("cameras")
        desktop.tap("2")
        desktop.hear("notice", text="Saved as failure")
        desktop.until(lambda: desktop.snapshot().mode is Mode.HOLD, "the arm holds")

    with DemoStore.open(store) as kept:
        (episode,) = kept.episodes()
        assert episode.label == "failure"
        events = EpisodeReader(kept.episode_path(episode.episode)).events
        answers = [event for event in events if event["kind"] == "alert answered"]
        assert (answers[0]["answer"], answers[0]["by"]) == ("false alarm", "desktop")
        assert [event["by"] for event in events if event["kind"] == "instruction"] == ["desktop"]
        shares = [event for event in events if event.get("after") == "SHARED"]
        assert shares and all(event["by"] == "desktop" for event in shares)     # its keys
        rows = EpisodeReader(kept.episode_path(episode.episode))["tick"]
        shared = np.asarray(rows["mode"]) == Mode.SHARED
        assert shared.any()
        assert np.allclose(np.asarray(rows["human_share"])[shared][:, :3], (1.0, 0.5, 1.0))
        assert set(np.asarray(rows["intervention"]).tolist()) == {0, 1}
