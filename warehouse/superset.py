"""A bundle of datasets, charts and a dashboard on the published mart, as Apache Superset 6.1 imports it.

``bi/superset/dashboard.yml`` says what is shown; Superset's own files repeat it several times over (a chart's form, its
query, its place), so they are made here. Column captions come from the published ``mart.bi_captions``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.connection import open_published

ROOT = "huiyin"
_SPACE = uuid5(NAMESPACE_URL, "https://huiyin.invalid/bi/superset")
_VERSION = "1.0.0"
_TYPES = {
    "text": "VARCHAR", "bigint": "BIGINT", "integer": "INTEGER", "double precision": "DOUBLE PRECISION",
    "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP",
}  # fmt: skip
_DEFAULT_LIMIT = 10_000
_TIME_FILTER = {
    "id": "NATIVE_FILTER-time",
    "type": "NATIVE_FILTER",
    "filterType": "filter_time",
    "name": "时间范围",
    "targets": [{}],
    "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    "controlValues": {},
    "cascadeParentIds": [],
    "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
}


class BundleError(HuiyinError):
    """The bundle can't be made; the message says why and what to do."""


@dataclass(frozen=True)
class _Column:
    name: str
    caption: str
    description: str
    sql_type: str


def write_bundle(settings: Settings, out: Path, database_url: str = "") -> list[str]:
    """Write the bundle as a ZIP file and return its files' names.

    ``database_url``: by what Superset reaches the mart, a SQLAlchemy URL without a password (Superset asks for it when
    it imports). Default: the published DuckDB file; with a PostgreSQL warehouse it must be given. Raises
    :class:`BundleError`, and ``WarehouseError`` where no mart is published.
    """
    definition = yaml.safe_load(_definition_file(settings).read_text(encoding="utf-8"))
    if not database_url:
        if settings.dialect == "postgres":
            raise BundleError(
                "say by what Superset reaches the mart: --database-url"
                " postgresql+psycopg2://LOGIN@HOST:5432/DATABASE, a login of the role HUIYIN_BI_ROLE"
            )
        database_url = f"duckdb:///{settings.published_file}"
    files = dict(_files(definition, _mart_columns(settings), database_url))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
            bundle.writestr(f"{ROOT}/{name}", text)
    return list(files)


def _definition_file(settings: Settings) -> Path:
    return settings.home / "bi" / "superset" / "dashboard.yml"


def _mart_columns(settings: Settings) -> dict[str, list[_Column]]:
    """Columns of each published mart with their captions; those of a mart itself come first, unnamed."""
    with open_published(settings) as mart:
        rows = mart.rows(
            "select c.table_name, c.column_name, c.caption_zh, c.description, lower(s.data_type) as data_type"
            " from mart.bi_captions c left join information_schema.columns s on s.table_schema = 'mart'"
            " and s.table_name = c.table_name and s.column_name = c.column_name"
            " order by c.table_name, c.column_position"
        )
    found: dict[str, list[_Column]] = {}
    for row in rows:
        sql_type = (row["data_type"] or "").replace(" without time zone", "")
        found.setdefault(row["table_name"], []).append(
            _Column(row["column_name"], row["caption_zh"], row["description"], _TYPES.get(sql_type, sql_type.upper()))
        )
    return found


def _uuid(kind: str, name: str) -> str:
    return str(uuid5(_SPACE, f"{kind}/{name}"))


