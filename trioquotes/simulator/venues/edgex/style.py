"""The forms in which the two generations, and their documents, spell the same things."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from trioquotes.simulator.venues.edgex.listings import Generation

__all__ = ["Chain", "Codes", "EmptyBest", "Levels", "Spelling", "Style"]

Codes: TypeAlias = Literal["gateway", "plain"]
Chain: TypeAlias = Literal["same", "next"]
Levels: TypeAlias = Literal["objects", "pairs"]
Spelling: TypeAlias = Literal["wire", "docs"]
EmptyBest: TypeAlias = Literal["missing", "zero"]


@attrs.frozen(kw_only=True)
class Style:
    """How frames are written.

    Attributes:
        generation: V1 (StarkEx, quoted in USD) or V2 (HMAC keys, quoted in USDC).
        codes: error codes with ``GATEWAY_`` before them (recorded on V2) or without (documented on V1).
        chain: whether an update of a book starts at the version at which the one before ended (recorded on V2) or
            at the next (documented on V1).
        levels: levels as objects (recorded) or as pairs (documented).
        spelling: names and cases as recorded, or as the documents print them.
        empty_best: how a ticker says that a side of the book is empty: by leaving the price out (seen on V2) or by
            ``0`` (documented on V1).
        version_step: how many versions of a book one happening takes; recorded updates span dozens of them.
    """

    generation: Generation
    codes: Codes
    chain: Chain
    levels: Levels
    spelling: Spelling
    empty_best: EmptyBest
    version_step: int = 1

    @classmethod
    def of(
        cls, generation: Generation, *, codes: Codes | None = None, chain: Chain | None = None,
        levels: Levels = "objects", spelling: Spelling = "wire", empty_best: EmptyBest | None = None,
        version_step: int = 1,
    ) -> Style:  # fmt: skip
        """The forms of a generation, except for those that are given."""
        new = generation == "v2"
        return cls(
            generation=generation, levels=levels, spelling=spelling, version_step=version_step,
            codes=codes or ("gateway" if new else "plain"),
            chain=chain or ("same" if new else "next"),
            empty_best=empty_best or ("missing" if new else "zero"),
        )  # fmt: skip

    @property
    def is_v2(self) -> bool:
        """Whether it is the second generation."""
        return self.generation == "v2"

    @property
    def as_docs(self) -> bool:
        """Whether frames are spelled as the documents print them."""
        return self.spelling == "docs"
