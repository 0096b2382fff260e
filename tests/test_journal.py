"""A journal gives back what was appended, up to the first record that is not whole."""

from pathlib import Path
from typing import NamedTuple

import pytest
from doubles.synthetic_episodes import ARM, FRONT, STREAMS, TICK, header, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.journal import (
    EndRecord,
    JournalHeader,
    JournalReader,
    JournalWriter,
    Placement,
    Record,
    RowsRecord,
)
from recorders.store_errors import DamagedJournal

HEADER = JournalHeader(header(streams=STREAMS), "0123456789abcdef")
TICK_NUMBER, ARM_NUMBER, FRONT_NUMBER = (STREAMS.index(spec) for spec in (TICK, ARM, FRONT))


class Whole(NamedTuple):
    """An undamaged journal: its file, its records, and how long it was after each of them."""

    path: Path
    records: list[str]
    header_ends: int
    ends: list[int]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Ten rows of `tick`, twenty of `arm`, three pictures, an event and the end mark."""
    path = tmp_path_factory.mktemp("journal") / "whole.journal"
    writer = JournalWriter(path, HEADER)
    header_ends, ends = path.stat().st_size, []
    for i in range(10):
        writer.rows(TICK_NUMBER, i, 1, rows(TICK, i, 1).tobytes())
        ends.append(path.stat().st_size)
        writer.rows(ARM_NUMBER, 2 * i, 2, rows(ARM, 2 * i, 2).tobytes())
        ends.append(path.stat().st_size)
        if i % 4 == 0:
            writer.rows(FRONT_NUMBER, i // 4, 1, rows(FRONT, i // 4, 1).tobytes(),
                        [(Placement(4100 + i, 17, 0xDEADBEEF),)])
            ends.append(path.stat().st_size)
    writer.event({"t_mono_ns": 5, "kind": "nudge", "by": "nobody"})
    ends.append(path.stat().st_size)
    writer.end(EndRecord(99, "success"))
    ends.append(path.stat().st_size)
    writer.sync()
    writer.close()
    return Whole(path, read(path)[0], header_ends, ends)


def read(path: Path) -> tuple[list[str], str]:
    """All records as text, so that they compare, and the damage."""
    reader = JournalReader(path)
    records = [as_text(record) for record in reader]
    reader.close()
    return records, reader.damage


def as_text(record: Record) -> str:
    """A record in a form that compares."""
    if isinstance(record, RowsRecord):
        return repr((record.stream, record.first_row, record.rows.tobytes(), record.placements))
    return repr(record)


def test_a_journal_gives_back_what_was_appended(whole: Whole) -> None:
    reader = JournalReader(whole.path)
    assert reader.header == HEADER
    records = list(reader)
    ticks = [one for one in records if isinstance(one, RowsRecord) and one.stream == TICK_NUMBER]
    assert b"".join(one.rows.tobytes() for one in ticks) == rows(TICK, 0, 10).tobytes()
    pictured = [one for one in records if isinstance(one, RowsRecord) and one.placements]
    assert [one.placements[0][0].offset for one in pictured] == [4100, 4104, 4108]
    assert records[-2:] == [{"t_mono_ns": 5, "kind": "nudge", "by": "nobody"},
                            EndRecord(99, "success")]
    assert len(records) == len(whole.ends)
    assert reader.damage == ""
    reader.close()


@settings(max_examples=200, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_journal_truncated_at_any_byte_gives_back_all_whole_records(
    whole: Whole, share: float
) -> None:
    content = whole.path.read_bytes()
    cut = whole.path.with_name("cut.journal")
    length = int(share * len(content))
    cut.write_bytes(content[:length])
    if length < whole.header_ends // 2:         # not even the first copy of the header
        with pytest.raises(DamagedJournal):
            JournalReader(cut)
        return
    found, damage = read(cut)
    assert found == whole.records[:sum(end <= length for end in whole.ends)]
    assert bool(damage) == (length > whole.header_ends and length not in whole.ends)


@settings(max_examples=200, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_ends_the_journal_there_and_never_costs_the_header(
    whole: Whole, share: float, bit: int
) -> None:
    damaged = bytearray(whole.path.read_bytes())
    at = int(share * len(damaged))
    damaged[at] ^= 1 << bit
    flipped = whole.path.with_name("flipped.journal")
    flipped.write_bytes(damaged)
    reader = JournalReader(flipped)
    found = [as_text(record) for record in reader]
    reader.close()
    assert reader.header == HEADER
    if at < whole.header_ends:
        assert found == whole.records
        return
    sound = sum(end <= at for end in whole.ends)
    assert found == whole.records[:sound]
    assert f"of {len(damaged)}" in reader.damage
    assert reader.records_lost >= len(whole.records) - sound - 1


def test_a_journal_without_a_header_is_refused_by_name(tmp_path: Path) -> None:
    for content in (b"", b"TJR1", b"something else entirely" * 100):
        path = tmp_path / "odd.journal"
        path.write_bytes(content)
        with pytest.raises(DamagedJournal, match=r"odd\.journal has no readable header"):
            JournalReader(path)