def _files(
    definition: Mapping[str, Any], marts: Mapping[str, Sequence[_Column]], database_url: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "metadata.yaml", {"version": _VERSION, "type": "assets"}
    yield "databases/huiyin.yaml", _database(database_url)
    datasets = {dataset["name"]: dataset for dataset in definition["datasets"]}
    for name, dataset in datasets.items():
        yield f"datasets/huiyin/{name}.yaml", _dataset(dataset, marts)
    for number, chart in enumerate(definition["charts"], start=1):
        yield f"charts/{number:02d}.yaml", _chart(chart, datasets[chart["dataset"]])
    yield "dashboards/service.yaml", _dashboard(definition)


def _database(url: str) -> dict[str, Any]:
    is_duckdb = url.startswith("duckdb:")
    # Otherwise whoever may write SQL in Superset reads and writes the server's files.
    arguments: dict[str, Any] = {
        "read_only": True,
        "config": {"enable_external_access": False, "lock_configuration": True},
    }
    return {
        "database_name": "回音 Huiyin",
        "sqlalchemy_uri": url,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {
            "allows_virtual_table_explore": True,
            "engine_params": {"connect_args": arguments} if is_duckdb else {},
            "metadata_params": {},
        },
        "uuid": _uuid("database", ROOT),
        "version": _VERSION,
    }


def _dataset(dataset: Mapping[str, Any], marts: Mapping[str, Sequence[_Column]]) -> dict[str, Any]:
    name = dataset["name"]
    if "sql" in dataset:
        captions = {column.name: column.caption for mart in marts.values() for column in mart}
        columns = [_Column(c, captions.get(c, c), "", _TYPES[kind]) for c, kind in dataset["columns"].items()]
        description = dataset["caption"]
    else:
        if name not in marts:
            raise BundleError(f"the published mart has no {name}; publish it anew (`huiyin run`)")
        mart, *columns = marts[name]
        description = f"{mart.caption}。{mart.description}"
    return {
        "table_name": name,
        "main_dttm_col": dataset["time"],
        "description": description,
        "schema": "mart",
        "sql": dataset.get("sql"),
        "filter_select_enabled": True,
        "columns": [
            {
                "column_name": column.name,
                "verbose_name": column.caption,
                "description": column.description or None,
                "type": column.sql_type,
                "is_dttm": column.sql_type in ("DATE", "TIMESTAMP"),
                "is_active": True,
                "groupby": True,
                "filterable": True,
            }
            for column in columns
        ]
        + [
            {
                "column_name": column,
                "verbose_name": facts["caption"],
                "expression": facts["sql"],
                "type": _TYPES["text"],
                "is_dttm": False,
                "is_active": True,
                "groupby": True,
                "filterable": True,
            }
            for column, facts in dataset.get("calculated", {}).items()
        ],
        "metrics": [
            {
                "metric_name": metric,
                "verbose_name": facts["caption"],
                "expression": facts["sql"],
                "d3format": facts["format"],
            }
            for metric, facts in dataset.get("metrics", {}).items()
        ],
        "uuid": _uuid("dataset", name),
        "database_uuid": _uuid("database", ROOT),
        "version": _VERSION,
    }


def _chart(chart: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    form = _form(chart, dataset)
    context = {
        # The import puts the dataset's number here.
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [_query(chart, dataset)],
        "form_data": form,
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": chart["name"],
        "viz_type": chart["viz"],
        "params": form,
        "query_context": json.dumps(context, ensure_ascii=False),
        "uuid": _uuid("chart", chart["name"]),
        "dataset_uuid": _uuid("dataset", dataset["name"]),
        "version": _VERSION,
    }


def _query(chart: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart asks the database for, as Superset's interface would."""
    columns: list[Any] = [*chart.get("rows", []), *chart.get("columns", []), *chart.get("by", [])]
    if "x" in chart:
        axis = {"columnType": "BASE_AXIS", "expressionType": "SQL", "label": chart["x"], "sqlExpression": chart["x"]}
        columns.insert(0, axis | ({"timeGrain": chart["grain"]} if "grain" in chart else {}))
    metrics = chart.get("metrics", [])
    order = [[name, direction == "asc"] for name, direction in chart.get("order", {}).items()]
    return {
        "columns": columns,
        **({"metrics": metrics} if metrics else {}),
        "filters": [{"col": name, "op": "==", "val": value} for name, value in chart.get("where", {}).items()],
        "granularity": dataset["time"],
        "time_range": "No filter",
        "orderby": order or [[metric, False] for metric in metrics[:1]],
        "row_limit": chart.get("limit", _DEFAULT_LIMIT),
        "extras": {"having": "", "where": ""},
        "annotation_layers": [],
        "applied_time_extras": {},
        "url_params": {},
        "custom_params": {},
        "custom_form_data": {},
    }


def _form(chart: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart's editor shows."""
    metrics = chart.get("metrics", [])
    formats = [dataset["metrics"][metric]["format"] for metric in metrics]
    form: dict[str, Any] = {
        "viz_type": chart["viz"],
        "granularity_sqla": dataset["time"],
        "time_range": "No filter",
        "adhoc_filters": [
            {"clause": "WHERE", "expressionType": "SIMPLE", "subject": name, "operator": "==", "operatorId": "EQUALS",
             "comparator": value}
            for name, value in chart.get("where", {}).items()
        ],
        "row_limit": chart.get("limit", _DEFAULT_LIMIT),
    }  # fmt: skip
    match chart["viz"]:
        case "big_number_total":
            form |= {"metric": metrics[0], "y_axis_format": formats[0]}
        case "pie":
            form |= {"metric": metrics[0], "groupby": chart["by"]}
        case "table":
            order = [json.dumps([name, direction == "asc"]) for name, direction in chart.get("order", {}).items()]
            form |= {
                "query_mode": "raw",
                "all_columns": chart["columns"],
                "order_by_cols": order,
                "column_config": {
                    name: {"d3TimeFormat" if text.startswith("%") else "d3NumberFormat": text}
                    for name, text in chart.get("formats", {}).items()
                },
            }
        case "pivot_table_v2":
            form |= {
                "groupbyRows": chart["rows"], "groupbyColumns": chart["columns"], "metrics": metrics,
                "metricsLayout": "COLUMNS", "aggregateFunction": "Sum", "valueFormat": formats[0],
            }  # fmt: skip
        case _:
            form |= {
                "x_axis": chart["x"], "time_grain_sqla": chart.get("grain"), "metrics": metrics,
                "groupby": chart.get("by", []), "y_axis_format": formats[0], "rich_tooltip": True,
                "x_axis_sort_asc": True, "order_desc": True,
            }  # fmt: skip
    form |= chart.get("options", {})
    return form


def _dashboard(definition: Mapping[str, Any]) -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": definition["title"]}},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "parents": ["ROOT_ID"], "children": []},
    }
    for number, row in enumerate(definition["layout"], start=1):
        row_id = f"ROW-{number}"
        position["GRID_ID"]["children"].append(row_id)
        position[row_id] = {
            "type": "ROW", "id": row_id, "parents": ["ROOT_ID", "GRID_ID"], "children": [],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }  # fmt: skip
        for name, width in row["charts"].items():
            chart_id = f"CHART-{_uuid('chart', name)[:8]}"
            position[row_id]["children"].append(chart_id)
            position[chart_id] = {
                "type": "CHART", "id": chart_id, "parents": ["ROOT_ID", "GRID_ID", row_id], "children": [],
                # The import puts the chart's number here; 1 … n tell them apart until then.
                "meta": {"chartId": len(position), "uuid": _uuid("chart", name), "sliceName": name, "width": width,
                         "height": row["height"]},
            }  # fmt: skip
    return {
        "dashboard_title": definition["title"],
        "slug": definition["slug"],
        "published": True,
        "position": position,
        "metadata": {
            "native_filter_configuration": [_TIME_FILTER],
            "cross_filters_enabled": True,
            "refresh_frequency": 0,
        },
        "uuid": _uuid("dashboard", definition["slug"]),
        "version": _VERSION,
    }  # fmt: skip
