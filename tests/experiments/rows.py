"""All rows of all tables about the dual-system policy; what each learns is in trainings.py.

Scenes have seeds by purpose: reported main rows 1000 to 1095, other tables a slice each of 1100 to
1999, demonstrations 2000 to 2999 (data.py); 5000 to 5999 belong to tuning and 7000 and above to
nobody here. Main rows are trained with three seeds, others with one.
"""

from collections.abc import Sequence

from experiments.data import FEWER, FIVE, REASONING, STORES
from experiments.definitions import Book, Evaluation, Rates, Row, Training
from experiments.trainings import (
    ABLATED,
    ABLATED_MINUTES,
    DECIDED,
    DECIDING,
    EARLIER,
    LOST,
    PEERS,
    trainings,
)

from studio.sim.phrasings import HELD_OUT_PHRASINGS

TABLES = {
    "competence": "Minutes to competence",
    "asynchrony": "Asynchrony: how often System 2 runs, and words that change under way",
    "ablations": "What matters",
    "language": "Language",
    "reasoning": "Tasks that need System 2",
    "rates": "Rates on this machine",
}
MAIN, CURVES, ASYNCHRONY, ABLATIONS, LANGUAGE, REASON, SAMPLE = (
    (1000, 1096), (1100, 1148), (1300, 1364), (1200, 1264), (1400, 1464), (1500, 1548),
    (1600, 1624))
EVALUATION_SEEDS = range(1000, 2000)
THREE = (0, 1, 2)

# What the systems take on the machine that the figures are made for; see docs/policy.md.
DELAYS = ("--delay-ms", "20", "10")
# … and with a language model for System 2: 153 and 30 ms (p50 of one thread, `tandem eval`).
OWN_SPEED = ("--delay-ms", "150", "30")
ONE_AFTER_OTHER = ("--delay-ms", "180", "180", "--ratio", "1:1")
PUSHED = ("--bumps", "1")
BIN = FIVE["bin"]
OTHER, BIN_WORDS = "put the {other} cube in the bin", "put the {colour} cube in the bin"
UNSEEN = {"green": "only ever stacked green", "red": "saw red with both tasks"}


def tried(task: str, seeds: tuple[int, int], *options: str) -> tuple[Evaluation, ...]:
    """One evaluation at the usual delays."""
    delays = () if "--delay-ms" in options else DELAYS
    return (Evaluation(task=task, seeds=seeds, options=(*delays, *options)),)


def competence() -> list[Row]:
    """One policy per task, one for all five, learning curves, and peers."""
    def row(name: str, about: str, training: str, evaluations: tuple[Evaluation, ...],
            seeds: tuple[int, ...] = (0,)) -> Row:
        return Row(table="competence", name=name, about=about, training=training,
                   evaluations=evaluations, seeds=seeds)

    curve = tried(BIN, CURVES)
    return [
        *(row(name, task, name, tried(task, MAIN), THREE) for name, task in FIVE.items()),
        *(row(f"shared-{name}", f"{task}, by one policy for all five", "shared", tried(task, MAIN),
              THREE) for name, task in FIVE.items()),
        *(row(f"peer-{kind}", f"{BIN}, by {kind}", f"bin-{kind}", tried(BIN, MAIN), THREE)
          for kind in PEERS),
        *(row(f"after-{minutes:g}min", f"{BIN}, trained {minutes:g} minutes",
              f"bin-{minutes:g}min", curve) for minutes in EARLIER),
        row("after-10min", f"{BIN}, trained 10 minutes", "bin", curve),
        *(row(f"from-{number}", f"{BIN}, from {number} demonstrations", f"bin-{number}demos", curve)
          for number in FEWER),
        row("from-150", f"{BIN}, from 150 demonstrations", "bin", curve),
        row("pictures", f"{BIN}, without depth", "bin-pictures", tried(BIN, MAIN))]


