"""`tandem data …`: what lies in a store, and how to put it right.

Listing and mending are here; looking into one episode is in `episode_report.py`, what is wrong in
`data_check.py`. Nothing here decides what is on the disk: `recorders.store` does.
"""

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from recorders.episode import EpisodeSummary, Label
from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, readable_bytes
from studio.commands.view_report import list_view

Store = Annotated[Path, tyro.conf.Positional]
Episode = Annotated[str, tyro.conf.Positional]
Episodes = Annotated[tuple[str, ...], tyro.conf.Positional]


def describe_episode(episode: EpisodeSummary) -> dict[str, Any]:
    """An episode as `--json` shows it; where nobody labelled, the label is the detector's."""
    return {
        "episode": episode.episode, "task": episode.task, "instruction": episode.instruction,
        "label": episode.label, "label_by": episode.label_by, "note": episode.note,
        "detector": episode.detector, "seed": episode.seed, "operator": episode.operator,
        "duration_s": episode.duration_s, "steps": episode.steps, "dropped": episode.dropped,
        "bytes": episode.bytes, "recovered": episode.recovered, "trashed": episode.trashed,
    }


def _who(by: str) -> str:
    return by or getpass.getuser()


@dataclass(frozen=True, kw_only=True)
class ListEpisodes:
    """List the episodes of a store, oldest first."""

    store: Store
    """Folder of the store."""
    trashed: bool = False
    """Also list what is in the trash."""
    view: str = ""
    """Only episodes with such parts, and how long they are: demonstrations, corrections,
    autonomous, before-corrections, taken-back, held, version:N, or owner:NAME (as owner:HUMAN)."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Print the episodes."""
        if self.view:
            return list_view(screen, self.store, self.view, trashed=self.trashed)
        with DemoStore.open(self.store) as store:
            episodes = store.episodes(include_trashed=self.trashed)
            interrupted = [f.episode for f in store.interrupted() if not f.being_recorded]
        screen.table("", ("episode", "task", "label", "duration", "steps", "dropped", "size",
                          "remarks"), [
            (e.episode, e.task, e.label, f"{e.duration_s:.1f} s", e.steps, e.dropped,
             readable_bytes(e.bytes), _remarks(e)) for e in episodes])
        if not episodes:
            screen.say(f"{self.store} holds no episodes")
        if interrupted:
            screen.say(f"interrupted: {', '.join(interrupted)}; `tandem data recover "
                       f"{self.store}` keeps them")
        return Answer({"store": str(self.store), "interrupted": interrupted,
                       "episodes": [describe_episode(e) for e in episodes]})


def _remarks(episode: EpisodeSummary) -> str:
    return ", ".join(word for word, said in (("recovered", episode.recovered),
                                             ("in the trash", episode.trashed)) if said)


@dataclass(frozen=True, kw_only=True)
class ShowEpisode:
    """Show one episode: its streams, how well it was recorded, and what happened in it."""

    store: Store
    """Folder of the store."""
    episode: Episode
    """Id of the episode, the beginning of it, or its number in the list (0 first, -1 last)."""
    view: str = ""
    """Of who did what, only such parts; `tandem data ls --help` names the views."""
    json: bool = False
    """Print one JSON object instead of tables."""

    def run(self, screen: Screen) -> Answer:
        """Print the episode."""
        from studio.commands.episode_report import print_episode
        from studio.commands.view_report import print_spans

        with DemoStore.open(self.store) as store:
            summary = store.episode(self.episode)
            path = store.episode_path(summary.episode)
            shown = print_episode(screen, path)
            found = print_spans(screen, path, self.view)
        return Answer({**describe_episode(summary), **shown, "spans": found})


@dataclass(frozen=True, kw_only=True)
class RecoverEpisodes:
    """Keep (or discard) the episodes that a crash interrupted."""

    store: Store
    """Folder of the store."""
    episodes: Episodes = ()
    """Ids of the interrupted episodes; none means all of them."""
    discard: bool = False
    """Put them into the trash instead of among the episodes."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Recover, and print what was kept."""
        with DemoStore.open(self.store, write=True) as store:
            wanted = self.episodes or tuple(found.episode for found in store.interrupted())
            reports = [store.recover(episode, keep=not self.discard) for episode in wanted]
        screen.table("", ("episode", "kept", "rows", "rows lost", "what was damaged"), [
            (r.episode, r.kept, sum(r.rows_kept.values()), r.rows_lost_estimate,
             "; ".join(r.problems)) for r in reports])
        if not reports:
            screen.say("nothing was interrupted")
        return Answer({"store": str(self.store), "recovered": [
            {"episode": r.episode, "kept": r.kept, "rows_kept": r.rows_kept,
             "rows_lost_estimate": r.rows_lost_estimate, "problems": list(r.problems)}
            for r in reports]})


