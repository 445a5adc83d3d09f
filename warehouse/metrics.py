"""The semantic layer: any indicator by any dimension and period, from the published mart, by MetricFlow.

Metrics and dimensions are declared in ``dbt_project/models/semantic/``. dbt writes them down with each build;
MetricFlow makes one SQL query of them, which runs here, read-only, on what readers see. Nothing of it uses the network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.connection import open_published


class MetricsError(HuiyinError):
    """The query asks for what the semantic layer doesn't have; the message says what it has."""


@dataclass(frozen=True)
class Metric:
    """A metric, what it is called, and by what it can be grouped besides periods."""

    name: str
    label: str
    group_by: tuple[str, ...]


def list_metrics(settings: Settings) -> list[Metric]:
    """All metrics: indicators and the parts they are made of. Raises :class:`MetricsError` before the first build."""
    from metricflow_semantic_interfaces.type_enums.dimension_type import DimensionType

    found = _engine(settings).list_metrics(include_dimensions=True)
    return [
        Metric(
            metric.name,
            metric.label or "",
            tuple(
                sorted(
                    dimension.dunder_name
                    for dimension in metric.dimensions
                    if dimension.type is DimensionType.CATEGORICAL
                )
            ),
        )
        for metric in sorted(found, key=lambda metric: metric.name)
    ]


def metrics_sql(
    settings: Settings,
    metrics: Sequence[str],
    group_by: Sequence[str] = (),
    where: Sequence[str] = (),
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """The SQL of a query on schema ``mart``, in the warehouse's dialect, for a BI tool or a look at how it is made.

    ``group_by``: dimensions (``ticket__channel``) and periods (``metric_time__day``, ``__week``, ``__month``,
    ``__quarter``, ``__year``). ``where``: MetricFlow's filters, as ``{{ Dimension('ticket__team') }} = '售后组'``.
    ``order_by``: names of either, ``-`` before one turns it round. Raises :class:`MetricsError`.
    """
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    request = MetricFlowQueryRequest.create(
        metric_names=list(metrics),
        group_by_names=list(group_by),
        where_constraints=list(where) or None,
        order_by_names=list(order_by) or None,
        limit=limit,
    )
    engine = _engine(settings)
    try:
        return str(engine.explain(request).sql_statement.sql)
    except Exception as error:
        # MetricFlow has a dozen kinds of errors for one thing: the query names something that isn't there.
        if not type(error).__module__.startswith(("metricflow", "metricflow_semantics")):
            raise
        raise MetricsError(
            f"these metrics can't be queried so: {' '.join(str(error).split())[:600]};"
            " `huiyin metrics list` shows what there is"
        ) from error


def query_metrics(
    settings: Settings,
    metrics: Sequence[str],
    group_by: Sequence[str] = (),
    where: Sequence[str] = (),
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> pa.Table:
    """The result of a query (see :func:`metrics_sql`): a column for each group-by and metric, shares 0…1.

    Raises :class:`MetricsError`, and ``WarehouseError`` where no mart is published.
    """
    statement = metrics_sql(settings, metrics, group_by, where, order_by, limit)
    with open_published(settings) as mart:
        found = mart.query(statement)
    # Periods are local dates, which PostgreSQL makes instants of when it cuts them to a month.
    types = [pa.date32() if pa.types.is_timestamp(field.type) else field.type for field in found.schema]
    return found.cast(pa.schema(list(zip(found.column_names, types, strict=True))))


class _Dialect:
    """What MetricFlow wants to know of a database when it only writes SQL."""

    def __init__(self, name: str) -> None:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
        from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer

        is_duckdb = name == "duckdb"
        self.sql_engine_type = SqlEngine.DUCKDB if is_duckdb else SqlEngine.POSTGRES
        self.sql_plan_renderer = DuckDbSqlPlanRenderer() if is_duckdb else PostgresSQLSqlPlanRenderer()


def _engine(settings: Settings) -> Any:
    # Takes two seconds to import: only for who queries.
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    file = settings.var_dir / "dbt" / settings.dialect / "target" / "semantic_manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MetricsError(
            f"the mart was never built here ({file} is missing); run the DAG service_mart, or `huiyin run`"
        ) from error
    for relation in [model["node_relation"] for model in manifest["semantic_models"]] + [
        spine["node_relation"] for spine in manifest["project_configuration"]["time_spines"]
    ]:
        # dbt states where it builds; readers see schema mart.
        relation |= {"database": None, "schema_name": "mart", "relation_name": f"mart.{relation['alias']}"}
    lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(json.dumps(manifest)))
    return MetricFlowEngine(semantic_manifest_lookup=lookup, sql_client=_Dialect(settings.dialect))  # type: ignore[arg-type]
