"""The list of products; its layout is that of a recorded answer.

*Source:* ``GET /darwininfo/2.0/products`` as recorded from the venue; what a wrong page is answered with is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from trioquotes.simulator.http_side import HttpRequest, HttpResponse, json_response
from trioquotes.simulator.venues.darwinex.listings import Product

__all__ = ["PRODUCTS_PATH", "products_page"]

PRODUCTS_PATH = "/darwininfo/2.0/products"

PER_PAGE = 50
"""Products on a page where the request does not say."""

FIRST_MS, SPAN_MS = 1_500_000_000_000, 80_000_000_000
"""When products came into being."""


def products_page(request: HttpRequest, products: Sequence[Product]) -> HttpResponse:
    """One page, from page 0 on; one beyond the last is empty."""
    query = request.query
    texts = (query.get("page", "0"), query.get("per_page", str(PER_PAGE)))
    numbers = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 10]
    if len(numbers) < len(texts) or not numbers[1]:
        return json_response({"status": "BAD_REQUEST"}, 400)
    page, size = numbers
    wanted = query.get("status")
    listed = [product for product in products if wanted in {None, product.status}]
    rows = [_row(product) for product in listed[page * size : (page + 1) * size]]
    pages = -(-len(listed) // size)
    order = {"sorted": False, "unsorted": True, "empty": True}
    body = {
        "content": rows,
        "pageable": {
            "sort": order, "offset": page * size, "pageNumber": page, "pageSize": size, "unpaged": False, "paged": True,
        },
        "last": page >= pages - 1, "totalPages": pages, "totalElements": len(listed), "size": size, "number": page,
        "sort": order, "numberOfElements": len(rows), "first": page == 0, "empty": not rows,
    }  # fmt: skip
    return json_response(body)


def _row(product: Product) -> dict[str, Any]:
    born_ms = FIRST_MS + crc32(product.name.encode()) % SPAN_MS
    return {
        "productName": product.name, "shortName": product.short_name, "status": product.status,
        "migrationDate": 0, "validationDate": born_ms, "resetDate": 0, "currency": product.currency,
    }  # fmt: skip
