"""Writing text: a language network asked for one token after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from memorycell.data.text.text_codec import END, PAD, SPECIALS, UNK, TextCodec
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.stream import Fed
from memorycell.jobs.language.text import by_lines, ids_of_piece
from memorycell.kernels.quiet import tell
from memorycell.networks.base import State
from memorycell.networks.decoding import beam_search, sample

_FEED = 512  # tokens of a prompt at a time


class Speaker:
    """Continues texts; never writes ``<pad>`` or ``<unk>``."""

    def __init__(self, network: LanguageNetwork, codec: TextCodec) -> None:
        self.network, self.codec = network.eval(), codec
        self.device = next(network.parameters()).device
        self.fed: Fed | None = None

    @torch.no_grad()
    def begin(self, prompt: str) -> tuple[Tensor, State]:
        """The last token of the prompt (1,), and the state before it."""
        if not isinstance(prompt, str):
            raise TypeError(f"expected a prompt that is a text, got {type(prompt).__name__}")
        ids = torch.cat([torch.tensor([END]), ids_of_piece(self.codec, prompt)])
        unknown = int((ids == UNK).sum())
        if unknown and unknown == int((ids[1:] != END).sum()):
            raise ValueError(
                f"expected a prompt of known {self.codec.unit}s, got {prompt[:60]!r}, of which the model knows none: "
                "begin with something that occurs in its training text"
            )
        if unknown:
            strange = list(_unknown(self.codec, prompt))[:5]
            tell(f"the model does not know {', '.join(map(repr, strange))} of the prompt")
        state: State = None
        for part in ids[:-1].to(self.device).split(_FEED):
            if len(part):
                _, state = self.network.run(part.unsqueeze(0), state)
        if state is None:
            state = self.network.encoder.init_state(1)
        return ids[-1:].to(self.device), state

    def speak(
        self,
        begun: tuple[Tensor, State],
        length: int | None,
        *,
        seed: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        until_end: bool = False,
    ) -> Iterator[str]:
        """Pieces of text, drawn one token at a time."""
        if length is not None and length < 1:
            raise ValueError(f"expected a length of at least 1 token, got {length}")
        start, state = begun
        self.fed = Fed(self.network, state)
        generator = torch.Generator(self.device).manual_seed(seed)
        symbols = sample(
            self,  # type: ignore[arg-type]  # it asks for `step` alone
            None,
            start,
            steps=sys.maxsize if length is None else length,
            end=END if until_end else None,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            generator=generator,
        )
        return self._written(symbols, until_end, int(start))

    def best(self, prompt: str, length: int, beam: int) -> str:
        """The most probable continuation that a beam search finds, up to ``<end>`` or `length` tokens."""
        start, state = self.begin(prompt)
        found = beam_search(self, state, start, beam=beam, steps=length, end=END)[0][0]  # type: ignore[arg-type]
        return "".join(self._written(iter(torch.tensor(found.symbols).view(-1, 1)), True, int(start)))

    @torch.no_grad()
    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """Scores (B, V) of the next token and the next state; a row that is fed alone keeps its own."""
        if self.fed is None:
            scores, state = self.network.step(symbols, state)
        else:
            scores = self.fed.step(symbols)
        scores[..., PAD] = scores[..., UNK] = -torch.inf
        return scores, state

    def select_state(self, state: State, rows: Tensor) -> State:
        return self.network.select_state(state, rows)

    def _written(self, symbols: Iterator[Tensor], until_end: bool, start: int) -> Iterator[str]:
        """What the symbols add to a text that ends in `start`; bytes of a character that is not whole yet wait."""
        held: list[int] = []
        before = "" if start == END else self.codec.vocabulary[start]
        for symbol in symbols:
            token = int(symbol)
            if token == END and until_end:
                break
            if by_lines(self.codec):
                word = self.codec.vocabulary[token]
                yield "\n" if token == END else self.codec.gap(before, word) + word
                before = "" if token == END else word
                continue
            if token == END:
                yield "\n"
                continue
            held.append(token)
            text = self.codec.decode(held)
            if not text.endswith("�") or len(held) > 4:
                held.clear()
                yield text
        if held:
            yield self.codec.decode(held)


def _unknown(codec: TextCodec, prompt: str) -> Iterator[str]:
    for line in prompt.split("\n") if by_lines(codec) else [prompt]:
        for token, start, stop in codec.tokens(line):
            if token == SPECIALS[UNK]:
                yield line[start:stop]
