"""An orders API on FastAPI: `orders:read` to read, `orders:write` to write, and a health check for anyone."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

from postern import Denied, refuse, require

app = FastAPI(title="Orders")
app.add_exception_handler(Denied, refuse)

Reader = Annotated[dict[str, Any], Depends(require("orders:read"))]
Writer = Annotated[dict[str, Any], Depends(require("orders:write"))]

orders: list[dict[str, Any]] = []


class NewOrder(BaseModel):
    item: str = Field(min_length=1, max_length=1000)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def list_orders(caller: Reader) -> list[dict[str, Any]]:
    return [order for order in orders if order["tenant"] == caller["tenant"]]


@app.post("/orders", status_code=201)
async def place_order(caller: Writer, new: NewOrder) -> dict[str, Any]:
    order = {"id": len(orders) + 1, "tenant": caller["tenant"], "placed_by": caller["sub"], "item": new.item}
    orders.append(order)
    return order


if __name__ == "__main__":
    import os

    import uvicorn

    # Behind a proxy of your own, name it in forwarded_allow_ips: then request.client is the caller.
    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")))
