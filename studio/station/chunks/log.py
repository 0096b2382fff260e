"""The side table of a recording: every chunk that reached the station, and what became of it.

One row of the stream `chunk` for each, whether it was played, watched beside a person, or refused,
and one row of `chunk_target` for each of its targets, so that chunks of any length lie in one
array. Rows come when something happens, and bear the stamp of the tick in which it was decided;
ticks name a chunk by its number. Texts (sub-tasks, reasons) are numbered, and told once as events.
Knows chunks; knows no store and never waits.

Letters: H = steps of a chunk, A = numbers of a target.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from policy.interfaces import Chunk
from policy.monitoring.novelty import SIGNATURE
from recorders.streams import Batch, Column, StreamSpec

CHUNK, TARGET, TEXT = "chunk", "chunk_target", "text"
SPACES = ("tool", "joints")
FATES = ("taken", "refused", "passed over")     # the last: a newer one came in the same tick
TAKEN, REFUSED, PASSED_OVER = range(3)
MOST = 1000                 # chunks between two ticks: far more than there can be


class Costs(msgspec.Struct, frozen=True):
    """What a chunk cost, in ms; NaN where nobody says.

    Attributes:
        act_ms: the call of System 1.
        think_ms: the run of System 2 that made the latent used.
        answer_ms: from the tick that brought the picture to the answer.
    """

    act_ms: float = math.nan
    think_ms: float = math.nan
    answer_ms: float = math.nan


def chunk_streams(joints: int) -> tuple[StreamSpec, StreamSpec]:
    """What is recorded of chunks on a robot with so many joints, gripper included."""
    width = width_for(joints)

    def stamp(name: str) -> Column:
        return Column(name=name, dtype="<i8", unit="ns")

    def number(name: str) -> Column:
        return Column(name=name, dtype="<i4")

    def cost(name: str) -> Column:
        return Column(name=name, dtype="<f4", unit="ms")

    return StreamSpec(name=CHUNK, rate_hz=0.0, columns=(
        number("chunk_id"),
        Column(name="fate", dtype="u1", values=FATES),
        number("why"),                          # number of the text that says why; 0: taken
        number("epoch"), number("instruction_id"), number("weights_version"),
        number("subtask"),                      # number of its text; 0: none
        number("latent_id"), stamp("latent_ns"), stamp("observation_ns"),
        stamp("first_ns"), stamp("step_ns"),    # target k holds at first_ns + k * step_ns
        number("steps"),                        # H
        number("held_steps"),                   # of which something was decided before
        Column(name="space", dtype="u1", values=SPACES),
        cost("act_ms"), cost("think_ms"), cost("answer_ms"),
        Column(name="entropy", dtype="<f4", unit="nat"),
        Column(name="signature", dtype="<f4", shape=(SIGNATURE,)),
    )), StreamSpec(name=TARGET, rate_hz=0.0, columns=(
        number("chunk_id"), number("step"),
        Column(name="target", dtype="<f8", shape=(width,)),     # NaN beyond A
    ))


def width_for(joints: int) -> int:
    """Numbers of a target in the record: those of either action space."""
    return max(len("xyz") + len("wxyz") + 1, joints)


class ChunkLog:
    """See the head of this file.

    Args:
        joints: D, with the gripper.
    """

    def __init__(self, joints: int) -> None:
        self.streams, self._width = chunk_streams(joints), width_for(joints)
        self._of_chunk, self._of_target = (spec.row_dtype for spec in self.streams)
        self._decided: list[tuple[Chunk, int, str]] = []
        self._costs: dict[int, Costs] = {}
        self._texts: dict[str, int] = {}
        self._chunks = self._targets = 0

    def begin(self) -> None:
        """Another episode: its texts are numbered from 1, and told anew."""
        self._texts.clear()

    def cost(self, chunk_id: int, costs: Costs) -> None:
        """What a chunk cost, said before it is decided about."""
        self._costs[chunk_id] = costs

    def decided(self, chunk: Chunk, fate: int, why: str = "") -> None:
        """Note what became of a chunk."""
        if len(self._decided) < MOST:
            self._decided.append((chunk, fate, why))

    def take(self, now_ns: int, wall_ns: int, tell: Callable[..., Any]) -> tuple[Batch, ...]:
        """What was decided since the last call, as rows.

        Args:
            now_ns, wall_ns: of the tick.
            tell: writes an event; is told every new text.
        """
        if not self._decided:
            return ()
        decided, self._decided = self._decided, []
        costs, self._costs = self._costs, {}
        rows = np.zeros(len(decided), self._of_chunk)
        targets = []
        for row, (chunk, fate, why) in zip(rows, decided, strict=True):
            found = self._targets_of(chunk)
            self._fill(row, chunk, len(found), costs.get(chunk.chunk_id, Costs()))
            row["fate"], row["why"] = fate, self._number(why, tell)
            row["subtask"] = self._number(chunk.subtask, tell)
            targets.append(found)
        batches = [Batch(CHUNK, self._numbered(rows, self._chunks, now_ns, wall_ns))]
        self._chunks += len(rows)
        if len(of_targets := np.concatenate(targets)):
            batches.append(Batch(TARGET, self._numbered(of_targets, self._targets, now_ns,
                                                        wall_ns)))
            self._targets += len(of_targets)
        return tuple(batches)

    def forget(self) -> None:
        """Nobody records: what was decided is not kept."""
        self._decided.clear()
        self._costs.clear()

    # ---- inside ----------------------------------------------------------------------------------

    def _targets_of(self, chunk: Chunk) -> np.ndarray:
        """(H,) rows; none if it is no chunk of such a robot."""
        given = np.asarray(chunk.targets)
        if given.ndim != 2 or given.shape[1] > self._width:
            return np.zeros(0, self._of_target)
        rows = np.zeros(len(given), self._of_target)
        rows["chunk_id"], rows["step"] = chunk.chunk_id, np.arange(len(given))
        rows["target"] = np.nan
        rows["target"][:, :given.shape[1]] = given
        return rows

    @staticmethod
    def _fill(row: np.void, chunk: Chunk, steps: int, costs: Costs) -> None:
        for name in ("chunk_id", "epoch", "instruction_id", "weights_version", "latent_id",
                     "latent_ns", "observation_ns", "first_ns", "step_ns", "held_steps", "entropy"):
            row[name] = getattr(chunk, name)
        row["steps"], row["space"] = steps, SPACES.index(chunk.space)
        for name in Costs.__struct_fields__:
            row[name] = getattr(costs, name)
        row["signature"] = chunk.signature if len(chunk.signature) == SIGNATURE else np.nan

    @staticmethod
    def _numbered(rows: np.ndarray, first: int, now_ns: int, wall_ns: int) -> np.ndarray:
        rows["t_mono_ns"], rows["t_wall_ns"] = now_ns, wall_ns
        rows["seq"] = first + np.arange(len(rows))
        return rows

    def _number(self, text: str, tell: Callable[..., Any]) -> int:
        if not text:
            return 0
        if text not in self._texts:
            self._texts[text] = len(self._texts) + 1
            tell(TEXT, number=self._texts[text], text=text)
        return self._texts[text]
