"""The database: named queries, transactions as scripts, repositories over a driver."""

from tempmail.adapters.sql.store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
