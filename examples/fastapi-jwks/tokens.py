"""Checks access tokens (RFC 9068) with PyJWT, by the public keys that Postern publishes: no call of Postern per request.

What follows from that: a token that was revoked passes here until it expires. See the README.
"""

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
from fastapi import Request
from fastapi.responses import JSONResponse

ISSUER = os.environ.get("POSTERN_SERVER", "http://localhost:4800").rstrip("/")
RESOURCE = os.environ.get("POSTERN_RESOURCE", "https://api.example.com")

# What this API's tokens are signed with: what its resource says, ES256 unless it was told otherwise. Only that.
ALGORITHMS = ["ES256"]
TYPES = {"at+jwt", "application/at+jwt"}
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "tenant"]
LONGEST_TOKEN = 8192
# For clocks that differ: a token counts that much longer, too.
LEEWAY_SECONDS = 10

if urlsplit(ISSUER).scheme != "https" and urlsplit(ISSUER).hostname not in ("localhost", "127.0.0.1", "::1"):
    raise SystemExit("POSTERN_SERVER must use https: whoever can change the keys on their way can make tokens.")

# Five minutes is what Postern's Cache-Control says. A key that is not known is asked for every 30 seconds at most, so that
# strangers who invent key ids cause no flood of fetches.
keys = jwt.PyJWKClient(f"{ISSUER}/jwks", lifespan=300, cooldown_duration=30, timeout=5)


@dataclass
class Denied(Exception):
    """A refused request; the codes are those of Postern's own verify."""

    code: str
    detail: str
    scopes: list[str] = field(default_factory=list)


def require(*scopes: str):
    """A dependency that returns the token's claims, or answers 401, 403 or 503.

    It is not async: FastAPI runs it in a thread, because fetching the keys blocks.
    """

    def dependency(request: Request) -> dict[str, Any]:
        claims = verify(presented_token(request))
        if not set(scopes) <= set(claims.get("scope", "").split()):
            raise Denied("insufficient_scope", "The token lacks a scope that is needed here.", list(scopes))
        return claims

    return dependency


def verify(token: str) -> dict[str, Any]:
    """The claims of a token that is good, or `Denied`."""
    if len(token) > LONGEST_TOKEN:
        raise Denied("malformed", "The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
        # An ID token and a logout token are signed by the same keys: only the type tells that they are not for APIs.
        if str(header.get("typ", "")).lower() not in TYPES:
            raise Denied("unsupported", "This is not an access token.")
        # Algorithm and key come from here and from the issuer, never from what the token brings along.
        claims = jwt.decode(
            token,
            signing_key(header.get("kid")),
            algorithms=ALGORITHMS,
            issuer=ISSUER,
            audience=RESOURCE,
            leeway=LEEWAY_SECONDS,
            # PyJWT holds exp, nbf and iat (one in the future) against the clock, but asks for none of them by itself.
            options={"require": REQUIRED, "strict_aud": True},
        )
    except jwt.ExpiredSignatureError:
        raise Denied("expired", "The token has expired.") from None
    except jwt.ImmatureSignatureError:
        raise Denied("not_yet_valid", "The token is not valid yet.") from None
    except jwt.InvalidAudienceError:
        raise Denied("wrong_resource", "The token is for another API.") from None
    except jwt.PyJWTError:
        raise Denied("unknown", "The token is not one of this issuer's.") from None

    if not isinstance(claims.get("scope", ""), str):
        raise Denied("malformed", "The token's scope is not a text.")
    # Bound to a key (RFC 9449): a thief could use it here, because nothing in this file checks the proof.
    if "cnf" in claims:
        raise Denied("proof_required", "The token is bound to a key, and this API cannot check the proof.")
    return claims


def signing_key(kid: Any) -> jwt.PyJWK:
    """The issuer's key of that name. When it cannot be fetched, nobody is let in."""
    if not isinstance(kid, str):
        raise jwt.InvalidTokenError("A token names its key.")
    try:
        return keys.get_signing_key(kid)
    except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError) as error:
        print(f"The keys cannot be fetched from {keys.uri}: {type(error).__name__}")
        raise Denied("unavailable", "The token cannot be checked right now.") from None


def presented_token(request: Request) -> str:
    """The one token of the request (RFC 6750, section 2.1)."""
    values = request.headers.getlist("authorization")
    if not values:
        raise Denied("missing", "No token was presented.")
    if len(values) > 1:
        raise Denied("multiple_credentials", "More than one token was presented.")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Denied("unsupported", "This API takes Bearer tokens.")
    return token.strip()


async def refuse(_: Request, denied: Denied) -> JSONResponse:
    """RFC 6750 challenges and RFC 9457 problems; an exception handler for `Denied`."""
    status, title = 401, "Unauthorized"
    if denied.code == "insufficient_scope":
        status, title = 403, "Forbidden"
    elif denied.code == "unavailable":
        status, title = 503, "Service Unavailable"

    headers = {"cache-control": "no-store"}
    challenge = f'Bearer realm="{RESOURCE}"'
    if denied.code == "missing":
        headers["www-authenticate"] = challenge
    elif status == 403:
        headers["www-authenticate"] = f'{challenge}, error="insufficient_scope", scope="{" ".join(denied.scopes)}"'
    elif status == 401:
        headers["www-authenticate"] = f'{challenge}, error="invalid_token"'
    else:
        headers["retry-after"] = "5"

    problem = {"type": "about:blank", "title": title, "status": status, "code": denied.code, "detail": denied.detail}
    return JSONResponse(problem, status, headers, media_type="application/problem+json")
