"""The store itself: opens it, moves Arrow data in and out, runs dbt, publishes the mart."""

from warehouse.connection import (
    MergeCounts,
    Warehouse,
    WarehouseError,
    WarehouseLockedError,
    open_published,
    open_warehouse,
)

__all__ = [
    "MergeCounts",
    "Warehouse",
    "WarehouseError",
    "WarehouseLockedError",
    "open_published",
    "open_warehouse",
]
