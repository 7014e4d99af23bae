"""The declarative base, its naming convention and the column types that behave alike on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

from core.strictjson import Json


class UtcInstant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite keeps it without its zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; give SQLite the bare UTC value."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  # the signature is SQLAlchemy's
    ) -> datetime | None:
        """Give back an aware UTC instant."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table of ours."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcInstant(),
        int: BigInteger().with_variant(Integer, "sqlite"),
        str: Text(),
        dict[str, Json]: JSON().with_variant(JSONB(), "postgresql"),
        list[Json]: JSON().with_variant(JSONB(), "postgresql"),
    }


PublicId = Annotated[str, mapped_column(String(40), primary_key=True)]
Link = Annotated[str, mapped_column(String(40))]
Short = Annotated[str, mapped_column(String(64))]
Word = Annotated[str, mapped_column(String(32))]

__all__ = ["Base", "Link", "PublicId", "Short", "UtcInstant", "Word"]
