"""What each way to fail means, and what to do about it: a table, and what sorts errors into it. No I/O."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Final

from trioquotes._protocol.effects import Failure
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected, TrioquotesError

__all__ = [
    "ADVICE",
    "advice",
    "kind_of_connect",
    "kind_of_handshake",
    "kind_of_refusal",
    "kind_of_resolve",
    "kind_of_tls",
]

ADVICE: Final[Mapping[str, Mapping[str, str]]] = {
    "resolve": {
        "no such host": "Check the spelling of {host}. If it is right, this machine's name server may not know it:"
        " ask another one, or see on the venue's page whether it moved.",
        "name server": "This machine's name server does not answer: check that it is online, its VPN, and what"
        " /etc/resolv.conf names.",
        "timeout": "This machine's name server does not answer within {timeout}: check that it is online, its VPN,"
        " and what /etc/resolv.conf names; --timeout waits for longer.",
        "other": "Ask whoever keeps this machine's name service.",
    },
    "connect": {
        "refused": "Nothing listens on port {port} of {host}. Check host and port; start the server if it is yours. At a"
        " venue it is an outage: see its status page.",
        "timeout": "What is sent there gets lost: a firewall or a VPN on the way may drop it. Try from another network;"
        " --timeout waits for longer than {timeout}.",
        "unreachable": "No network leads there: check that this machine is online, and that it has the kind of address"
        " (IPv4, IPv6) that was tried.",
        "not permitted": "This machine forbids it: look at its firewall, or at the sandbox or container that this runs"
        " in.",
        "exhausted": "Too many sockets or files are open: end what leaks them, or raise the limit (ulimit -n).",
        "reset": "Something between here and {host} cuts the connection: a firewall, or a proxy that one has to use.",
        "some": "A session uses the addresses that answer, and tries the others in vain now and then: tell whoever"
        " keeps the network.",
        "proxy": "A proxy is named by --proxy or by the environment (https_proxy, all_proxy): check it and its password,"
        " or let {host} be reached without it (--proxy none, no_proxy).",
        "other": "These are the system's own words; whoever keeps the network can say more.",
    },
    "tls": {
        "expired": "Only the owner of {host} can renew its certificate. Before telling them, check this machine's"
        " clock: it says {now}.",
        "not yet valid": "Certificates begin in the past, so this machine's clock is behind: it says {now}. Set it"
        " (timedatectl set-ntp true).",
        "not trusted": "Nobody whom this machine trusts vouches for that server. If it is yours, name its authority with"
        " --ca FILE; if not, a proxy or a virus scanner opens the connection on the way.",
        "wrong host": "The certificate is for another name than {host}. Check the URL; a login page of the network (a"
        " hotel's, an airport's) may answer in its place.",
        "not tls": "Port {port} of {host} does not speak TLS: its URL begins with ws://, or the port is another"
        " service's.",
        "versions": "The two sides can agree on no version or cipher. This one has {openssl}; if that is old, update"
        " Python.",
        "timeout": "The connection is open and nothing answers on it: the server hangs, or something on the way"
        " swallows TLS. Try later, and from another network.",
        "lost": "The server, or a firewall that does not like the name {host}, cut it: it may be overloaded, or able to"
        " agree on no version of TLS. Try later, and from another network.",
        "ends soon": "Its owner should renew it: nobody can connect after that.",
        "other": "These are the words of OpenSSL; whoever keeps the server can say more.",
    },
    "handshake": {
        "timeout": "The server took the connection and did not answer within {timeout}. Is it a WebSocket server? At a"
        " venue: it is overloaded, try later.",
        "no websocket": "What answers there is no WebSocket server. Check host, port and path, and whether the URL"
        " begins with ws:// or wss://.",
        "unreachable": "It worked a moment ago and does not now: the network is shaky, or the server lets few"
        " connections in. Try again in a minute.",
        "bad request": "The server does not take our request, which it says why, or nobody does: is it this venue at"
        " all? With credentials, check them too.",
        "unauthorized": "The server wants credentials, or other ones: check {variables}, and that the key may read.",
        "forbidden": "The server does not let this address in: venues refuse some countries and data centres, keys that"
        " are bound to other addresses, and who asked too much. Try from another network, or wait.",
        "not found": "There is nothing at this path: check the URL, or update trioquotes if the venue moved it.",
        "redirect": "The server sends elsewhere, and no session follows: a login page of the network, or a venue that"
        " moved ({location}).",
        "too many": "Too many connects from this address: wait {retry_after} before the next one, and see what else here"
        " connects to {venue}.",
        "legal": "The venue refuses this country for legal reasons.",
        "server": "The venue has a trouble of its own: see its status page and try later; a session retries by itself.",
        "not switched": "The server speaks HTTP and does not switch to WebSocket: check host, port and path; a proxy may"
        " have taken the Upgrade header out.",
        "bad switch": "The server's switch to WebSocket breaks the standard: is it this venue at all? A proxy in between"
        " may spoil it.",
        "refused": "The words say why.",
    },
    "subscribe": {
        "refused": "These are the venue's words. Is {instrument} traded there? --instrument takes another.",
        "authentication": "The venue does not take the credentials: check {variables}, and that the key may read.",
        "timeout": "The line is up, and the venue does not confirm. Try another --instrument: some venues say nothing"
        " of one that they do not have. --timeout waits for longer than {timeout}.",
        "lost": "The venue ended the line after the subscription: the words may say why. If they do not, is"
        " {instrument} traded there?",
    },
    "data": {
        "timeout": "The venue confirmed and sent nothing: perhaps nobody trades {instrument} now. Try a busier one with"
        " --instrument, or wait for longer than {timeout} with --timeout.",
        "malformed": "The venue sent what this version cannot read: update trioquotes; if it is the newest, report it"
        " with these words.",
        "throttled": "The venue holds data back because too much was asked from here: wait a minute, and see what else"
        " here asks {venue}.",
        "lost": "The line broke before the first data: a shaky network, or a venue in trouble. A session connects"
        " again by itself.",
        "refused": "These are the venue's words. Is {instrument} traded there? --instrument takes another.",
    },
    "heartbeat": {
        "timeout": "Data came, and nothing shows that the line lives on: something in between may swallow pings. A"
        " session would give such a line up when it falls silent.",
        "lost": "The line broke: a shaky network, or a venue in trouble. A session connects again by itself.",
        "refused": "These are the venue's words.",
    },
    "clock": {
        "ahead": "Set this machine's clock (timedatectl set-ntp true, or chrony): signed requests may be refused, and"
        " every lag is shown too long by as much.",
        "behind": "Set this machine's clock (timedatectl set-ntp true, or chrony): signed requests may be refused, and"
        " every lag is shown too short by as much.",
        "timeout": "Nothing else is known to be wrong: try again, and with a longer --timeout than {timeout}.",
        "rest": "The line works without it; order books by order, audits and lists of instruments need it. HTTP 403"
        " and 429 mean that this address is blocked, or asked too much.",
    },
    "round trip": {
        "timeout": "Nothing answered a ping within {timeout}: the network is shaky, or something swallows pings.",
        "slow": "It is far, or the way is crowded: run closer to the venue, or see what else uses the network.",
        "lost": "The line broke: a shaky network, or a venue in trouble. A session connects again by itself.",
    },
    "limits": {
        "none left": "The venue says that little more may be asked from this address or account: see what else here asks"
        " {venue}.",
    },
}
"""By step and kind; what stands in braces is filled in."""

_VERIFY: Final[Mapping[int, str]] = {
    9: "not yet valid",
    10: "expired",
    18: "not trusted",
    19: "not trusted",
    20: "not trusted",
    21: "not trusted",
    62: "wrong host",
    64: "wrong host",
}
"""OpenSSL's numbers of what is wrong with a certificate.

