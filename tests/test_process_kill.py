"""Any process of the running station may be killed: the arm is held and the data are readable.

The real station with the simulated arm, one trial for each process; `make torture` runs hundreds.
"""

from pathlib import Path

import pytest
from torture.process_kill import LONG_EPISODE_S, TAIL_S, VICTIMS, trial

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_leaves_the_arm_held_and_the_data_readable(
        victim: str, tmp_path: Path) -> None:
    finding = trial(tmp_path, victim, life_s=0.3, episode_s=LONG_EPISODE_S)
    assert finding.problems == ()
    assert finding.lost == 0
    if victim == "robot":       # the station closed the episode itself; the arm died
        assert finding.held is None
        return
    assert finding.held is True
    # A station that is told to end closes its episode; a killed one's is recovered.
    assert finding.recovered == (victim != "supervisor")
    assert finding.tail_s is None or finding.tail_s < TAIL_S
