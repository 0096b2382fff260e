"""A device's own stamps on this machine's monotonic clock, learned while samples arrive.

A sample arrives later than it was taken by a delay that is never negative and often as short as it
can be. So the machine's clock against the device's is the straight line *under* all arrivals: of
the lines that no arrival lies below, the one that is nearest to all of them (an edge of their lower
hull; C. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew", INFOCOM 1999). A
loaded machine, whose arrivals are late, does not move it. What stays unknown is the shortest delay
itself: it is a device's latency, and measured (`recorders.latency`).
Knows stamps; knows no device.
"""

from collections import deque

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.streams import TAKEN, Column

WINDOW_S = 60               # drift changes with temperature; of each second one arrival is kept
DRIFT_AFTER_S = 5           # before that a slope is mostly noise: clocks are taken to run alike
MOST_DRIFT_PPM = 500.0      # ten times a poor quartz: more is no drift
JUMP_NS = NS_PER_S          # an arrival so far off the line: one of the clocks was set anew
_PARTS = 4                  # of the window, left out in turn: the drift's uncertainty
PPM = 1e6

# What a stream of a device with a clock records in every row, beside both stamps themselves.
CLOCK_COLUMNS = (
    Column(name=TAKEN, dtype="<i8", unit="ns"),
    Column(name="clock_drift_ppm", dtype="<f4", unit="ppm"),
    Column(name="clock_drift_error_ppm", dtype="<f4", unit="ppm"),
)


class ClockFit(msgspec.Struct, frozen=True):
    """How the machine's clock goes against a device's, as far as it is known.

    Attributes:
        drift_ppm: how much faster the machine's clock runs; 0 until `DRIFT_AFTER_S`.
        error_ppm: its standard error; NaN while it is unknown.
        span_s: time that the fit looks back on.
    """

    drift_ppm: float = 0.0
    error_ppm: float = float("nan")
    span_s: float = 0.0


class ClockMap:
    """Maps one device's clock; for one thread.

    Attributes:
        fit: the newest.
        resets: how often one of the clocks was found set anew.
    """

    def __init__(self) -> None:
        self.fit, self.resets = ClockFit(), 0
        self._newest_ns = 0         # the last moment given: moments ascend
        self._begin()

    def taken_ns(self, device_ns: int, host_ns: int) -> int:
        """When a sample was taken, by the machine's clock.

        Args:
            device_ns: the device's stamp of it.
            host_ns: the machine's, on arrival.

        Returns:
            Not after `host_ns` and after every earlier answer, if arrivals ascend.
        """
        if self._points and self._jumped(device_ns, host_ns):
            self.resets += 1
            self._begin()
        if not self._points:
            self._device_0_ns, self._apart_0_ns = device_ns, host_ns - device_ns
        second, time_s = self._since(device_ns)
        apart_ns = float(host_ns - device_ns - self._apart_0_ns)
        self._keep(second, time_s, apart_ns)
        mapped = device_ns + self._apart_0_ns + round(self._line_at(time_s))
        self._newest_ns = min(host_ns, max(mapped, self._newest_ns + 1))
        return self._newest_ns

    # ---- inside ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.fit = ClockFit()
        self._points: deque[tuple[int, float, float]] = deque()    # second, its time, apart in ns
        self._device_0_ns = self._apart_0_ns = 0
        self._slope, self._offset_ns = 0.0, 0.0         # ns a second, ns

    def _since(self, device_ns: int) -> tuple[int, float]:
        since_ns = device_ns - self._device_0_ns
        return since_ns // NS_PER_S, since_ns / NS_PER_S

    def _jumped(self, device_ns: int, host_ns: int) -> bool:
        second, time_s = self._since(device_ns)
        apart_ns = host_ns - device_ns - self._apart_0_ns
        return second < self._points[-1][0] or abs(apart_ns - self._line_at(time_s)) > JUMP_NS

    def _line_at(self, time_s: float) -> float:
        return self._offset_ns + self._slope * time_s

    def _keep(self, second: int, time_s: float, apart_ns: float) -> None:
        """Of each second the arrival that lies lowest; a new one below the line moves the line."""
        above_ns = apart_ns - self._line_at(time_s)
        if self._points and self._points[-1][0] == second:
            _, kept_s, kept_ns = self._points[-1]
            if above_ns >= kept_ns - self._line_at(kept_s):
                return
            self._points[-1] = (second, time_s, apart_ns)
            if above_ns >= 0:
                return
        else:
            self._points.append((second, time_s, apart_ns))
            while self._points[0][0] < second - WINDOW_S:
                self._points.popleft()
        self._fit()

    def _fit(self) -> None:
        points = np.array([point[1:] for point in self._points])           # (P, 2)
        span_s = float(points[-1, 0] - points[0, 0])
        if span_s < DRIFT_AFTER_S:
            self._slope, self._offset_ns = 0.0, float(points[:, 1].min())
            self.fit = ClockFit(span_s=span_s)
            return
        self._slope = _slope_under(points)
        self._offset_ns = float((points[:, 1] - self._slope * points[:, 0]).min())
        self.fit = ClockFit(self._slope / NS_PER_S * PPM, _error(points) / NS_PER_S * PPM, span_s)


def _slope_under(points: np.ndarray) -> float:
    """The slope of the lower hull's edge above which the mean time of (P, 2) points lies."""
    hull: list[np.ndarray] = []
    for point in points:
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    times_s = np.array([corner[0] for corner in hull])
    edge = int(np.clip(np.searchsorted(times_s, points[:, 0].mean()), 1, len(hull) - 1))
    rise, run_s = hull[edge][1] - hull[edge - 1][1], hull[edge][0] - hull[edge - 1][0]
    most = MOST_DRIFT_PPM / PPM * NS_PER_S
    return float(np.clip(rise / run_s, -most, most)) if run_s > 0 else 0.0


def _turns_down(first: np.ndarray, middle: np.ndarray, last: np.ndarray) -> bool:
    """Whether the middle one lies on or above the line between the others."""
    return bool((middle[1] - first[1]) * (last[0] - first[0])
                >= (last[1] - first[1]) * (middle[0] - first[0]))


def _error(points: np.ndarray) -> float:
    """The slope's standard error in ns a second, by the jackknife over parts of the window."""
    if len(points) < 2 * _PARTS:
        return float("nan")
    part = np.arange(len(points)) * _PARTS // len(points)
    slopes = np.array([_slope_under(points[part != left_out]) for left_out in range(_PARTS)])
    return float(np.sqrt((_PARTS - 1) / _PARTS * ((slopes - slopes.mean()) ** 2).sum()))
