"""Export and import on the page: the commands that a person could type."""

from pathlib import Path

import pytest
from doubles import toy_demonstrations as toy

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio.web.jobs import Jobs
from studio.web.tabs import bring_in, export

PATIENCE_S = 120.0


@pytest.mark.parametrize(("form", "said"), [
    (export.LEROBOT, ["--lerobot", "/t", "--fps", "20", "--size", "96x128", "--sharp", "--depth"]),
    (export.DIFFUSION_POLICY, ["--diffusion-policy", "/t", "--fps", "20", "--size", "96x128"]),
    (export.UMI, ["--umi", "/t", "--fps", "20", "--size", "96x128"])])
def test_an_export_is_a_command_that_a_person_could_type_and_asks_only_what_fits(form, said):
    words = export.export_words("/s", ["a"], "/t", 20, " 96x128 ", form, sharp=True, depth=True)
    assert words == ["data", "export", "/s", "a", *said]


@pytest.mark.parametrize(("form", "said"), [
    (bring_in.LEROBOT, ["--lerobot", "/d", "--to", "/s", "--lossless"]),
    (bring_in.DAMAGED, ["--damaged", "--lerobot", "/d", "--to", "/s", "--lossless"]),
    (bring_in.BUFFER, ["--umi", "/d", "--to", "/s", "--instruction", "pour", "--fps", "10",
                       "--lossless"]),
    (bring_in.HDF5, ["--hdf5", "/d", "--to", "/s", "--instruction", "pour", "--fps", "10",
                     "--lossless"])])
def test_an_import_is_a_command_that_a_person_could_type_and_asks_only_what_fits(form, said):
    words = bring_in.import_words(form, "/d", "/s", " pour ", 10, lossless=True)
    assert words == ["data", "import", *said]


def test_names_are_suggested_beside_the_store_and_beside_the_data():
    assert export.suggestion("/data/mine", export.UMI) == "/data/mine.zarr.zip"
    assert export.suggestion("/data/mine", export.RERUN) == "/data/mine-lerobot"
    assert bring_in.suggestion("/data/theirs.zarr.zip") == "/data/theirs-store"


def test_what_the_page_exports_the_page_imports(tmp_path):
    store = toy.make_store(tmp_path / "mine", episodes=1)
    with DemoStore.open(store) as opened:
        episodes = [one.episode for one in opened.episodes()]
    there = export.suggestion(str(store), export.UMI)
    with Jobs(SystemClock()) as jobs:
        for words in (export.export_words(str(store), episodes, there, 30, "", export.UMI),
                      bring_in.import_words(bring_in.BUFFER, there, bring_in.suggestion(there),
                                            "go there", 30)):
            job = jobs.start("it", words)
            assert job.wait(PATIENCE_S) and job.view().state == "done", job.view().said
    with DemoStore.open(Path(bring_in.suggestion(there))) as back:
        assert [one.instruction for one in back.episodes()] == ["go there"]
