"""Asks Postern who is calling: a FastAPI dependency over `POST /v1/verify`.

There is no cache here: every request asks, so a revoked key is refused at once and a caller waits for one round trip.
"""

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import Request
from fastapi.responses import JSONResponse

SERVER = os.environ.get("POSTERN_SERVER", "http://localhost:4800").rstrip("/")
RESOURCE = os.environ.get("POSTERN_RESOURCE", "https://api.example.com")
CREDENTIAL = os.environ.get("POSTERN_CREDENTIAL", "")

if not CREDENTIAL:
    raise SystemExit("Set POSTERN_CREDENTIAL to this service's own key, with the scope verify.")
if urlsplit(SERVER).scheme != "https" and urlsplit(SERVER).hostname not in ("localhost", "127.0.0.1", "::1"):
    raise SystemExit("POSTERN_SERVER must use https: every caller's credential travels to it.")

# One client for the process: it keeps its connections open. It follows no redirect, which would carry credentials away.
client = httpx.AsyncClient(base_url=SERVER, headers={"authorization": f"Bearer {CREDENTIAL}"}, timeout=2.0)

FORBIDDEN = {"insufficient_scope", "ip_not_allowed"}
LIMITED = {"rate_limited", "quota_exceeded"}
AWAY = {"unavailable", "stale"}


@dataclass
class Denied(Exception):
    """A refused request, with one code out of Postern's closed set."""

    code: str
    detail: str
    scopes: list[str] = field(default_factory=list)
    retry_after: int = 1


def require(*scopes: str):
    """A dependency that returns the principal, a dict as on the wire, or answers 401, 403, 429 or 503."""

    async def dependency(request: Request) -> dict[str, Any]:
        question = {
            "credential": presented_credential(request),
            "resource": RESOURCE,
            "scopes": list(scopes),
            "ip": request.client.host if request.client else None,
            "method": request.method,
            "url": str(request.url),
            "origin": request.headers.get("origin"),
            "sec_fetch_site": request.headers.get("sec-fetch-site"),
        }
        answer = await ask({name: value for name, value in question.items() if value is not None})
        if answer["valid"] is True:
            return answer["principal"]
        raise Denied(answer["code"], answer["detail"], list(scopes), answer.get("retry_after_seconds", 1))

    return dependency


async def ask(question: dict[str, Any]) -> dict[str, Any]:
    try:
        response = await client.post("/v1/verify", json=question)
        if response.status_code == 200:
            answer = response.json()
            if isinstance(answer, dict) and "valid" in answer:
                return answer
        print(f"Postern answered {response.status_code}. With 401 or 403, POSTERN_CREDENTIAL is not good for this.")
    except (httpx.HTTPError, ValueError) as error:
        print(f"Postern cannot be asked: {type(error).__name__}")
    raise Denied("unavailable", "The credential cannot be checked right now.")


def presented_credential(request: Request) -> str:
    """The one credential of the request: `Authorization: Bearer` or `X-API-Key`, each at most once."""
    found = request.headers.getlist("x-api-key")
    for value in request.headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            found.append(token.strip())
    if not found:
        raise Denied("missing", "No credential was presented.")
    if len(found) > 1:
        raise Denied("multiple_credentials", "More than one credential was presented.")
    return found[0]


async def refuse(_: Request, denied: Denied) -> JSONResponse:
    """RFC 6750 challenges and RFC 9457 problems; an exception handler for `Denied`."""
    status, title = 401, "Unauthorized"
    if denied.code in FORBIDDEN:
        status, title = 403, "Forbidden"
    elif denied.code in LIMITED:
        status, title = 429, "Too Many Requests"
    elif denied.code in AWAY:
        status, title = 503, "Service Unavailable"

    headers = {"cache-control": "no-store"}
    realm = f'Bearer realm="{RESOURCE}"'
    if denied.code == "missing":
        headers["www-authenticate"] = realm
    elif denied.code == "insufficient_scope":
        headers["www-authenticate"] = f'{realm}, error="insufficient_scope", scope="{" ".join(denied.scopes)}"'
    elif status == 401:
        headers["www-authenticate"] = f'{realm}, error="invalid_token"'
    if status in (429, 503):
        headers["retry-after"] = str(denied.retry_after)

    problem = {"type": "about:blank", "title": title, "status": status, "code": denied.code, "detail": denied.detail}
    return JSONResponse(problem, status, headers, media_type="application/problem+json")
