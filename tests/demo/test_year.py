"""The demo company's year: tides, calendar, conversations, and the planted stories, counted independently."""

from __future__ import annotations

import sqlite3
from datetime import date
from random import Random

import numpy as np
import pandas as pd

from huiyin.demo.demand import draw_requests
from huiyin.demo.people import Agents, Customers
from huiyin.demo.personal import Inventor

from .conftest import Company

MAKEUP_WORKDAYS = ["2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"]
HOLIDAYS = [
    "2025-01-28", "2025-01-29", "2025-01-30", "2025-01-31", "2025-02-03", "2025-02-04", "2025-05-01", "2025-05-02",
    "2025-05-05", "2025-10-01", "2025-10-02", "2025-10-03", "2025-10-06", "2025-10-07", "2025-10-08",
]  # fmt: skip


def _daily(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby("day").size().reindex(pd.date_range("2025-01-01", "2025-12-31"), fill_value=0)


def _mean(daily: pd.Series, first: str, last: str) -> float:
    return float(daily.loc[first:last].mean())


def test_at_full_size_there_are_enough_requests_customers_and_agents() -> None:
    rng = np.random.default_rng(1)
    customers = Customers(rng, Inventor(Random(1)), 1.0)
    assert len(customers) >= 10_000
    assert 38_000 < len(draw_requests(rng, customers, 1.0)) < 42_000
    assert 140 <= len(Agents(rng, 1.0).all) <= 165


def test_records_stay_in_the_year_and_reach_every_channel(company: Company) -> None:
    assert company.tickets["at"].between("2025-01-01", "2025-12-31 23:59:59").all()
    assert company.events["at"].between("2025-01-01", "2025-12-31 23:59:59").all()
    assert set(company.requests["渠道"]) == {"电话", "在线客服", "微信", "APP", "邮件"}
    assert len(company.tickets) == company.summary.tickets == len(company.truth)
    assert len(company.voices) > 1600
    phone_hours = company.tickets.loc[company.tickets["渠道"] == "电话", "at"].dt.hour
    assert phone_hours.between(8, 21).all()


def test_make_up_workdays_are_busy_and_holidays_are_quiet(company: Company) -> None:
    daily = _daily(company.requests)
    special = pd.to_datetime(MAKEUP_WORKDAYS + HOLIDAYS)
    ordinary = daily.drop(special)
    weekends = ordinary[ordinary.index.dayofweek >= 5]
    workdays = ordinary[ordinary.index.dayofweek < 5]
    assert daily.loc[MAKEUP_WORKDAYS].mean() > 1.15 * weekends.mean()
    assert daily.loc[HOLIDAYS].mean() < 0.65 * workdays.mean()
    assert workdays.mean() > 1.2 * weekends.mean()


def test_campaigns_lift_what_depends_on_sales(company: Company) -> None:
    promotional = ["promotion_rules", "price_protection", "return_exchange", "logistics_delay"]
    daily = _daily(company.requests[company.requests["true_subtype"].isin(promotional)])
    assert _mean(daily, "2025-06-17", "2025-06-22") > 1.3 * _mean(daily, "2025-07-01", "2025-10-25")
    assert _mean(daily, "2025-11-10", "2025-11-15") > 1.5 * _mean(daily, "2025-07-01", "2025-10-25")


def test_every_conversation_is_consistent(company: Company) -> None:
    status = company.events[company.events["变更项"] == "状态"].sort_values(["工单编号", "at"], kind="stable")
    ticket = status["工单编号"]
    is_first = ticket != ticket.shift()
    assert (status.loc[is_first, "新值"] == "新建").all() and (status.loc[is_first, "原值"] == "").all()
    assert (status["原值"] == status["新值"].shift())[~is_first].all()
    created = ticket.map(company.tickets["at"])
    assert (status.loc[is_first, "at"] == created[is_first]).all()
    assert (status["at"] >= created).all()
    assert set(ticket) == set(company.tickets.index)
    closed = status[status["新值"] == "已关闭"].groupby("工单编号")["at"].min()
    assert (status["at"] <= ticket.map(closed).fillna(pd.Timestamp("2026-01-01"))).all()
    reopened = ((status["原值"] == "已解决") & (status["新值"] == "处理中")).groupby(ticket).any()
    assert 0.02 < reopened.mean() < 0.1
    teams = company.events[company.events["变更项"] == "受理组"]
    assert 0.4 < (teams["原值"] != "").groupby(teams["工单编号"]).any().mean() < 0.9
    # The format is stated: the first message may be one of those with a broken instant.
    sent = pd.to_datetime(company.messages["发送时间"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    answered = sent[company.messages["发送人角色"] == "客服"].groupby(company.messages["工单编号"]).min()
    waited = (answered - company.tickets["at"]).dropna()
    assert (waited >= pd.Timedelta(0)).all()
    phone = waited[company.requests.index[company.requests["渠道"] == "电话"].intersection(waited.index)]
    assert phone.median() < pd.Timedelta(minutes=2)


def test_bots_end_some_chats_alone_and_agents_link_articles(company: Company) -> None:
    human = company.events["操作人角色"] == "客服"
    by_bot = company.events[(company.events["新值"] == "已解决") & (company.events["操作人角色"] == "机器人")]
    assert set(company.tickets.loc[by_bot["工单编号"], "渠道"]) == {"在线客服", "微信", "APP"}
    assert not set(by_bot["工单编号"]) & set(company.events.loc[human, "工单编号"])
    linked = company.events[company.events["变更项"] == "知识条目"]
    assert human[linked.index].all()
    assert 0.15 < linked["工单编号"].nunique() / len(company.requests) < 0.4


def test_agents_act_within_their_shifts(company: Company) -> None:
    with sqlite3.connect(company.folder / "crm.db") as connection:
        rosters = pd.read_sql("select job_no, begin_time, end_time from kf_roster", connection)
    rosters["day"] = rosters["begin_time"].str[:10]
    opened = company.events[(company.events["变更项"] == "状态") & (company.events["新值"] == "处理中")]
    opened = opened[opened["原值"] == "新建"].assign(day=lambda rows: rows["发生时间"].str[:10])
    shifts = opened.merge(rosters, left_on=["操作人", "day"], right_on=["job_no", "day"], how="left")
    inside = shifts["发生时间"].between(shifts["begin_time"], shifts["end_time"])
    assert inside.mean() > 0.97


def test_dirt_comes_in_all_kinds(company: Company) -> None:
    kinds = company.truth["kind"].value_counts()
    assert set(kinds.index) == {
        "request", "test", "mis_operation", "spam", "outbound", "abandoned", "duplicate", "merged",
    }  # fmt: skip
    tests = company.tickets[company.tickets["kind"] == "test"]
    assert 0.3 < (tests["是否测试"] == "是").mean() < 0.95
    assert (company.tickets.loc[company.tickets["kind"] == "merged", "合并到"] != "").all()
    copies = company.tickets[company.tickets["kind"] == "duplicate"]
    firsts = company.tickets.loc[copies["duplicate_of"]]
    owners = company.people.groupby("value")["person"].agg(set)
    named = copies["客户标识"].ne("").to_numpy() & firsts["客户标识"].ne("").to_numpy()
    pairs = zip(copies["客户标识"][named], firsts["客户标识"][named], strict=True)
    assert named.mean() > 0.95
    assert all(owners[copy] & owners[first] for copy, first in pairs)
    assert (copies["渠道"].to_numpy() != firsts["渠道"].to_numpy()).all()


def test_the_truth_of_each_story_is_complete(company: Company) -> None:
    stories = pd.DataFrame(company.truth_of("stories")).set_index("story_id")
    assert (stories["starts_on"] < stories["ends_on"]).all()
    assert set(stories["expect"]) == {"card", "alert", "nothing", "effect_improved", "effect_not_improved"}
    ledger = pd.read_excel(company.folder / "actions.xlsx", index_col="措施编号")
    effects = stories[stories["expect"].str.startswith("effect")]
    assert set(effects["action_id"]) <= set(ledger.index)
    for story in effects.itertuples():
        scope = "|".join(f"{key}={value}" for key, value in story.scope.items())
        assert ledger.loc[story.action_id, "针对范围"] == scope
        assert ledger.loc[story.action_id, "开始日期"].date() == date.fromisoformat(story.starts_on)


def test_spikes_stand_out_where_and_when_they_were_planted(company: Company) -> None:
    stories = {story["story_id"]: story for story in company.truth_of("stories")}
    columns = {"problem_subtype": "true_subtype", "region": "区域", "product": "产品"}
    spikes = (
        "logistics_stall",
        "login_release",
        "southwest_installers",
        "new_agents",
        "leaking_batch",
        "invoice_spike",
    )
    for name in spikes:
        story, rows = stories[name], company.requests
        for key, value in story["scope"].items():
            rows = rows[rows[columns[key]] == value]
        daily = _daily(rows)
        inside = daily.loc[story["starts_on"] : story["ends_on"]]
        outside = daily.drop(inside.index)
        assert inside.mean() > 2.5 * outside.mean(), name
        # Poisson: far beyond chance.
        expected = outside.mean() * len(inside)
        assert inside.sum() > expected + 5 * np.sqrt(expected), name
    stalled = company.requests[company.requests["story_id"] == "logistics_stall"]
    assert stalled["区域"].isin(["华东", "华中"]).mean() > 0.55


def test_measures_have_the_effects_that_the_truth_says(company: Company) -> None:
    def change(subtype: str, first: str, until: str) -> float:
        daily = _daily(company.requests[company.requests["true_subtype"] == subtype])
        before = daily.loc[:first].iloc[-57:-1]
        return float(daily.loc[first:until].mean() / before.mean() - 1)

    assert change("network_setup", "2025-06-16", "2025-10-31") < -0.35
    assert change("delivery_damage", "2025-04-14", "2025-10-31") < -0.2
    assert change("information_inconsistent", "2025-05-12", "2025-10-31") > -0.2
    assert change("product_noise", "2025-03-31", "2025-10-31") > -0.2


def test_refunds_creep_and_new_agents_displease_until_they_are_coached(company: Company) -> None:
    status = company.events[(company.events["变更项"] == "状态") & (company.events["新值"] == "已解决")]
    solved = status.groupby("工单编号")["at"].min()
    refunds = company.requests[company.requests["true_subtype"] == "refund_slow"]
    hours = (solved.reindex(refunds.index) - refunds["at"]).dt.total_seconds() / 3600
    hours = hours[hours > 4].dropna()  # those solved in the first contact don't wait for the money
    month = refunds.loc[hours.index, "at"].dt.dayofyear / 30.4
    growth = np.polyfit(month, np.log(hours), 1)[0]
    assert 0.02 < growth < 0.12

    with sqlite3.connect(company.folder / "crm.db") as connection:
        hired = pd.read_sql("select job_no, entry_date from kf_agent", connection).groupby("job_no")["entry_date"].min()
    assigned = company.events[company.events["变更项"] == "受理人"].sort_values("at")
    first_agent = assigned.groupby("工单编号")["新值"].first()
    csat = company.answers[company.answers["答卷编号"].str.startswith("CS")].copy()
    csat["is_new"] = csat["工单编号"].map(first_agent).map(hired) >= "2025-07-01"
    trouble = csat[csat["提交时间"].between("2025-08-03", "2025-10-31")].groupby("is_new")["评分"].mean()
    after = csat[csat["提交时间"] > "2025-11-08"].groupby("is_new")["评分"].mean()
    assert trouble[False] - trouble[True] > 1.2
    assert abs(after[False] - after[True]) < 0.5


def test_many_accounts_paste_one_complaint_and_some_advertise(company: Company) -> None:
    pasted = company.voices[company.voices["content"].str.contains("滤芯一年涨价三次")]
    assert pasted["at"].between("2025-10-10", "2025-10-13").all()
    assert len(pasted) == 19
    assert pasted["author_id"].dropna().nunique() >= 15
    assert 1 < pasted["content"].nunique() < len(pasted)
    adverts = company.voices[company.voices["content"].str.contains("加微信|扫码进群|加V咨询")]
    assert len(adverts) == 38
    assert adverts["at"].dt.quarter.nunique() == 4


def test_the_competitors_meme_is_loud_but_about_nobody_here(company: Company) -> None:
    meme = company.voices[company.voices["content"].str.contains("北川")]
    assert meme["at"].between("2025-06-20", "2025-06-28").all()
    assert len(meme) > 60
    assert not meme["content"].str.contains("和风|HF-").any()
    assert meme["like_count"].median() > 3 * company.voices.drop(meme.index)["like_count"].median()