def asynchrony() -> list[Row]:
    """One policy at many ratios; instructions edited in mid-episode."""
    def row(name: str, about: str, *options: str, training: str = "varied") -> Row:
        return Row(table="asynchrony", name=name, about=about, training=training,
                   evaluations=tried(BIN, ASYNCHRONY, *options))

    ratios = [*(f"1:{calls}" for calls in (1, 2, 4, 8, 16, 64)), "once"]
    edit = ("--edit", f"10cm:{OTHER}")
    back = (*edit, f"+50:{BIN_WORDS}")
    drift = ("--drift", "0.015")
    slow, in_step = ("--delay-ms", "300", "10"), ("--delay-ms", "300", "300")
    return [
        *(row(f"static-{ratio.replace(':', '-')}", f"System 2 to System 1 {ratio}", "--ratio",
              ratio) for ratio in ratios),
        *(row(f"moving-{ratio.replace(':', '-')}", f"the asked cube drifts 1.5 cm/s, {ratio}",
              "--ratio", ratio, *drift) for ratio in ratios),
        row("bumped", "the asked cube is pushed 3 to 7 cm as the hand comes near, 1:16", "--ratio",
            "1:16", "--bumps", "1"),
        row("fresh-static", "trained without stale frames, 1:16", "--ratio", "1:16",
            training="varied-fresh"),
        row("fresh-moving", "the same, the asked cube drifts", "--ratio", "1:16", *drift,
            training="varied-fresh"),
        row("slow-apart", "System 2 takes 300 ms, System 1 goes on meanwhile", *slow),
        row("slow-in-step", "both take 300 ms, as if run one after the other", "--ratio", "1:1",
            *in_step),
        *(row(f"smollm2-{name}", f"a language model as System 2, {about}", *how, *more,
              training="smollm2") for name, about, how, more in (
            ("apart", "at its own speed", OWN_SPEED, ()),
            ("in-step", "both in step", ONE_AFTER_OTHER, ()),
            ("bumped-apart", "apart; the asked cube is pushed", OWN_SPEED, PUSHED),
            ("bumped-in-step", "in step; the asked cube is pushed", ONE_AFTER_OTHER, PUSHED))),
        row("unedited", "no edit, 1:16", "--ratio", "1:16"),
        row("edit-flush", "other colour 10 cm before the cube: flush, System 2 at once",
            "--ratio", "1:16", *edit, "--edit-mode", "flush"),
        row("edit-soft", "the same: System 2 at once, the arm goes on", "--ratio", "1:16", *edit,
            "--edit-mode", "soft"),
        row("edit-held", "other colour with the asked cube in hand: flush", "--ratio", "1:16",
            "--edit", f"carry:{OTHER}", "--edit-mode", "flush"),
        row("edit-back", "other colour 10 cm before the cube, and back half a second later: flush",
            "--ratio", "1:16", *back, "--edit-mode", "flush"),
        row("edit-scheduled", "other colour 10 cm before the cube: System 2 in its turn",
            "--ratio", "1:16", *edit, "--edit-mode", "scheduled"),
        row("edit-flush-plain", "edit, flush; trained without edits", "--ratio", "1:16", *edit,
            "--edit-mode", "flush", training="bin")]


def ablations() -> list[Row]:
    """One change at a time, one training seed: an easy task, and one in which System 2 decides."""
    def row(name: str, about: str, training: str, *options: str) -> Row:
        return Row(table="ablations", name=name, about=about, training=training,
                   evaluations=tried(BIN, ABLATIONS, *options))

    def decided(name: str, about: str, training: str) -> Row:
        return Row(table="ablations", name=f"decided-{name}", about=f"{DECIDED}: {about}",
                   training=training, evaluations=tried(REASONING[DECIDED], REASON))

    return [
        row("full", "as it is: K = 2, 6 latents; five minutes", f"bin-{ABLATED_MINUTES:g}min"),
        *(row(name, about, f"bin-{name}") for name, (about, _) in ABLATED.items()),
        *(row(name, about, f"bin-{ABLATED_MINUTES:g}min", "--steps", steps) for name, about, steps
          in (("direct", "direct head instead of flow", "0"), ("flow-1", "one flow step", "1"),
              ("flow-10", "ten flow steps", "10"))),
        row("styles-flow", "flow, learned from operators who differ", "styles"),
        row("styles-direct", "direct head, learned from operators who differ", "styles", "--steps",
            "0"),
        decided("full", "as it is; ten minutes", f"{DECIDED}-system-2"),
        *(decided(name, ABLATED[name][0], f"{DECIDED}-{name}") for name in DECIDING)]


