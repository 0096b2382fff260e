"""Speech to one of the phrases that somebody may say now, or to nothing.

PocketSphinx (package `speech`) with the American English model that it brings: nothing is fetched,
nothing leaves the machine. It may hear the phrases it is given, or any sounds of speech; if the
sounds fit better, nothing was understood, so noise and other talk are no instruction. Knows
samples and phrases; knows no microphone and no screen.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from policy.text import split

RATE_HZ = 16_000            # of samples, 16 bit, one channel
# How readily a sound counts as no word, for each sound. Less makes no difference (PocketSphinx
# keeps no smaller numbers), more takes phrases for noise; without it three quarters of other talk
# was taken for a phrase (eSpeak NG's voices, 108 phrases).
OTHER_SOUND = 1e-5
SOUNDS = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH",
    "UW", "V", "W", "Y", "Z", "ZH")
_BEGIN, _END = 0, 1         # states of the grammar

Arc = tuple[int, int, float, str]       # from, to, how likely, word


class Recogniser:
    """Hears phrases; takes a third of a second to make.

    Raises:
        ImportError: the package is not installed.
    """

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        model = Path(get_model_path()) / "en-us"
        # Wide beams: with so few phrases it is quick all the same, and a faint last word stays.
        self._decoder = Decoder(
            hmm=str(model / "en-us"), dict=str(model / "cmudict-en-us.dict"), lm=None,
            loglevel="FATAL", beam=1e-100, wbeam=1e-80, pbeam=1e-100, maxhmmpf=-1, bestpath=False)
        for sound in SOUNDS:
            self._decoder.add_word(_other(sound), sound, sound == SOUNDS[-1])

    def heard(self, samples: bytes, phrases: Sequence[str], words: Sequence[str] = ()) -> str:
        """Which phrase was said; empty if none.

        Args:
            samples: mono, 16 bit, `RATE_HZ`.
            phrases: that may be said; those with a word that no dictionary knows cannot be heard.
            words: if there are no phrases: of these, in any order.
        """
        said = {" ".join(split(phrase)): phrase for phrase in reversed(phrases)}
        known = {phrase: text for phrase, text in said.items() if phrase and self._knows(phrase)}
        loop = [] if phrases else [word for word in words if self._knows(word)]
        if not samples or not (known or loop):
            return ""
        arcs = [*_tree(known), *_loop(loop), *_other_sounds(1 + sum(map(len, known)))]
        decoder = self._decoder
        decoder.add_fsg("now", decoder.create_fsg("now", _BEGIN, _END, arcs))
        decoder.activate_search("now")
        decoder.start_utt()
        decoder.process_raw(samples, full_utt=True)
        decoder.end_utt()
        text = "" if (found := decoder.hyp()) is None else found.hypstr
        return known.get(text, text if loop and set(text.split()) <= set(loop) else "")

    def _knows(self, phrase: str) -> bool:
        return all(self._decoder.lookup_word(word) is not None for word in phrase.split())


def _other(sound: str) -> str:
    return f"_{sound.lower()}"      # no word begins so


def _tree(phrases: Sequence[str] | dict[str, str]) -> Iterator[Arc]:
    """Arcs that spell the phrases; common beginnings once."""
    states: dict[tuple[str, ...], int] = {(): _BEGIN}
    for phrase in phrases:
        *first, last = phrase.split()
        for count, word in enumerate(first, 1):
            before, now = tuple(first[:count - 1]), tuple(first[:count])
            if now not in states:
                states[now] = len(states) + _END
                yield states[before], states[now], 1.0, word
        yield states[tuple(first)], _END, 1.0, last


def _loop(words: Sequence[str]) -> Iterator[Arc]:
    """Arcs for any sequence of words; used without phrases."""
    state, share = _END + 1, 1.0 / max(len(words), 1)
    for word in words:
        for before in (_BEGIN, state):
            yield before, _END, share, word
            yield before, state, share, word


def _other_sounds(state: int) -> Iterator[Arc]:
    """Arcs for whatever is no phrase; through a state that nobody else uses."""
    state += _END + 1
    for sound in SOUNDS:
        for before, after in ((_BEGIN, state), (state, state), (state, _END)):
            yield before, after, OTHER_SOUND, _other(sound)
