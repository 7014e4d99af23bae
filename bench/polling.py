"""The peer that `bench.waiting` is measured beside: source 002's own design, each call asks every 500 ms."""

from __future__ import annotations

import os
import time

import sqlalchemy
from flask import Flask, Response

EACH_SECONDS, LONGEST_SECONDS = 0.5, 60.0
app = Flask(__name__)
_engine = sqlalchemy.create_engine(os.environ["POLLED_DB"], pool_size=20, max_overflow=20)
_STATUS = sqlalchemy.text("select status from payments where id = :id")
_held = 0


@app.get("/")
def held() -> str:
    """Say how many calls wait."""
    return str(_held)


@app.get("/<transaction_id>")
def wait(transaction_id: str) -> Response:
    """Ask the database again and again until the transaction has succeeded, or a minute is over."""
    global _held  # one gevent process, one number
    _held += 1
    try:
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            with _engine.connect() as connection:
                status = connection.scalar(_STATUS, {"id": transaction_id})
            if status == "completed":
                return Response('{"status":"succeeded"}', content_type="application/json")
            time.sleep(EACH_SECONDS)
        return Response('{"timedOut":true}', content_type="application/json")
    finally:
        _held -= 1
