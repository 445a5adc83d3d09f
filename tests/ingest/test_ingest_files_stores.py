"""Files in object stores: a real S3 server on loopback, and fsspec's memory."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]
import pytest
import yaml
from ingest_company import TICKET_HEADER, Company

from huiyin.interval import Interval
from ingest.connectors.files.config import FilesSource
from ingest.connectors.files.reader import check, find_files
from ingest.errors import SourceError

boto3 = pytest.importorskip("boto3", reason="the S3 server for tests needs moto[server]")
pytest.importorskip("s3fs", reason="the extra s3 is not installed")


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """An S3 server on a loopback port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """A bucket of its own, and how a source reaches it."""

    def __init__(self, url: str) -> None:
        self.name = f"desk-{uuid4().hex[:8]}"
        self.client: Any = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )
        self.client.create_bucket(Bucket=self.name)
        self.storage = {
            "key": "${TEST_S3_KEY}",
            "secret": "${TEST_S3_SECRET}",
            "client_kwargs": {"endpoint_url": url, "region_name": "us-east-1"},
        }

    def put(self, name: str, content: str | bytes) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket=self.name, Key=name, Body=body)


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket; its keys are in the environment."""
    monkeypatch.setenv("TEST_S3_KEY", "test")
    monkeypatch.setenv("TEST_S3_SECRET", "test")
    return Bucket(s3_url)


def tickets(*ids: str) -> str:
    return TICKET_HEADER + "".join(f"{id_},C1,phone,,,2025-03-01 10:00:00,high\n" for id_ in ids)


def declare(company: Company, bucket: Bucket, path: str, **source: Any) -> None:
    table = {"entity": "tickets", "path": path}
    company.declare(
        {"name": "desk", "domain": "tickets", "kind": "files", "storage": bucket.storage, "tables": [table], **source}
    )


def test_objects_are_loaded_by_day_and_unchanged_ones_are_not_read_again(
    duckdb_company: Company, bucket: Bucket
) -> None:
    declare(duckdb_company, bucket, f"s3://{bucket.name}/tickets/{{date}}/*.csv*")
    bucket.put("tickets/2025-03-01/a.csv", tickets("1", "2"))
    bucket.put("tickets/20250302/b.csv.gz", gzip.compress(tickets("3").encode("gb18030")))
    bucket.put("tickets/notes/c.csv", tickets("9"))
    (report,) = duckdb_company.load()
    assert (report.loaded, report.read, report.skipped) == (3, 2, 0)
    origins = duckdb_company.rows("select origin from raw.load_audit order by 1")
    assert [row["origin"] for row in origins] == [
        f"s3://{bucket.name}/tickets/2025-03-01/a.csv", f"s3://{bucket.name}/tickets/20250302/b.csv.gz"
    ]  # fmt: skip
    bucket.put("tickets/2025-03-01/a.csv", tickets("1", "2"))  # written again, but with the same content
    bucket.put("tickets/20250302/b.csv.gz", gzip.compress(tickets("3", "4").encode()))
    (report,) = duckdb_company.load(batch_id="b2")
    assert (report.loaded, report.unchanged, report.read, report.skipped) == (1, 1, 1, 1)
    duckdb_company.assert_balanced()


def test_parquet_is_read_from_a_store_by_seeking(duckdb_company: Company, bucket: Bucket, tmp_path: Path) -> None:
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    rows = {"ticket_id": ["1"], "channel": ["phone"], "created_at": ["2025-03-01 10:00:00"]}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    bucket.put("t.parquet", (tmp_path / "t.parquet").read_bytes())
    declare(duckdb_company, bucket, f"s3://{bucket.name}/t.parquet")
    (report,) = duckdb_company.load()
    assert report.loaded == 1


def test_what_is_wrong_with_a_store_is_said_without_its_secrets(bucket: Bucket, tmp_path: Path) -> None:
    def fault(path: str, storage: dict[str, Any]) -> str:
        with pytest.raises(SourceError) as raised:
            find_files(tmp_path, path, Interval(), storage)
        assert "s3cr3t" not in str(raised.value)
        return str(raised.value)

    place = f"s3://{bucket.name}/none.csv"
    assert fault(place, bucket.storage) == f"there is no {place}; correct `path`, or have it delivered"
    assert fault(place, {**bucket.storage, "secret": "${NOT_SET}"}) == (
        "storage.secret: set the environment variable NOT_SET"
    )
    unreachable = {**bucket.storage, "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
    assert "can't be reached" in fault(place, unreachable | {"config_kwargs": {"retries": {"max_attempts": 0}}})
    assert "check the protocol of `path`" in fault("nowhere://x/y.csv", {})


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SourceError, match=r"pip install 'huiyin\[s3\]'"):
        find_files(tmp_path, "s3://b/x.csv", Interval(), {})


def test_secrets_belong_into_the_environment_and_stay_out_of_what_is_shown(tmp_path: Path) -> None:
    table = {"entity": "tickets", "path": "memory://x/*.csv"}
    base = {"name": "desk", "domain": "tickets", "kind": "files", "tables": [table]}
    with pytest.raises(ValueError, match=r"secret is a secret: write \$\{NAME\}"):
        FilesSource.model_validate({**base, "storage": {"client_kwargs": {"secret": "s3cr3t"}}})
    source = FilesSource.model_validate({**base, "storage": {"secret": "${S}", "anon": "true"}})
    assert "${S}" not in repr(source) and yaml.safe_load(json.dumps(base))


def test_any_store_of_fsspec_serves(duckdb_company: Company) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/desk/2025-03-01.csv", tickets("1").encode())
    memory.pipe("/desk/2025-03-02.csv", tickets("2").encode())
    table = {"entity": "tickets", "path": "memory://desk/{date}.csv"}
    duckdb_company.declare_files(table)
    (report,) = duckdb_company.load()
    assert report.loaded == 2
    assert duckdb_company.load(batch_id="b2")[0].skipped == 2
    source = FilesSource.model_validate({"name": "desk", "domain": "tickets", "kind": "files", "tables": [table]})
    assert check(source, duckdb_company.folder) == "2 file(s) of 1 table(s)"
