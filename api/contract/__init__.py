"""The contract of the API: one record per body validates and documents; one decorator checks in order.

@endpoint(blueprint, "POST", "/api/orders", access=Permission.ORDERS_CREATE, body=OrderIn,
          answers={201: OrderOut}, key="R", summary="Create an order.", requirement="S14")
def create(call: Call[OrderIn, NoQuery]) -> Answer: ...
"""

from __future__ import annotations

from api.contract.answers import Answer
from api.contract.calls import Call, NoBody, NoQuery
from api.contract.endpoints import endpoint, route
from api.contract.paging import Listed, PageQuery, Place, RangeQuery, page, place_of
from api.contract.records import (
    In,
    Instant,
    Metadata,
    MoneyIn,
    MoneyOut,
    Out,
    Pending,
    Query,
    Reference,
    Several,
    Text,
    money_out,
)
from api.contract.registry import ENDPOINTS, Endpoint, Open
from api.contract.running import Session, finish, run_once, start
from web.exports import csv_stream as csv_answer
from web.exports import json_stream

__all__ = [
    "ENDPOINTS",
    "Answer",
    "Call",
    "Endpoint",
    "In",
    "Instant",
    "Listed",
    "Metadata",
    "MoneyIn",
    "MoneyOut",
    "NoBody",
    "NoQuery",
    "Open",
    "Out",
    "PageQuery",
    "Pending",
    "Place",
    "Query",
    "RangeQuery",
    "Reference",
    "Session",
    "Several",
    "Text",
    "csv_answer",
    "endpoint",
    "finish",
    "json_stream",
    "money_out",
    "page",
    "place_of",
    "route",
    "run_once",
    "start",
]
