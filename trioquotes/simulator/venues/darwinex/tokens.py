"""Access tokens, and refresh tokens that die when they are used.

*Source:* docstrings and requests of the official clients (darwinexapis, darwin-api-tutorials); the form of faults is
that of the WSO2 gateway before the venue.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import attrs

from trioquotes.simulator.http_side import HttpRequest, HttpResponse, json_response
from trioquotes.simulator.venues.darwinex.listings import Account

__all__ = ["LONG_LIVED_S", "TokenOffice", "bearer_of", "fault"]

LONG_LIVED_S = 183 * 86_400
"""How long a token of the kind for market data lives."""

CHALLENGE = ("WWW-Authenticate", 'OAuth2 realm="WSO2 API Manager", error="invalid_token"')


def fault(status: int, code: int, message: str, description: str) -> HttpResponse:
    """A refusal by the gateway."""
    body = {"fault": {"code": code, "message": message, "description": description}}
    return json_response(body, status, (CHALLENGE,) if status == 401 else ())


def bearer_of(request: HttpRequest) -> str | None:
    """The token that a request carries, or ``None``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


@attrs.define
class _Grant:
    account: Account
    until_ns: int


class TokenOffice:
    """Who holds which tokens.

    Args:
        accounts: known clients.
        now_ns: when their first access tokens begin to live, Unix nanoseconds.
        lifetime_s: of the access tokens that are issued.
        refresh_revokes: whether a refresh ends the access token that the refresh token came with.
        seed: of the tokens' digits.
    """

    def __init__(
        self, accounts: Iterable[Account], *, now_ns: int, lifetime_s: int, refresh_revokes: bool, seed: int
    ) -> None:
        self._lifetime_s = lifetime_s
        self._refresh_revokes = refresh_revokes
        self._seed = seed
        self._issued = 0
        self._applications: dict[str, Account] = {}
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, tuple[Account, str]] = {}
        for account in accounts:
            self._applications[account.consumer_key] = account
            self._access[account.access_token] = _Grant(account, now_ns + LONG_LIVED_S * 10**9)
            self._refresh[account.refresh_token] = (account, "")

    def revoke(self, token: str) -> None:
        """End an access or a refresh token; lines that are open stay open."""
        self._access.pop(token, None)
        self._refresh.pop(token, None)

    def check(self, request: HttpRequest, now_ns: int) -> Account | HttpResponse:
        """Whose token a request carries, or how it is refused."""
        token = bearer_of(request)
        if token is None:
            return fault(401, 900902, "Missing Credentials", "The request carries no access token")
        grant = self._access.get(token)
        if grant is None:
            return fault(401, 900901, "Invalid Credentials", "The access token is unknown or revoked")
        if now_ns >= grant.until_ns:
            return fault(401, 900901, "Invalid Credentials", "The access token has expired")
        return grant.account

    def application(self, request: HttpRequest) -> Account | HttpResponse:
        """Whose consumer key and secret a request carries, or how it is refused."""
        scheme, _, packed = request.headers.get("authorization", "").partition(" ")
        key, secret = "", ""
        if scheme.lower() == "basic":
            try:
                key, _, secret = base64.b64decode(packed.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                key = ""
        account = self._applications.get(key)
        if account is None or secret != account.consumer_secret:
            return fault(401, 900901, "Invalid Credentials", "Wrong consumer key or consumer secret")
        return account

    def exchange(self, account: Account, request: HttpRequest, now_ns: int) -> HttpResponse:
        """Answer a proper application's request of new tokens; the refresh token that it brings dies."""
        form = parse_qs(request.body.decode(errors="replace"))
        if form.get("grant_type") is None:
            return _oauth_error("invalid_request", "No grant_type")
        if form["grant_type"] != ["refresh_token"]:
            return _oauth_error("unsupported_grant_type", f"Unsupported grant_type {form['grant_type'][0]}")
        offered = form.get("refresh_token", [""])[0]
        if not offered:
            return _oauth_error("invalid_request", "No refresh_token")
        owner, previous = self._refresh.get(offered, (None, ""))
        if owner is None or owner != account:
            return _oauth_error("invalid_grant", "The refresh token is unknown, used or revoked")
        del self._refresh[offered]
        if self._refresh_revokes:
            self._access.pop(previous, None)
        return json_response(self._issue(account, now_ns))

    def _issue(self, account: Account, now_ns: int) -> Mapping[str, Any]:
        self._access = {token: grant for token, grant in self._access.items() if grant.until_ns > now_ns}
        self._issued += 1
        access, refresh = (self._token(account, kind) for kind in ("access", "refresh"))
        self._access[access] = _Grant(account, now_ns + self._lifetime_s * 10**9)
        self._refresh[refresh] = (account, access)
        return {
            "access_token": access, "expires_in": self._lifetime_s,
            "id_token": _id_token(account, now_ns // 10**9, self._lifetime_s), "refresh_token": refresh,
            "scope": "openid", "token_type": "Bearer",
        }  # fmt: skip

    def _token(self, account: Account, kind: str) -> str:
        return str(uuid.uuid3(uuid.NAMESPACE_URL, f"{self._seed}/{account.name}/{self._issued}/{kind}"))


def _oauth_error(error: str, description: str) -> HttpResponse:
    return json_response({"error": error, "error_description": description}, 400)


def _id_token(account: Account, now_s: int, lifetime_s: int) -> str:
    """A token in the form of a signed one, which nobody can check."""
    parts: tuple[Any, ...] = (
        {"x5t": "c2ltdWxhdGVk", "alg": "RS256"},
        {"sub": account.name, "azp": account.consumer_key, "iat": now_s, "exp": now_s + lifetime_s},
        "not a signature",
    )
    texts = (json.dumps(part, separators=(",", ":")).encode() for part in parts)
    return ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode() for text in texts)
