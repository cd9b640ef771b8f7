"""An orders API on FastAPI for access tokens: `orders:read` to read, and a health check for anyone."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI

from tokens import Denied, refuse, require

app = FastAPI(title="Orders")
app.add_exception_handler(Denied, refuse)

Reader = Annotated[dict[str, Any], Depends(require("orders:read"))]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
def list_orders(caller: Reader) -> dict[str, Any]:
    # `tenant` says whose data it is, `sub` who acts.
    return {"tenant": caller["tenant"], "caller": caller["sub"], "orders": ["tea"]}


if __name__ == "__main__":
    import os

    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")))
