"""The REST list of products: which page to fetch next, and what became of it."""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Sink
from trioquotes._protocol.effects import Failure, Fetch, HttpRequest, RejectionKind, Reply, WireChannel
from trioquotes.credentials import Secret
from trioquotes.venues.darwinex.auth import bearer
from trioquotes.venues.darwinex.faults import read_fault
from trioquotes.venues.darwinex.messages import Product, ProductPage

__all__ = ["MAX_PAGES", "PAGE_SIZE", "PRODUCTS", "Listing", "deliver_page"]

PRODUCTS: Final = WireChannel("products")
PAGE_SIZE: Final = 100
"""Products on a page, as asked for; the venue may give fewer, and says how many pages that makes."""
MAX_PAGES: Final = 1000
"""Where a list that never ends is given up: of 6,445 products there were 65 pages in 2020."""

_FETCH_WITHIN_S: Final = 20.0
_OK: Final = 200
_UNAUTHORIZED: Final = frozenset({401, 403})

_PAGE: Reader[ProductPage] = Reader(ProductPage, literals=True)
_PRODUCT: Reader[Product] = Reader(Product, literals=True)


class _UnreadPage(msgspec.Struct, frozen=True, rename="camel"):
    content: list[msgspec.Raw]
    last: bool | None = None
    total_pages: int | None = None


_UNREAD: Reader[_UnreadPage] = Reader(_UnreadPage)


def _read(body: bytes) -> tuple[ProductPage, tuple[str, ...]]:
    """The page as far as its products decode, and what is wrong with the others.

    Raises:
        BadFrame: more is wrong than products.
    """
    try:
        return _PAGE.read(body), ()
    except BadFrame as error:
        bad = error
    try:
        unread = _UNREAD.read(body)
    except BadFrame:
        raise bad from None
    good, wrong = [], []
    for index, entry in enumerate(unread.content):
        try:
            good.append(_PRODUCT.read(bytes(entry)))
        except BadFrame as error:
            wrong.append(error.reason.replace("$", f"$.content[{index}]", 1))
    if not wrong:
        raise bad
    return ProductPage(content=tuple(good), last=unread.last, total_pages=unread.total_pages), tuple(wrong)


def deliver_page(body: bytes, out: Sink) -> ProductPage | None:
    """Hand a page over, product by product accounted for; returns it, or ``None`` where nothing could be read."""
    try:
        page, wrong = _read(body)
    except BadFrame as bad:
        out.malformed(body, bad.reason, channel=PRODUCTS)
        return None
    if wrong:
        out.malformed(body, "; ".join(wrong[:10]), channel=PRODUCTS, elements=len(wrong))
    if page.content or not wrong:
        out.deliver(PRODUCTS, page, elements=len(page.content) or 1)
    return page


@attrs.define
class Listing:
    """Fetches the list once a connection, one page at a time.

    Args:
        rest: base URL.
        token: the access token that the connection was opened with.
    """

    _rest: str | None
    _token: Secret | None = attrs.field(repr=False)
    _page: int = 0
    _complete: bool = False
    _in_flight: int | None = None

    def reconcile(self, ledger: LedgerView, request_id: int) -> Fetch | None:
        """The next page, where anybody wants it."""
        asked = PRODUCTS in ledger.asked
        if self._in_flight is not None or PRODUCTS not in ledger.wanted or (asked and self._complete):
            return None
        url = f"{self._rest}/darwininfo/2.0/products?status=ACTIVE&page={self._page}&per_page={PAGE_SIZE}"
        headers = () if self._token is None else (bearer(self._token),)
        return Fetch(
            request_id,
            HttpRequest(url, headers=(*headers, ("Accept", "application/json"))),
            asks=frozenset() if asked else frozenset({PRODUCTS}),
            timeout_s=_FETCH_WITHIN_S,
        )

    def sent(self, fetch: Fetch) -> None:
        """It is on its way."""
        self._in_flight = fetch.id

    def withdrawn(self) -> None:
        """Nobody wants it any more: the next who does gets it from its beginning."""
        self._page = 0
        self._complete = False
        self._in_flight = None

    def fetched(self, request_id: int, reply: Reply | Failure, out: Sink) -> None:
        """A page came, or it did not; one that did not is asked for again where that may help."""
        out.answered(request_id)
        if request_id == self._in_flight:
            self._in_flight = None
            self._take(reply, out)
        elif isinstance(reply, Reply):
            out.ignored("withdrawn")

    def _take(self, reply: Reply | Failure, out: Sink) -> None:
        if isinstance(reply, Failure):
            self._failed(reply.reason, "timeout", out)
            return
        if reply.status != _OK:
            out.ignored("refused")
            fault = read_fault(reply.status, reply.body, *([self._token.reveal()] if self._token else []))
            kind: RejectionKind = "timeout" if fault.passing else "refused"
            if reply.status in _UNAUTHORIZED and not fault.passing:
                kind = "authentication"
            self._failed(f"HTTP {reply.status}{fault.text and ': '}{fault.text}", kind, out)
            return
        page = deliver_page(reply.body, out)
        if page is None:
            self._failed(f"page {self._page} of the products cannot be read", "timeout", out)
            return
        out.confirmed([PRODUCTS])
        self._page += 1
        self._complete = self._is_last(page)

    def _is_last(self, page: ProductPage) -> bool:
        if page.last or not page.content or self._page >= MAX_PAGES:
            return True
        if page.total_pages is not None:
            return self._page >= page.total_pages
        return page.last is None and len(page.content) < PAGE_SIZE

    @staticmethod
    def _failed(reason: str, kind: RejectionKind, out: Sink) -> None:
        out.error(f"products: {reason}")
        out.rejected(PRODUCTS, reason, kind)
