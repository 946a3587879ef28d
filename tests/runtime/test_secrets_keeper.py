"""What a session knows of its credentials: whom to tell of a refusal, and what to hide."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from trioquotes._runtime.secrets import REMEMBERED, SecretsKeeper
from trioquotes.credentials import ApiKey, BearerToken, Credentials, StarkKey

OLD, NEW = BearerToken("the-old-token"), BearerToken("the-new-token")


class Rotating:
    """Gives the old token until it was refused."""

    def __init__(self) -> None:
        self.refusals: list[Credentials] = []

    async def __call__(self) -> Credentials:
        await trio.lowlevel.checkpoint()
        return NEW if self.refusals else OLD

    def refused(self, credentials: Credentials) -> None:
        self.refusals.append(credentials)


async def test_a_second_line_with_the_old_token_does_not_refuse_the_new_one(
    autojump_clock: MockClock,
) -> None:
    provider = Rotating()
    keeper = SecretsKeeper(provider, timeout_s=1.0)
    used = await keeper.get(), await keeper.get()
    keeper.refused(used[0])
    assert await keeper.get() == NEW
    keeper.refused(used[1])
    assert provider.refusals == [OLD, OLD]


async def test_what_was_handed_out_stays_hidden_for_a_while(autojump_clock: MockClock) -> None:
    tokens = iter(BearerToken(f"token-{n:09}") for n in range(20))

    async def provide() -> Credentials:
        await trio.lowlevel.checkpoint()
        return next(tokens)

    keeper = SecretsKeeper(provide, timeout_s=1.0)
    for number in range(20):
        await keeper.get()
        for back in range(min(number + 1, REMEMBERED)):
            assert keeper.veil.hide(f"no token-{number - back:09}!") == "no ***!"
    assert keeper.veil.hide("no token-000000003!") == "no token-000000003!"


def test_everything_secret_in_credentials_is_hidden_and_the_account_is_not() -> None:
    words = "my-access-key my-secret-key my-passphrase 0123456789 0x00c0ffee00c0ffee00c0ffee"
    key = SecretsKeeper(
        ApiKey("my-access-key", "my-secret-key", "my-passphrase", "0123456789"), timeout_s=1.0
    )
    assert key.veil.hide(words) == "*** *** *** 0123456789 0x00c0ffee00c0ffee00c0ffee"
    stark = SecretsKeeper(StarkKey("0123456789", "0xc0ffee00c0ffee00c0ffee"), timeout_s=1.0)
    assert stark.veil.hide(words).endswith("0123456789 0x00***")
    assert SecretsKeeper(None, timeout_s=1.0).veil.hide(words) == words
