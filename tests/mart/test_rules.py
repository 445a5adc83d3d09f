"""A company's own rules folder works, and an unusable one is refused with one clear message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mart_company import AS_OF, Built, load, rules_with

from huiyin.config import Settings
from warehouse.dbt import SELECT_UNIT_TESTS, DbtFailedError, run_dbt
from warehouse.rules import RulesError, check_rules


def edited(folder: Path, name: str, old: str, new: str) -> Settings:
    rules = rules_with(folder / "rules")
    file = rules / f"{name}.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return Settings(var=folder, rules=rules)


def test_a_missing_rules_file_is_named(tmp_path: Path) -> None:
    rules = rules_with(tmp_path / "rules")
    (rules / "sla_policies.csv").unlink()
    with pytest.raises(RulesError, match=r"sla_policies\.csv: the file is missing"):
        run_dbt(Settings(var=tmp_path, rules=rules), "build")
    assert not (tmp_path / "warehouse.duckdb").exists(), "nothing was touched"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("sla_policies", "target_minutes", "minutes", r"sla_policies\.csv: lacks the columns 'target_minutes'"),
        ("sla_policies", "fr_urgent,,urgent,,,first_response,30", "a,,,,,first_response,soon",
         r"sla_policies\.csv row 2: target_minutes is 'soon', which is no double precision"),
        ("sla_policies", "fr_vip_urgent,vip,", "fr_vip_urgent,svip,",
         r"sla_policies\.csv row 7: customer_tier is 'svip', which isn't one of vip, regular"),
        ("sla_policies", "fr_high,,high,", "fr_high,,higher,", "priority is 'higher', which isn't one of urgent, high"),
        ("sla_policies", "nr_any,,,,,next_response", "nr_any,,,,,next_reply",
         "sla_metric is 'next_reply', which isn't one of first_response, next_response, periodic_update"),
        ("sla_policies", "30,business", "30,service", "clock is 'service', which isn't one of business, calendar"),
        ("sla_policies", "30,business", "30,", "row 2: clock is empty"),
        ("sla_policies", "calendar,pending,", "calendar,pending|asleep,",
         r"pauses_on is 'pending\|asleep', which isn't joined by '\|' of new, open, pending, on_hold, solved"),
        ("sla_policies", "first_response,30,", "first_response,0.01,", "is 0.01, which is no time from a second"),
        ("sla_policies", "first_response,30,", "first_response,nan,", "is nan, which is no time from a second to ten"),
        ("sla_policies", "business,,,\nfr_high,", "business,,2024-03-01,2024-03-01\nfr_high,",
         "row 2: effective_to_on 2024-03-01 isn't after effective_from_on 2024-03-01"),
        ("sla_policies", "fr_high,,high,,,", "fr_urgent,,high,,,", "row 3: policy_id 'fr_urgent' is there twice"),
        ("sla_policies", "fr_high,,high,,,", "fr_high,,high,web-chat,,",
         r"channel is 'web-chat', which channels\.csv lacks; no ticket would ever have this target"),
        ("sla_policies", "fr_high,,high,,,", "fr_high,,high,,delivery,",
         r"problem_type is 'delivery', which problem_types\.csv lacks"),
        ("composite_weights", "reopen_share,quality", "reopen_share,care",
         "row 5: indicator_group is 'care', which isn't one of speed, quality, satisfaction"),
        ("composite_weights", "quality,0.1,0.25", "quality,0.1,0.01",
         r"row 5: floor_value is 0\.01; it must lie above the target 0\.08 of reopen_share"),
        ("composite_weights", "reopen_share,", "reopened,", r"'reopened', which indicators\.csv lacks"),
        ("composite_weights", "nps,satisfaction,0.05,", "reopen_share,satisfaction,0.05,",
         "reopen_share is weighted twice"),
        ("campaigns", "2025-01-06", "6.1.2025", r"campaigns\.csv row 2: starts_on is '6\.1\.2025', which is no date"),
        ("routing", "物流组", "", r"routing\.csv row 2: team is empty"),
        ("service_schedules", "front_desk,true", "front_desk,maybe", "is_default is 'maybe', which is no boolean"),
        ("service_schedules", "08:00,22:00", "8am,22:00", "opens is '8am', which is no clock time"),
        ("service_schedules", "Asia/Shanghai", "Asia/Peking", "timezone is 'Asia/Peking', which is no time zone"),
    ],
)  # fmt: skip
def test_a_bad_column_or_value_is_named_with_its_row(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(RulesError, match=message):
        check_rules(edited(tmp_path, name, old, new))


def test_weights_of_speed_alone_are_refused(tmp_path: Path) -> None:
    rules = rules_with(tmp_path / "rules")
    file = rules / "composite_weights.csv"
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([head, *(row for row in rows if ",speed," in row)]), encoding="utf-8")
    with pytest.raises(RulesError, match=r"composite_weights\.csv: all the weight is on speed; an index of one group"):
        check_rules(Settings(var=tmp_path, rules=rules))


def test_rules_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    rules = rules_with(tmp_path / "rules")
    (rules / "routing.csv").write_bytes("problem_subtype,team\n漏水,物流组\n".encode("gb18030"))
    with pytest.raises(RulesError, match=r"routing\.csv: is not UTF-8"):
        check_rules(Settings(var=tmp_path, rules=rules))


def test_rules_without_a_default_schedule_are_refused(tmp_path: Path) -> None:
    rules = rules_with(tmp_path / "rules")
    file = rules / "service_schedules.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",true,", ",false,"), encoding="utf-8")
    with pytest.raises(RulesError, match=r"service_schedules\.csv: exactly one schedule_id must be the default"):
        check_rules(Settings(var=tmp_path, rules=rules))


def test_broken_data_fails_the_build_naming_table_rule_and_number_of_rows(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    load(
        settings,
        {
            "tickets": [
                {"ticket_id": "1", "channel": "phone", "created_at": AS_OF, "body": "坏了"},
                {"ticket_id": "2", "channel": "phone", "created_at": AS_OF, "body": "也坏了"},
            ],
            "ticket_events": [
                {
                    "event_id": "e1", "ticket_id": "1", "event_at": AS_OF, "field": "status", "new_value": "exploded",
                    "actor_role": "agent",
                }
            ],
        },
    )  # fmt: skip
    with pytest.raises(DbtFailedError, match=r"fct_tickets_is_sound .*problem: status is known, broken_rows: 1"):
        run_dbt(settings, "build")
    with pytest.raises(DbtFailedError, match="no_such_model"):
        run_dbt(settings, "build", "no_such_model+")


def test_unit_tests_of_the_rules_pass(on_duckdb: Built) -> None:
    report = run_dbt(on_duckdb.settings, "test", SELECT_UNIT_TESTS)
    assert report.counts == {"pass": len(report.nodes)}
    assert len(report.nodes) >= 8


def test_unit_tests_of_the_rules_pass_on_postgres(on_postgres: Built) -> None:
    report = run_dbt(on_postgres.settings, "test", SELECT_UNIT_TESTS)
    assert report.counts == {"pass": len(report.nodes)}


def test_the_warehouse_is_free_for_other_processes_after_dbt(on_duckdb: Built) -> None:
    code = (
        f"import duckdb; print(duckdb.connect({str(on_duckdb.settings.duckdb_file)!r}).execute('select 1').fetchall())"
    )
    run_dbt(on_duckdb.settings, "build", "dim_channel")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
