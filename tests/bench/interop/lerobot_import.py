"""In from LeRobot, and out again: nothing may have changed but the pictures' encoding."""

from pathlib import Path

import lerobot_export
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from row import Row, episodes_of, frames_of, recorded, timed

from recorders.exchange.lerobot_import import import_lerobot
from recorders.lerobot_v3 import export_lerobot
from recorders.store import DemoStore


def run(work: Path) -> list[Row]:
    """Import our own export; compare with the store that it came from, and export again."""
    there, back, again = lerobot_export.exported(work), work / "back", work / "again"
    with timed() as timer:
        done = import_lerobot(there, back)
    worst = 99.0
    for (one, before), (other, after) in zip(frames_of(recorded(work)), frames_of(back),
                                             strict=True):
        for name, rows in before.picture_rows.items():
            for k in (0, len(rows) // 2, len(rows) - 1):
                apart = other[name]["rgb"][int(after.picture_rows[name][k])].astype(float) \
                    - one[name]["rgb"][int(rows[k])]
                worst = min(worst, 10 * np.log10(255**2 / np.mean(apart**2)))
    with DemoStore.open(back) as opened:
        export_lerobot(opened, episodes_of(back), again)
    same = _rows(there).equals(_rows(again))
    return [Row(path="store → LeRobot v3.0 → store → LeRobot v3.0", rows=done.frames,
                frames=done.frames * 2, seconds=timer.seconds, ok=bool(same and worst > 30),
                check=f"tables equal bit for bit, pictures at least {worst:.1f} dB",
                figures={"worst_db": float(worst)})]


def _rows(dataset: Path) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(path).read()
                             for path in sorted(dataset.glob("data/*/*.parquet"))])
