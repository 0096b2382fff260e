"""Columns that the streams of every simulated robot have beside a real one's.

Knows names, units and shapes; knows no world.
"""

from recorders.streams import Column

# Of the scene: the phase of the task, whether it has been done, and how much of it, 0..1.
VERDICT = (Column(name="phase", dtype="u1"), Column(name="success", dtype="u1"),
           Column(name="progress", dtype="<f8"))