def language() -> list[Row]:
    """Words never heard in training, and words that contradict the scene's task."""
    def row(name: str, about: str, *evaluations: Evaluation, training: str = "bin") -> Row:
        return Row(table="language", name=name, about=about, training=training,
                   evaluations=evaluations)

    def held_out(task: str) -> tuple[Evaluation, ...]:
        first, end = LANGUAGE
        phrasings = HELD_OUT_PHRASINGS[task]
        each = (end - first) // len(phrasings)
        return tuple(tried(task, (first + each * number, first + each * (number + 1)),
                           "--instruction", phrasing)[0]
                     for number, phrasing in enumerate(phrasings))

    return [
        row("heard", "phrasings of the demonstrations", *tried(BIN, LANGUAGE)),
        row("held-out", "phrasings never heard", *held_out(BIN)),
        *(row(f"held-out-{name}", f"phrasings never heard: {task}, one policy for all five",
              *held_out(task), training="shared") for name, task in FIVE.items()),
        row("told-other", "told another colour, judged by it", *tried(
            BIN, LANGUAGE, "--instruction", OTHER)),
        row("told-wrong", "told another colour, judged by the scene's: must fail", *tried(
            BIN, LANGUAGE, "--instruction", OTHER, "--keep-goal")),
        *(row(f"unseen-{colour}", f"{colour} into the bin, by a policy that {how}", *tried(
            BIN, LANGUAGE, "--instruction", f"put the {colour} cube in the bin"),
            training="unseen") for colour, how in UNSEEN.items()),
        row("instruction-code", "phrasings never heard; System 1 hears the instruction (DuoCore)",
            *held_out(BIN), training="bin-instruction-code")]


def reasoning() -> list[Row]:
    """What is lost where the words alone do not say what to do now."""
    return [Row(table="reasoning", name=f"{name}-{what}", about=f"{task}: {about}",
                training=f"{name}-{what}", evaluations=tried(task, REASON))
            for name, task in REASONING.items() for what, (about, _) in LOST.items()]


def rates() -> list[Row]:
    """Both systems' speed, on one and two threads."""
    return [Row(table="rates", name=name, about=f"{about}, {threads} thread(s)", training=training,
                rates=Rates(threads=threads, task=BIN)) for name, about, training, threads in (
        ("threads-1", "compact", "bin", 1), ("threads-2", "compact", "bin", 2),
        ("smollm2-threads-1", "a language model as System 2", "smollm2", 1),
        ("smollm2-threads-2", "a language model as System 2", "smollm2", 2))]


def sample() -> list[Row]:
    """One row of each table, small enough for a quarter of an hour on two cores."""
    button, place = FIVE["button"], REASONING["bin-by-place"]
    short = ("--max-s", "6")

    def row(table: str, name: str, about: str, training: str = "quick-button", *,
            evaluations: tuple[Evaluation, ...] = (), rates: Rates | None = None) -> Row:
        return Row(table=table, name=name, about=about, training=training, quick=True,
                   evaluations=evaluations, rates=rates)

    return [
        row("competence", "sample-button", f"{button}, 2 minutes, 40 demonstrations",
            evaluations=tried(button, SAMPLE, *short)),
        row("asynchrony", "sample-once", "System 2 once per episode",
            evaluations=tried(button, SAMPLE, *short, "--ratio", "once")),
        row("ablations", "sample-shared-0", "K = 0: System 1 has blocks of its own",
            "quick-button-apart", evaluations=tried(button, SAMPLE, *short)),
        row("language", "sample-held-out", "a phrasing never heard", evaluations=tried(
            button, SAMPLE, *short, "--instruction", HELD_OUT_PHRASINGS[button][0])),
        row("reasoning", "sample-by-place", f"{place}, 2 minutes, 24 demonstrations", "quick-place",
            evaluations=tried(place, (SAMPLE[0], SAMPLE[0] + 12), "--max-s", "12")),
        row("rates", "sample-threads-1", "one thread", rates=Rates(threads=1, task=button))]


# Averages that are printed below a table: what, and over which rows.
MEANS: dict[str, tuple[str, ...]] = {
    "Mean over the five tasks, one policy each": tuple(f"competence/{name}" for name in FIVE),
    "Mean over the five tasks, one policy for all":
        tuple(f"competence/shared-{name}" for name in FIVE),
    "Frequency-averaged success, static": tuple(
        row.key for row in asynchrony() if row.name.startswith("static-")),
    "Frequency-averaged success, moving": tuple(
        row.key for row in asynchrony() if row.name.startswith("moving-")),
    "Mean over the reasoning tasks, with System 2":
        tuple(f"reasoning/{name}-system-2" for name in REASONING),
    "Mean over the reasoning tasks, with System 2 that reads what the eye finds":
        tuple(f"reasoning/{name}-found" for name in REASONING),
    "Mean over the reasoning tasks, the instruction and latents":
        tuple(f"reasoning/{name}-instruction" for name in REASONING),
    "Mean over the reasoning tasks, the instruction and no latents":
        tuple(f"reasoning/{name}-nothing" for name in REASONING),
}


def _named(trainings: Sequence[Training]) -> dict[str, Training]:
    named = {training.name: training for training in trainings}
    assert len(named) == len(trainings), "two trainings of one name"
    return named


BOOK = Book(TABLES, STORES, _named(trainings()), (
    *competence(), *asynchrony(), *ablations(), *language(), *reasoning(), *rates(), *sample()))