@dataclass(frozen=True, kw_only=True)
class LabelEpisode:
    """Say how an episode ended; the newest label counts and the older ones stay in the log."""

    store: Store
    """Folder of the store."""
    episode: Episode
    """Id of the episode, the beginning of it, or its number in the list."""
    label: Annotated[Label, tyro.conf.Positional]
    """How it ended."""
    note: str = ""
    """Why."""
    by: str = ""
    """Who says so; empty means your user name."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Write the label."""
        return _change(screen, self.store, self.episode, lambda store, episode: store.label(
            episode, self.label, note=self.note, by=_who(self.by)))


@dataclass(frozen=True, kw_only=True)
class RelabelEpisode:
    """Change what an episode is said to show; nothing is rewritten."""

    store: Store
    """Folder of the store."""
    episode: Episode
    """Id of the episode, the beginning of it, or its number in the list."""
    task: str = ""
    """The task that it shows; empty leaves it as it is."""
    instruction: str = ""
    """The instruction that it follows; empty leaves it as it is."""
    by: str = ""
    """Who says so; empty means your user name."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Write the change."""
        return _change(screen, self.store, self.episode, lambda store, episode: store.relabel(
            episode, task=self.task or None, instruction=self.instruction or None,
            by=_who(self.by)))


def _change(screen: Screen, path: Path, reference: str,
            change: Callable[[DemoStore, str], object]) -> Answer:
    with DemoStore.open(path, write=True) as store:
        episode = store.episode(reference).episode
        change(store, episode)
        now = store.episode(episode)
    screen.print(f"{now.episode}: {now.task}, {now.instruction!r}, {now.label}")
    return Answer(describe_episode(now))


@dataclass(frozen=True, kw_only=True)
class TrashEpisodes:
    """Put episodes away. Their data stays in the store's trash; `restore` is the undo."""

    store: Store
    """Folder of the store."""
    episodes: Episodes
    """Ids, beginnings of ids, or numbers in the list."""
    by: str = ""
    """Who says so; empty means your user name."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Move the episodes to the trash."""
        return _move(screen, self.store, self.episodes, "trashed",
                     lambda store, episode: store.trash(episode, by=_who(self.by)))


@dataclass(frozen=True, kw_only=True)
class RestoreEpisodes:
    """Take episodes out of the trash."""

    store: Store
    """Folder of the store."""
    episodes: Episodes
    """Ids, or beginnings of ids; `tandem data ls --trashed` lists them."""
    by: str = ""
    """Who says so; empty means your user name."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Move the episodes back."""
        return _move(screen, self.store, self.episodes, "restored",
                     lambda store, episode: store.restore(episode, by=_who(self.by)))


def _move(screen: Screen, path: Path, references: tuple[str, ...], what: str,
          move: Callable[[DemoStore, str], object]) -> Answer:
    with DemoStore.open(path, write=True) as store:
        # All are looked up before the first is moved: numbers in the list shift, and a wrong
        # name changes nothing.
        episodes = [store.episode(reference).episode for reference in references]
        for episode in episodes:
            move(store, episode)
            screen.print(f"{what} {episode}")
    return Answer({"store": str(path), what: episodes})


@dataclass(frozen=True, kw_only=True)
class CopyEpisodes:
    """Copy episodes, with their labels, into another store; it is made if it does not exist."""

    store: Store
    """Folder of the store to copy from."""
    to: Store
    """Folder of the store to copy into."""
    episodes: Episodes = ()
    """Ids, beginnings of ids, or numbers in the list; none means all."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Copy."""
        with DemoStore.open(self.store) as store:
            references = self.episodes or tuple(e.episode for e in store.episodes())
            episodes = [store.episode(reference).episode for reference in references]
            store.copy_to(self.to, episodes)
        screen.print(f"copied {len(episodes)} episodes to {self.to}")
        return Answer({"store": str(self.store), "to": str(self.to), "copied": episodes})
