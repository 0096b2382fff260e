"""One transformer, two speeds.

System 2 runs all blocks, slowly: words, pictures, the robot's state and learned latent queries go
through the trunk; what the queries gathered (the latents Z) goes on through the last K blocks,
where System 2 says what is to be done now, word by word. System 1 *is* these last K blocks
(Fast-in-Slow, arXiv 2506.01953, section 3): at every call it reads Z, however old (DuoCore's
buffer, arXiv 2512.20188), the newest pictures and state, and turns noise into a chunk.

What System 1 looks for is made from the words that System 2 said. It never sees the instruction:
what an operator reads, and may rewrite, is what the arm follows. Knows tensors and words; knows no
stamps, robots or files. Losses are in losses.py.

Letters: B batch, V cameras, T words, N picture tokens, Q latents, d width, c code, P
proprioception, H steps, A action, C = H * A.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from policy.backbones.compact import Compact
from policy.backbones.interface import Backbone, Cache, causal_mask
from policy.network.config import DualConfig
from policy.network.fast_eye import HEAT_MAPS, FastEye
from policy.network.flow_head import Fit, FlowHead, Residual, waves
from policy.network.found_things import FoundThings
from policy.network.losses import dual_loss
from policy.network.measures import measure
from policy.network.phrase_code import PhraseCode
from policy.network.picture_points import picture_points
from policy.network.point_eye import PointEye
from policy.network.speech import generate_text
from policy.network.target_head import HAND, Event, TargetHead

if TYPE_CHECKING:
    from policy.data.batches import Batch

MAX_WORDS = 32              # of an instruction or a sub-task; what is longer is cut


class Context(NamedTuple):
    """What one call of System 1 has looked at, ready to denoise chunks.

    Attributes:
        cache: keys and values of the last K blocks over the context tokens.
        vector: (B, d) added to every action token.
        direct: (B, C) the direct head's chunk.
        gaze, target: (B, 3) where the tool will be at the next event, normalised: as far as the
            eye alone can tell, and all things considered.
        summary: (B, d) before the blocks.
    """

    cache: Cache
    vector: Tensor
    direct: Tensor
    gaze: Tensor
    target: Tensor
    summary: Tensor


class DualSystem(nn.Module):
    """The policy's network.

    Args:
        config: shape.
        backbone: the transformer; blocks are shared with System 1 as the config says.
        phrase_words: vocabulary of the sub-tasks, for the look-for code.
        cameras, proprioception, steps, action: V, P, H, A.
        cloud: whether there is a point cloud.
        subtasks: phrases that System 2 will say, for what it finds.
    """

    def __init__(self, config: DualConfig, backbone: nn.Module, phrase_words: Sequence[str], *,
                 cameras: int, proprioception: int, steps: int, action: int, cloud: bool = False,
                 subtasks: Sequence[str] = ()) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        self.steps, self.action = steps, action
        body = self.body
        d, c, p = body.width, config.code_width, proprioception
        self.trunk_blocks = body.blocks - config.shared
        self.text_place = None if body.ordered else nn.Parameter(0.1 * torch.randn(MAX_WORDS, d))
        self.speech_place = None if body.ordered else nn.Parameter(0.1 * torch.randn(MAX_WORDS, d))
        self.state_in = nn.Linear(p, d)
        self.query = nn.Parameter(0.3 * torch.randn(max(config.latents, 1), d))
        self.latent_norm = nn.LayerNorm(d)
        self.code = PhraseCode(phrase_words, config.code_width, config.code_words)

        # System 1.
        self.eyes = nn.ModuleList(FastEye(c) for _ in range(cameras if config.fast_eye else 0))
        seen = len(self.eyes) * 2 * HEAT_MAPS
        # One of them says where things are: in the cloud or, without, in the first picture.
        self.cloud = PointEye(c) if cloud else None
        self.picture = PointEye(c, 2) if self.eyes and not cloud else None
        seen += sum(eye.width for eye in (self.cloud, self.picture) if eye)
        self.target = TargetHead(seen, p, 2 * c, HEAT_MAPS if seen else 0, flat=not cloud)
        self.found = FoundThings(subtasks, d, c, body.tokenizer) \
            if config.finds and seen and subtasks else None
        self.gist = nn.Linear(d, 32)
        self.gather = nn.Sequential(nn.Linear(p + 2 * c + 32 + seen + 2 * HAND, 2 * d), nn.GELU(),
                                    nn.Linear(2 * d, d), Residual(d))
        self.role = nn.Parameter(0.1 * torch.randn(2, d))           # Z as each system meets it
        self.seen_in = nn.Linear(max(seen, 1), d)
        self.near_in = nn.Linear(p + 2 * HAND, d)
        self.age_in = nn.Linear(32, d)
        self.context_place = nn.Parameter(0.1 * torch.randn(3, d))
        self.context_norm = nn.LayerNorm(d)
        self.to_actions = nn.Linear(d, d)
        self.flow = FlowHead(d, steps * action, config.action_tokens)
        self.direct = nn.Sequential(Residual(d), nn.LayerNorm(d), nn.Linear(d, steps * action))
        self.event_slow, self.event_fast = nn.Linear(d, HAND), nn.Linear(d, HAND)
        # K = 0: nothing is shared; System 1 has blocks of its own (an ablation).
        self.own = Compact(body.tokenizer, (32, 32), 0, width=d, blocks=2) \
            if config.shared == 0 else None

    @property
    def body(self) -> Backbone:
        """The backbone by its interface."""
        return self.backbone        # type: ignore[return-value]

    # ------------------------------------------------------------------------------- System 2

    def read(self, images: Tensor, ids: Tensor, known: Tensor, state: Tensor,
             cloud: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """System 2's tokens, before the first block.

        Args:
            images: (B, V, 3, height, width) in 0..1.
            ids, known: (B, T) words of the instruction, and where one stands.
            state: (B, P).
            cloud: (B, points, 6).

        Returns:
            (B, S, d) tokens, the Q queries last, and (B, 1, 1, S) bool, True where one stands.
        """
        b = len(state)
        ids, known = ids[:, :MAX_WORDS], known[:, :MAX_WORDS]
        words = self.body.embed_text(ids)
        if self.text_place is not None:
            words = words + self.text_place[:ids.shape[1]]
        pictures = self.body.embed_images(images)
        tokens = torch.cat([words, pictures, self.state_in(state)[:, None],
                            *self._found(images, state, cloud),
                            self.query.expand(b, -1, -1)], 1)
        rest = torch.ones(b, tokens.shape[1] - ids.shape[1], dtype=torch.bool, device=ids.device)
        return tokens, torch.cat([known, rest], 1)[:, None, None]

    def _found(self, images: Tensor, state: Tensor, cloud: Tensor | None) -> list[Tensor]:
        """(B, O, d) a token for each thing that System 2 can speak of."""
        def eye(look_for: Tensor, times: int) -> Tensor:
            return self._find(points.repeat_interleave(times, 0), look_for)

        if self.found is None:
            return []
        points = self._points(images, cloud)
        return [self.found(self.code(self.found.phrases), state, eye, self.target.gaze)]

    def _points(self, images: Tensor, cloud: Tensor | None) -> Tensor:
        """Where things are found: (B, N, 6) of the cloud, (B, N, 5) of a picture, or nothing."""
        if self.cloud is not None and cloud is not None:
            return cloud
        return images.new_zeros(len(images), 0, 5) if self.picture is None \
            else picture_points(images[:, 0])

    def _find(self, points: Tensor, look_for: Tensor) -> Tensor:
        """(B, 3 Q or 2 Q) where among these points that is; (B, 0) without an eye for it."""
        eye = self.cloud or self.picture
        return points.new_zeros(len(points), 0) if eye is None else eye(points, look_for)

    def hints(self, read: Tensor) -> Tensor | None:
        """What choosing a thing says, of System 2's tokens (B, S, d) after the trunk."""
        if self.found is None:
            return None
        queries, things = len(self.query), len(self.found.phrases)
        return self.found.hints(read[:, -queries - things:-queries])

    def words(self, last: Tensor, hints: Tensor | None, first: int = 0) -> Tensor:
        """(B, T, vocabulary) logits of words number `first` and on, of the last block's tokens."""
        logits = self.body.words(last)
        return logits if self.found is None or hints is None \
            else self.found.hinted(logits, hints, first)

    def bridge(self, tokens: Tensor) -> Tensor:
        """Z (B, Q, d) from what the trunk made of System 2's tokens."""
        latents = tokens[:, -len(self.query):]
        if self.config.pooled:
            latents = tokens[:, :-len(self.query)].mean(1, keepdim=True).expand_as(latents)
        return self.latent_norm(latents)

    def speech_tokens(self, ids: Tensor, first: int = 0) -> Tensor:
        """(B, T) words of a phrase, the first being its word number `first`, as (B, T, d)."""
        words = self.body.embed_text(ids)
        if self.speech_place is not None:
            words = words + self.speech_place[first:first + ids.shape[1]]
        return words

    def speak(self, tokens: Tensor, known: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both of System 2's paths for a phrase that is known (training).

        Args:
            tokens, known: as `read` gave them.
            ids: (B, T) the phrase, beginning with the begin token.

        Returns:
            Z (B, Q, d); logits (B, T, vocabulary) of the word after each; what the last block made
            of Z (B, Q, d).
        """
        trunk, seen, said = self.trunk_blocks, tokens.shape[1], ids.shape[1]
        causal = causal_mask(said, 0, ids.device)
        # What is read sees all that is read; what is said sees that, and what was said before.
        reads = torch.cat([known.expand(-1, 1, seen, -1),
                           known.new_zeros(len(ids), 1, seen, said)], -1)
        says = torch.cat([known.expand(-1, 1, said, -1), causal.expand(len(ids), -1, -1, -1)], -1)
        both, _ = self.body.run(torch.cat([tokens, self.speech_tokens(ids)], 1), 0, trunk,
                                mask=torch.cat([reads, says], 2))
        z = self.bridge(both[:, :seen])
        q = z.shape[1]
        mask = torch.ones(q + said, q + said, dtype=torch.bool, device=ids.device)
        mask[:q, q:] = False
        mask[q:, q:] = causal[0, 0]
        last, _ = self.body.run(torch.cat([z + self.role[0], both[:, seen:]], 1), trunk,
                                self.body.blocks, mask=mask[None, None])
        return z, self.words(last[:, q:], self.hints(both[:, :seen])), last[:, :q]

    def generate_text(self, images: Tensor, ids: Tensor, known: Tensor, state: Tensor,
                      cloud: Tensor | None = None, most: int = 10) -> list[str]:
        """What System 2 says, B phrases; arguments as `read` takes them. See speech.py."""
        return generate_text(self, images, ids, known, state, cloud, most)

    # ------------------------------------------------------------------------------- System 1

    def look(self, z: Tensor, code: Tensor, age_steps: Tensor, images: Tensor, state: Tensor,
             cloud: Tensor | None = None, event: Event | None = None) -> Context:
        """All of System 1 but its action tokens.

        Args:
            z: (B, Q, d) of System 2, however old.
            code: (B, 2 c) what System 2 said: what to look for, and what to do.
            age_steps: (B,) its age in steps of a chunk.
            images: (B, V, 3, height, width) in 0..1, the newest.
            state: (B, P), the newest.
            cloud: (B, points, 6), the newest.
            event: in training, what the gaze is to find; see `TargetHead`.
        """
        if self.config.latents == 0:
            z = torch.zeros_like(z)
        look_for = code[:, :self.code.width]
        seen = [eye(images[:, v], look_for) for v, eye in enumerate(self.eyes)]
        found = self._find(self._points(images, cloud), look_for)
        eye = torch.cat([*seen, found], 1)
        gaze, target = self.target(eye, found, state, code, event)
        where = torch.cat([target, target - state[:, :HAND]], 1)
        summary = self.gather(torch.cat([state, code, self.gist(z.mean(1)), eye, where], 1))
        oldest = self.config.max_age_steps
        age = self.age_in(waves(age_steps.clamp(max=float(oldest)) / max(oldest, 1)))
        shown = eye if eye.shape[1] else state.new_zeros(len(state), 1)
        fresh = torch.stack([self.seen_in(shown), self.near_in(torch.cat([state, where], 1)),
                             summary + age], 1) + self.context_place
        x, cache = self._tail(torch.cat([z + self.role[1], fresh], 1))
        vector = self.to_actions(summary + self.context_norm(x[:, -1]))
        return Context(cache, vector, self.direct(summary), gaze, target, summary)

    def denoise(self, context: Context, noise: Tensor, steps: int, held: Tensor, clean: Tensor,
                fit: Fit | None = None) -> Tensor:
        """(B, C) normalised chunks from noise; see `FlowHead.sample`."""
        return self.flow.sample(noise, steps, held, clean, context.vector,
                                lambda x, mask: self.act_blocks(context, x, mask), fit)

    def act_blocks(self, context: Context, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, d) action tokens through the last K blocks, over the context."""
        if mask is not None:
            seen = context.cache[0][0].shape[2]
            mask = torch.cat([mask.new_ones(len(mask), seen), mask], 1)[None, None]
        return self._tail(x, context.cache, mask)[0]

    def _tail(self, x: Tensor, cache: Cache | None = None, mask: Tensor | None = None
              ) -> tuple[Tensor, Cache]:
        if self.own is not None:
            return self.own.run(x, 0, self.own.blocks, cache, mask)
        return self.body.run(x, self.trunk_blocks, self.body.blocks, cache, mask)

    def loss(self, batch: "Batch") -> tuple[Tensor, dict[str, Tensor]]:
        """What it is trained for, on one batch; see losses.py."""
        return dual_loss(self, batch)

    def measure(self, batch: "Batch") -> dict[str, float]:
        """How good it is on frames that it was not trained on; see measures.py."""
        return measure(self, batch)

    def tail_parameters(self) -> set[str]:
        """Names of the parameters that train when System 2 is left as it is."""
        frozen = ("backbone.", "query", "latent_norm", "state_in", "text_place", "speech_place",
                  "code.", "event_slow", "role", "found.")
        return {name for name, _ in self.named_parameters()
                if not name.startswith(frozen) or self._in_tail(name)}

    def _in_tail(self, name: str) -> bool:
        numbers = [int(part) for part in name.split(".") if part.isdigit()]
        return name.startswith("backbone.body.") and numbers[0] >= self.trunk_blocks
