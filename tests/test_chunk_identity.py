"""Every chunk has a number, and every tick says which chunk acted and which of its targets."""

import msgspec
import numpy as np
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from studio.station.chunks.player import ChunkPlayer
from studio.station.messages import Owner
from studio.station.serving.policy_link import Answer, Timings, decode_answer, encode_answer


def driven(ticks: int, **options) -> tuple[RolloutDesk, list[np.void]]:
    desk = RolloutDesk(RulePolicy(), **options)
    desk.begin()
    return desk, desk.ticks(ticks)


def player_of(desk: RolloutDesk) -> ChunkPlayer:
    assert desk.driver is not None
    return desk.driver.player


def test_every_tick_of_the_policy_names_its_chunk_and_the_target_that_it_leads_to():
    _, rows = driven(60, delays=Delays(act_s=0.05))
    acted = [row for row in rows if Owner.POLICY in row["owner"]]
    assert len(acted) > 40
    chunks = [int(row["chunk_id"]) for row in acted]
    assert chunks == sorted(chunks) and chunks[0] >= 1 and len(set(chunks)) >= 3
    assert all(0 <= row["chunk_step"] < 16 for row in acted)
    before = [row for row in rows if row not in acted]
    assert all(row["chunk_id"] == 0 for row in before)


def test_a_chunk_that_ran_dry_is_said_to_be_over():
    desk, _ = driven(40)
    assert desk.driver is not None
    desk.station.loop.subscribers.remove(desk.driver)           # nothing new comes any more
    assert desk.ticks(80)[-1]["chunk_step"] == 16


def test_the_snapshot_shows_the_chunk_that_the_ticks_name():
    desk, rows = driven(40)
    seen = player_of(desk).shown()
    assert seen is not None
    assert (seen.chunk_id, seen.step) == (rows[-1]["chunk_id"], rows[-1]["chunk_step"])
    assert len(seen.targets) == 16 and seen.space == "tool" and "bin" in seen.subtask


def test_a_chunk_keeps_its_number_on_the_wire():
    desk, _ = driven(20)
    running = player_of(desk).chunk
    assert running is not None
    answer = Answer(msgspec.structs.replace(running, chunk_id=77), Timings(1.0, 2.0, 3.0))
    said = decode_answer([bytes(frame) for frame in encode_answer(answer)])
    assert said.chunk.chunk_id == 77
