"""`tandem data rrd`: episodes as files for the Rerun viewer.

Knows options and words; how an episode becomes a file is recorders/rerun_file.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, readable_bytes


@dataclass(frozen=True, kw_only=True)
class SaveViews:
    """Write episodes as .rrd files for the Rerun viewer, into the store's folder `rrd`.

    A session with a live view leaves these files by itself.
    """

    store: Annotated[Path, tyro.conf.Positional]
    """Folder of the store."""
    episodes: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Ids, beginnings of ids, or numbers in the list; none means all."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Write the files."""
        # Here, because Rerun takes half a second to import: --help need not wait.
        from recorders.rerun_file import save_view

        files: list[str] = []
        with DemoStore.open(self.store) as store:
            references = self.episodes or tuple(e.episode for e in store.episodes())
            episodes = [store.episode(reference).episode for reference in references]
            with screen.progress("writing Rerun files", len(episodes)) as progress:
                for episode in episodes:
                    path = save_view(self.store, store.episode_path(episode), episode)
                    files.append(str(path))
                    progress.step(f"{path}, {readable_bytes(path.stat().st_size)}")
        screen.say("open one with `rerun FILE`")
        return Answer({"store": str(self.store), "files": files})
