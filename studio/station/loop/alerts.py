"""Asks for help before a rollout fails: watches its signals, and says when one is too large.

Alerts never stop the arm: what is unlike the successes need not fail. An alert stands until all
signals have been back for a while, somebody answers it, or somebody else drives; that and how is
said as news, for the record. Knows ticks' numbers and a calibration (policy/monitoring); knows no
store and no screen.
"""

from typing import Any, Literal

import numpy as np

from policy.interfaces import Chunk
from policy.monitoring.calibration import Calibration
from policy.monitoring.signals import SIGNALS, WORDS, chunk_disagreement
from recorders.clock import NS_PER_S
from studio.station.messages import Alert, Mode

Answer = Literal["took over", "false alarm", "new words", "held", "went away", "ended"]
CALM_NS = NS_PER_S          # all signals are back for so long: it went away
UNHELPED = (Mode.AUTO, Mode.HANDBACK)
_PLACE = {name: place for place, name in enumerate(SIGNALS)}
_ENDS: dict[Mode, Answer] = {Mode.HUMAN: "took over", Mode.SHARED: "took over"}


class AlertMonitor:
    """Watches one station's rollouts.

    Attributes:
        calibration: what is too much; None: signals are told, and nothing is too much.
        signals: (S,) f4 as of the last tick; NaN for what is not known.
        limits: (S,) what is too much now; infinite for what never is; NaN while nobody judges.
        alert: the one that stands, or None.
    """

    def __init__(self) -> None:
        self.calibration: Calibration | None = None
        self._news: list[tuple[str, dict[str, Any]]] = []
        self._alerts = 0
        self._forget()

    def close(self) -> None:
        """The episode ends: what was not answered stays without an answer."""
        self._end("ended")

    def begin(self) -> None:
        """Another scene: nothing of before counts, and what was called a false alarm may be one
        no more."""
        self._end("ended")
        self._forget()

    def watch(self, now_ns: int, mode: Mode, chunk: Chunk | None, arm: np.void | None,
              sent: np.ndarray, wrench: np.ndarray | None, words: int) -> None:
        """Look at a tick.

        Args:
            now_ns: its monotonic stamp.
            mode: of the station.
            chunk: that is being played, or None.
            arm: newest row of the arm's stream.
            sent: (D,) what the arm was told last.
            wrench: (6,) what the wrist feels, if it feels anything.
            words: number of the instruction that holds.
        """
        since_ns, self._last_ns = now_ns - (self._last_ns or now_ns), now_ns
        if mode not in UNHELPED:
            self.signals[:] = self.limits[:] = np.nan
            self._chunk = None
            if mode is not Mode.IDLE:
                self._end(_ENDS.get(mode, "held"))
            return
        self._elapsed_ns += since_ns
        self._look(chunk, arm, sent, wrench)
        if words != self._words:
            self._end("new words")
        self._words = words
        self._judge(now_ns)

    def answer(self, number: int, answer: Answer) -> str:
        """What the operator says to an alert; returns why it does not count, or nothing."""
        if self.alert is None or self.alert.number != number:
            return f"alert {number} does not stand any more"
        if answer == "false alarm":
            self._muted.add(self.alert.signal)
        self._end(answer)
        return ""

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and fields of what happened since the last call, for the record."""
        news, self._news = self._news, []
        return news

    # ---- inside ----------------------------------------------------------------------------------

    def _forget(self) -> None:
        self.signals = np.full(len(SIGNALS), np.nan, np.float32)
        self.limits = np.full(len(SIGNALS), np.nan)
        self.alert: Alert | None = None
        self._chunk: Chunk | None = None
        self._elapsed_ns = self._last_ns = self._high_ns = 0
        self._words = 0
        self._muted: set[str] = set()

    def _look(self, chunk: Chunk | None, arm: np.void | None, sent: np.ndarray,
              wrench: np.ndarray | None) -> None:
        signals = self.signals
        signals[_PLACE["elapsed"]] = self._elapsed_ns / NS_PER_S
        if arm is not None:
            error = np.abs(arm["position"] - sent)
            signals[_PLACE["tracking"]] = error[:-1].max()
            signals[_PLACE["gripper"]] = error[-1]
        if wrench is not None:
            signals[_PLACE["force"]] = np.linalg.norm(wrench[:3])
        if chunk is None or chunk is self._chunk:
            return
        signals[_PLACE["disagreement"]] = (
            np.nan if self._chunk is None else chunk_disagreement(self._chunk, chunk))
        signals[_PLACE["entropy"]] = chunk.entropy
        familiar = self.calibration.familiar if self.calibration else None
        signals[_PLACE["novelty"]] = (
            familiar.distance(np.array(chunk.signature))
            if familiar is not None and chunk.signature else np.nan)
        self._chunk = chunk

    def _judge(self, now_ns: int) -> None:
        if self.calibration is None:
            return
        band, elapsed_s = self.calibration.band, self._elapsed_ns / NS_PER_S
        self.limits = limits = band.thresholds(elapsed_s)
        limits[_PLACE["elapsed"]] = band.longest_s
        over = np.full(len(SIGNALS), -1.0)          # by what share of its limit
        known = np.isfinite(limits) & np.isfinite(self.signals)
        over[known] = (self.signals - limits)[known] / np.maximum(np.abs(limits[known]), 1e-9)
        for name in self._muted:
            over[_PLACE[name]], limits[_PLACE[name]] = -1.0, np.inf
        worst = int(np.argmax(over))
        if over[worst] <= 0:
            if self.alert is not None and now_ns - self._high_ns >= CALM_NS:
                self._end("went away")
            return
        self._high_ns = now_ns
        if self.alert is None:
            self._alerts += 1
            self.alert = Alert(
                number=self._alerts, signal=SIGNALS[worst], words=WORDS[SIGNALS[worst]],
                value=float(self.signals[worst]), limit=float(limits[worst]), began_ns=now_ns)
            self._news.append(("alert", {
                "alert": self._alerts, "signal": SIGNALS[worst], "value": self.alert.value,
                "limit": self.alert.limit, "elapsed_s": elapsed_s,
                "calibrated_for": self.calibration.weights_version}))

    def _end(self, answer: Answer) -> None:
        if self.alert is not None:
            self._news.append(("alert answered", {"alert": self.alert.number, "answer": answer}))
            self.alert = None
