"""What words mean in their sentence, from a small pretrained encoder that stays as it is.

all-MiniLM-L6-v2 (Wang et al., arXiv 2002.10957; sentence-transformers): six post-norm layers of
BERT, 384 numbers a token. One vector for a whole sentence hardly tells "put red on blue" from "put
blue on red" (cosine 0.99), so every word keeps its own. Knows its package and words; knows no
policy.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from policy.backbones.lora import freeze
from policy.backbones.packages import MINILM, MINILM_PIECES, locate

WIDTH, LAYERS, HEADS, MOST_TOKENS = 384, 6, 12, 512
# Names of a layer's parts there and in torch.nn.TransformerEncoderLayer.
PARTS = {
    "attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1", "output.dense": "linear2", "output.LayerNorm": "norm2"}


class MiniLM(nn.Module):
    """The encoder; all of it is frozen.

    Args:
        weights: by the names of the package's file.
        layers, heads: of attention.
    """

    def __init__(self, weights: dict[str, Tensor], layers: int = LAYERS, heads: int = HEADS
                 ) -> None:
        super().__init__()
        words = weights["embeddings.word_embeddings.weight"]
        self.width, hidden = words.shape[1], weights["encoder.layer.0.intermediate.dense.bias"]
        self.word = nn.Embedding.from_pretrained(words)
        # The second kind of sentence, for pairs of them, is not used.
        self.place = nn.Embedding.from_pretrained(
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0])
        self.norm = nn.LayerNorm(self.width, eps=1e-12)
        self.norm.load_state_dict({part: weights[f"embeddings.LayerNorm.{part}"]
                                   for part in ("weight", "bias")})
        layer = nn.TransformerEncoderLayer(self.width, heads, len(hidden), dropout=0.0,
                                           activation="gelu", layer_norm_eps=1e-12,
                                           batch_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        for number, part in enumerate(self.body.layers):
            part.load_state_dict(_layer(weights, f"encoder.layer.{number}."))
        freeze(self)
        self.eval()

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """(B, T) ids and (B, T) bool, True where a token stands, to (B, T, 384)."""
        x = self.norm(self.word(ids) + self.place.weight[:ids.shape[1]])
        return self.body(x, src_key_padding_mask=~valid)


def _layer(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    ours = {f"{ours}.{kind}": weights[f"{prefix}{theirs}.{kind}"]
            for theirs, ours in PARTS.items() for kind in ("weight", "bias")}
    for kind in ("weight", "bias"):
        ours[f"self_attn.in_proj_{kind}"] = torch.cat(
            [weights[f"{prefix}attention.self.{part}.{kind}"]
             for part in ("query", "key", "value")])
    return ours


class SentenceReader(nn.Module):
    """Words of sentences to what they mean there; remembers what it has read.

    Args:
        encoder: the network.
        pieces: path of its tokenizer.json.
        most_remembered: sentences; when there are more it begins again.
    """

    def __init__(self, encoder: MiniLM, pieces: Path, most_remembered: int = 4096) -> None:
        super().__init__()
        from tokenizers import Tokenizer

        self.encoder, self.width = encoder, encoder.width
        self.pieces = Tokenizer.from_file(str(pieces))
        self.pieces.no_truncation()
        self.pieces.no_padding()
        self._begin, self._end = (self.pieces.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))
        self._most, self._read = most_remembered, dict[tuple[str, ...], Tensor]()

    @classmethod
    def pretrained(cls) -> "SentenceReader":
        """From its package.

        Raises:
            MissingPackage: if it is not installed.
            ValueError: if the package holds something else.
        """
        pieces = locate(MINILM_PIECES)
        return cls(MiniLM(load_file(locate(MINILM))), pieces)

    def split(self, word: str) -> list[int]:
        """The ids of a word's pieces."""
        return self.pieces.encode(word, add_special_tokens=False).ids[:MOST_TOKENS // 8]

    @torch.no_grad()
    def forward(self, sentences: Sequence[Sequence[str]]) -> list[Tensor]:
        """For every sentence (words, 384), each word the mean of its pieces."""
        asked = [tuple(sentence) for sentence in sentences]
        new = list(dict.fromkeys(words for words in asked if words not in self._read))
        if new:
            if len(self._read) + len(new) > self._most:
                self._read.clear()
                new = list(dict.fromkeys(asked))
            self._read.update(zip(new, self._understood(new), strict=True))
        return [self._read[words].to(self.encoder.word.weight.device) for words in asked]

    def _understood(self, sentences: list[tuple[str, ...]]) -> list[Tensor]:
        split = [[self.split(word) for word in words] for words in sentences]
        rows = [[self._begin, *(i for word in words for i in word), self._end][:MOST_TOKENS]
                for words in split]
        device = self.encoder.word.weight.device
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long, device=device)
        valid = torch.zeros_like(ids, dtype=torch.bool)
        for row, (there, tokens) in enumerate(zip(valid, rows, strict=True)):
            ids[row, :len(tokens)] = torch.tensor(tokens, device=device)
            there[:len(tokens)] = True
        return [_by_word(tokens[1:], [len(word) for word in words])
                for tokens, words in zip(self.encoder(ids, valid), split, strict=True)]


def _by_word(tokens: Tensor, counts: list[int]) -> Tensor:
    """Means of so many tokens after one another; a word without tokens means nothing, 0."""
    words, at = tokens.new_zeros(len(counts), tokens.shape[1]), 0
    for row, count in enumerate(counts):
        if count:
            words[row] = tokens[at:at + count].mean(0)
        at += count
    return words
