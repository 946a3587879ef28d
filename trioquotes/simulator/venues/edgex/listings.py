"""What the simulated venue trades in each of its generations, and whose accounts it keeps."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

from trioquotes.simulator.floor import Listing

__all__ = ["CONTRACTS", "QUOTE_COIN_ID", "Account", "Contract", "Generation", "contracts_of"]

Generation: TypeAlias = Literal["v1", "v2"]

QUOTES: dict[Generation, str] = {"v1": "USD", "v2": "USDC"}
ID_PREFIX: dict[Generation, str] = {"v1": "1", "v2": "3"}
"""The first of the eight digits of a generation's contract ids."""

QUOTE_COIN_ID = "1000"


@attrs.frozen(kw_only=True)
class Account:
    """A client of the venue.

    Attributes:
        account_id: digits; also how the simulated market knows the owner of its orders.
        key: API key (V2), with ``secret`` and ``passphrase``.
        l2_key: x coordinate of the Stark public key, hex (V1).
        balance: collateral at the start, in the quote coin.
    """

    account_id: str
    user_id: str = "600162890833461506"
    client_account_id: str = "main"
    eth_address: str = "0x488F6C0445af6bb2AfD902758f64BcCDc1C9CF7a"
    key: str = ""
    secret: str = attrs.field(default="", repr=False)
    passphrase: str = attrs.field(default="", repr=False)
    l2_key: str = ""
    balance: Decimal = Decimal(1_000_000)


@attrs.frozen(kw_only=True)
class Contract:
    """A perpetual contract.

    Attributes:
        tick: price step.
        step: size step.
        reference: price around which the market starts.
        lot: a usual order's size.
        quiet: whether nobody trades it, so that its book is empty.
        liquidity: what newer tickers say under that name, if anything.
    """

    contract_id: str
    base: str
    quote: str
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.01")
    reference: Decimal = Decimal(100)
    lot: Decimal = Decimal(5)
    quiet: bool = False
    liquidity: str | None = None

    @property
    def name(self) -> str:
        """The contract's symbol, such as ``BTCUSDC``."""
        return self.base + self.quote

    @property
    def base_coin_id(self) -> str:
        """The id of its base coin."""
        return str(1000 + int(self.contract_id[-4:]))

    @property
    def listing(self) -> Listing:
        """The contract as the market trades it."""
        return Listing(
            instrument=self.contract_id, base=self.base, quote=self.quote, tick=self.tick, step=self.step,
            reference=self.reference, lot=self.lot, traded=not self.quiet,
        )  # fmt: skip


def _contract(
    number: int,
    base: str,
    generation: Generation,
    figures: str,
    *,
    quiet: bool = False,
    liquidity: str | None = None,
) -> Contract:
    tick, step, reference, lot = (Decimal(figure) for figure in figures.split())
    return Contract(
        contract_id=f"{ID_PREFIX[generation]}{number:07}", base=base, quote=QUOTES[generation], tick=tick, step=step,
        reference=reference, lot=lot, quiet=quiet, liquidity=liquidity,
    )  # fmt: skip


CONTRACTS: dict[Generation, dict[str, Contract]] = {
    "v1": {
        contract.contract_id: contract
        for contract in (
            _contract(1, "BTC", "v1", "0.1 0.001 119793.0 0.2"),
            _contract(2, "ETH", "v1", "0.01 0.01 4476.20 2"),
            _contract(4, "BNB", "v1", "0.01 0.01 1180.43 4"),
            _contract(24, "UNI", "v1", "0.001 1 4.698 50", quiet=True),
        )
    },
    "v2": {
        contract.contract_id: contract
        for contract in (
            _contract(1, "BTC", "v2", "0.1 0.001 82862.5 0.2"),
            _contract(2, "ETH", "v2", "0.01 0.01 2510.30 2"),
            _contract(20, "NVDA", "v2", "0.05 0.01 223.40 10", liquidity="HIGH"),
            _contract(153, "ZETA", "v2", "0.0001 1 0.4100 200", quiet=True, liquidity="LOW"),
        )
    },
}
"""The contracts of a simulator that is not told otherwise, by generation and id."""


def contracts_of(generation: Generation, contracts: Iterable[str | Contract] | None) -> list[Contract]:
    """Contracts for ids; one that is not among the defaults gets plain steps and a price of 100.

    Raises:
        ValueError: for a text that is not an id of that generation.
    """
    known = CONTRACTS[generation]
    found: list[Contract] = []
    for contract in known if contracts is None else contracts:
        if isinstance(contract, Contract):
            found.append(contract)
            continue
        if len(contract) != 8 or not contract.isdecimal() or contract[0] != ID_PREFIX[generation]:
            example = next(iter(known))
            raise ValueError(f"{contract!r} is not a contract id of {generation} such as {example!r}")
        plain = Contract(contract_id=contract, base=f"C{int(contract[1:])}", quote=QUOTES[generation])
        found.append(known.get(contract, plain))
    return found
