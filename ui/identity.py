"""Who a browser is: a signed cookie that its scripts cannot read, and a token for its page.

The cookie names the visitor. The page gets the token through its own connection and sends it with
each request that changes something; another site's page can cause such a request, with the cookie,
but cannot know the token. Both end with the server: its secret is made at each start.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

COOKIE = "vitrine"

_SECRET = secrets.token_bytes(32)
_FORM = re.compile(r"([A-Za-z0-9_-]{32})\.([0-9a-f]{64})")


def issue() -> str:
    """Return a new cookie's value."""
    key = secrets.token_urlsafe(24)
    return f"{key}.{_sign('cookie', key)}"


def key_of(value: str | None) -> str | None:
    """Return the visitor that a cookie names; None unless this server issued it."""
    match = _FORM.fullmatch(value or "")
    if match and hmac.compare_digest(match[2], _sign("cookie", match[1])):
        return match[1]
    return None


def token(key: str) -> str:
    """Return the token of a visitor's pages."""
    return _sign("token", key)


def holds(key: str, given: str) -> bool:
    """Whether a token is this visitor's."""
    return hmac.compare_digest(given.encode(), token(key).encode())


def _sign(purpose: str, key: str) -> str:
    return hmac.new(_SECRET, f"{purpose}:{key}".encode(), hashlib.sha256).hexdigest()
