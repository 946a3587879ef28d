"""Quotes as a function of seed, product and time: nothing is stored, so that thousands of products cost nothing."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["QuotePath", "quote_text"]

_MASK = 2**64 - 1

WAVES = ((1, 10), (8, 40), (64, 120), (512, 400), (4096, 1000), (32768, 2000))
"""Width in updates, and height in hundred-thousandths of the product's middle: wider is higher, as for a walk."""

TWIN_OF = 16
"""One in so many updates of odd number comes in the same instant as the one before it."""


def quote_text(cents: int) -> str:
    """A quote as the venue writes it: a JSON number without trailing zeros, with one decimal place at least."""
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest // 10}" if rest % 10 == 0 else f"{whole}.{rest:02d}"


class QuotePath:
    """All updates of all products, numbered by time.

    Args:
        seed: of the whole.
        rate: updates per second and product, on average.

    Raises:
        ValueError: for a rate that is not above 0 and at most 1,000.
    """

    def __init__(self, seed: int, rate: float) -> None:
        if not 0 < rate <= 1000:
            raise ValueError(f"the rate is not between 0 and 1,000 updates per second: {rate}")
        self._seed = seed
        self._interval_ns = round(1e9 / rate)
        self._keys: dict[str, int] = {}

    def time_ns(self, name: str, number: int) -> int:
        """When an update comes, Unix nanoseconds; never before the update of the number before."""
        key = self._key(name)
        if number % 2 and _mixed(key, number, 1) % TWIN_OF == 0:
            number -= 1
        return number * self._interval_ns + _mixed(key, number, 2) % self._interval_ns

    def latest(self, name: str, now_ns: int) -> int:
        """The number of the last update until a time."""
        number = now_ns // self._interval_ns + 1
        while self.time_ns(name, number) > now_ns:
            number -= 1
        return number

    def cents(self, name: str, number: int) -> int:
        """The quote of an update, in hundredths: within 4 % of a middle between 100 and 300."""
        key = self._key(name)
        middle = 10_000 + key % 20_000
        total = 0
        for place, (width, height) in enumerate(WAVES):
            top = middle * height // 100_000
            step, rest = divmod(number, width)
            left, right = (_mixed(key, at, 16 + place) % (2 * top + 1) - top for at in (step, step + 1))
            total += (left * (width - rest) + right * rest) // width
        return middle + total

    def _key(self, name: str) -> int:
        key = self._keys.get(name)
        if key is None:
            digest = blake2b(f"{self._seed}/{name}".encode(), digest_size=8).digest()
            key = self._keys[name] = int.from_bytes(digest)
        return key


def _mixed(key: int, number: int, use: int) -> int:
    """64 bits that look random (the finish of SplitMix64), another sequence for each use."""
    bits = (key + number * 0x9E3779B97F4A7C15 + use * 0xD1B54A32D192ED03) & _MASK
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & _MASK
    return bits ^ bits >> 31