*Source:* OpenSSL, X509_STORE_CTX_get_error, "ERROR CODES".
"""

_STATUSES: Final[Mapping[int, str]] = {
    400: "bad request",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    407: "unauthorized",
    410: "not found",
    418: "forbidden",  # Upbit's word for an address that went on asking after 429
    429: "too many",
    451: "legal",
}

_CONNECTS: Final[Mapping[int, str]] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EAFNOSUPPORT: "unreachable",
    errno.EACCES: "not permitted",
    errno.EPERM: "not permitted",
    errno.EMFILE: "exhausted",
    errno.ENFILE: "exhausted",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
}


def advice(step: str, kind: str, facts: Mapping[str, str]) -> str:
    """What to do, with the facts filled in; empty where nothing went wrong.

    Raises:
        KeyError: there is no such kind of failure at that step, or the words need a fact that is missing.
    """
    return ADVICE[step][kind].format_map(facts) if kind else ""


def kind_of_resolve(error: OSError) -> str:
    """Why a name could not be looked up."""
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    if not isinstance(error, socket.gaierror):
        return "other"
    if error.errno in unknown:
        return "no such host"
    return "name server" if error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL} else "other"


def kind_of_connect(error: BaseException) -> str:
    """Why one address did not answer; for several errors that of the first."""
    cause = _cause(error)
    return _CONNECTS.get(cause.errno or 0, "other") if isinstance(cause, OSError) else "other"


def kind_of_tls(error: BaseException) -> str:
    """Why TLS could not be agreed on."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _VERIFY.get(cause.verify_code, "other")
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "lost"
    if not isinstance(cause, ssl.SSLError):
        return "lost"
    reason = cause.reason or ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}:
        return "not tls"  # what OpenSSL calls a wrong version is any other protocol
    words = ("PROTOCOL", "VERSION", "CIPHER", "HANDSHAKE_FAILURE", "TOO_SMALL", "LEGACY")
    return "versions" if any(word in reason for word in words) else "other"


def kind_of_handshake(failure: Failure, *, late: bool) -> str:
    """Why there was no switch to WebSocket.

    Args:
        failure: as the connector said it.
        late: whether all the time was used up.
    """
    status = failure.status
    if failure.stage in {"connect", "tls"}:
        return "unreachable"
    if status is None:
        return "timeout" if late else "no websocket"
    if status in _STATUSES:
        return _STATUSES[status]
    match status // 100:
        case 3:
            return "redirect"
        case 5:
            return "server"
        case 4:
            return "refused"
    return "bad switch" if status == 101 else "not switched"


def kind_of_refusal(error: TrioquotesError) -> str:
    """Why the venue did not confirm."""
    if isinstance(error, AuthenticationFailed):
        return "authentication"
    return "refused" if isinstance(error, SubscriptionRejected) else "lost"


def _cause(error: BaseException) -> BaseException:
    """The reason at the bottom: of a group, that of its first error."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif error.__cause__ is not None:
            error = error.__cause__
        else:
            return error
