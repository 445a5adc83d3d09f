"""By what each system of the demo company knows a customer: numbers, phones, accounts, openids, handles.

No system knows people. The CRM has customer numbers with phones that are old, missing, mistyped or shared; the
telephone exchange sees the caller's number, WeChat an openid, the app an account, mail an address, networks a handle.
Who is behind them is recorded for the ground truth only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from huiyin.demo.company import DAYS, FIRST_ON
from huiyin.demo.people import Customers
from huiyin.demo.personal import Inventor

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_COMPANY_SEGMENT = 2  # from here on segments are companies


@dataclass(frozen=True)
class CrmRecord:
    """What the CRM has of a person under one customer number; ``from_day`` None: as long as the person is one."""

    number: str
    person: int
    name: str
    phone: str | None
    email: str | None
    wechat: str | None
    from_day: int | None = None


@dataclass(frozen=True)
class Binding:
    """A further identifier that the member centre knows of an account; ``day`` may lie before the year."""

    account: str
    kind: str
    value: str
    day: int


class Identities:
    """The identifiers of all customers. Has its own random source, so that the rest of the company stays the same."""

    def __init__(self, seed: int, customers: Customers) -> None:
        self._random = Random(f"identities {seed}")
        self._inventor = Inventor(self._random)
        self._customers = customers
        self._owners: dict[tuple[str, str], set[int]] = {}
        self._taken: set[str] = set()
        people = range(len(customers))
        self._mobiles = [self._only(mobile, self._inventor.mobile) for mobile in customers.mobiles]
        self._emails = [self._only(email, self._inventor.email) for email in customers.emails]
        self._accounts = [self._code("U", "0123456789", 8) for _ in people]
        self._openids = [self._code("o", _BASE32, 27) for _ in people]
        self._old_mobiles: dict[int, tuple[str, int]] = {}  # number, day of the change
        self._shared_phones: dict[int, tuple[str, float]] = {}  # number, share of the calls that come from it
        self._shared_emails: dict[int, str] = {}
        self._buyers: dict[int, str] = {}
        self._handles: dict[tuple[int, str], str] = {}
        self._share_phones()
        self._change_phones()
        self.records = [self._record(person) for person in people]
        self._second = self._second_records()
        self.records += self._second.values()
        for record in self.records:
            self._own("customer_number", record.number, record.person)
        for person in people:
            self._own_all(person)
        self.bindings = [binding for person in people for binding in self._bound(person)]

    # -- what the channels see -------------------------------------------------------------------------------------

    def contact(self, customer: int, channel: str, day: int) -> str:
        """By what the channel knows who writes or calls that day; nothing of unknown customers (−1)."""
        if customer < 0:
            return ""
        if channel == "phone":
            return self._own("phone", self._calling(customer, day), customer)
        if channel == "wechat":
            return self._own("wechat", self._openids[customer], customer)
        if channel == "email":
            shared = self._shared_emails.get(customer)
            use_shared = shared is not None and self._random.random() < 0.4
            return self._own("email", shared if shared and use_shared else self._emails[customer], customer)
        if channel == "web_chat" and self._random.random() < 0.1:
            return self._own("visitor", self._code("v-", "0123456789abcdef", 12), customer)
        return self._own("app_account", self._accounts[customer], customer)

    def number(self, customer: int) -> str:
        """A customer number of a person, either one of those who have two."""
        second = self._second.get(customer)
        return second.number if second and self._random.random() < 0.5 else Customers.ref(customer)

    def buyer(self, customer: int) -> str:
        """The account in the shops of others."""
        if customer not in self._buyers:
            self._buyers[customer] = self._code("tb", "0123456789", 9)
        return self._own("buyer", self._buyers[customer], customer)

    def handle(self, customer: int, network: str) -> str | None:
        """The handle under which a person (−1: a stranger) posts; not every post shows one."""
        if self._random.random() < 0.15:
            return None
        if customer < 0:
            return self._new_handle(network)
        return self._own("handle", self._handle(customer, network), customer)

    def owned(self) -> Iterator[tuple[str, str, int]]:
        """Kind, value and person of everything that is or was someone's, for the ground truth."""
        for (kind, value), people in self._owners.items():
            for person in sorted(people):
                yield kind, value, person

    # -- how they come about ---------------------------------------------------------------------------------------

    def _own(self, kind: str, value: str, person: int) -> str:
        self._owners.setdefault((kind, value), set()).add(person)
        return value

    def _own_all(self, person: int) -> None:
        """What is a person's without having been used: the numbers and addresses that the systems may hold."""
        phones = [self._mobiles[person]]
        phones += [known[person][0] for known in (self._old_mobiles, self._shared_phones) if person in known]
        for phone in phones:
            self._own("phone", phone, person)
        self._own("email", self._emails[person], person)
        if person in self._shared_emails:
            self._own("email", self._shared_emails[person], person)
        self._own("wechat", self._openids[person], person)
        self._own("app_account", self._accounts[person], person)

    def _only(self, value: str | None, make: Callable[[], str]) -> str:
        """The value, or a new one where it is missing or someone else's."""
        while value is None or value in self._taken:
            value = make()
        self._taken.add(value)
        return value

    def _code(self, prefix: str, alphabet: str, length: int) -> str:
        return self._only(None, lambda: prefix + "".join(self._random.choices(alphabet, k=length)))

    def _handle(self, customer: int, network: str) -> str:
        key = (customer, network)
        if key not in self._handles:
            self._handles[key] = self._new_handle(network)
        return self._handles[key]

    def _new_handle(self, network: str) -> str:
        if network == "weibo":
            return self._code("", "123456789", 10)
        if network == "xiaohongshu":
            return self._code("", "0123456789abcdef", 24)
        return self._only(None, self._inventor.wechat) if network == "forum" else self._code("dy", "0123456789", 10)

    def _calling(self, customer: int, day: int) -> str:
        random = self._random
        shared, share = self._shared_phones.get(customer, ("", 0.0))
        if random.random() < share:
            return shared
        if random.random() < 0.05:  # the neighbour's, the office's …
            return self._only(None, self._inventor.mobile)
        old, changed = self._old_mobiles.get(customer, ("", -1))
        return old if day < changed else self._mobiles[customer]

    def _share_phones(self) -> None:
        """Households with one number; companies with a switchboard and a common mailbox."""
        random, customers = self._random, self._customers
        by_place: dict[tuple[int, bool], list[int]] = {}
        for person in range(len(customers)):
            is_company = int(customers.segment[person]) >= _COMPANY_SEGMENT
            if random.random() < (0.5 if is_company else 0.07):
                by_place.setdefault((int(customers.region[person]), is_company), []).append(person)
        for (_, is_company), people in by_place.items():
            random.shuffle(people)
            while len(people) > 1:
                group = [people.pop() for _ in range(min(random.randrange(3, 9) if is_company else 2, len(people)))]
                if is_company:
                    number = self._only(None, lambda: f"0571-{random.randrange(10**7, 10**8)}")
                    for person in group:
                        self._shared_phones[person] = (number, 0.3)
                    if random.random() < 0.5:
                        mailbox = self._only(None, lambda: f"service{random.randrange(10**5)}@example.com")
                        self._shared_emails |= dict.fromkeys(group, mailbox)
                else:
                    self._shared_phones |= dict.fromkeys(group, (self._mobiles[group[0]], 0.5))

    def _change_phones(self) -> None:
        """Some change their number before or in the year; a few old numbers are given to others."""
        random = self._random
        free: list[str] = []
        for person in range(len(self._customers)):
            if random.random() >= 0.09:
                continue
            self._old_mobiles[person] = (self._only(None, self._inventor.mobile), random.randrange(-900, DAYS))
            if random.random() < 0.06:
                free.append(self._old_mobiles[person][0])
        for number in free:
            heir = random.randrange(len(self._customers))
            if heir not in self._old_mobiles and heir not in self._shared_phones:
                self._mobiles[heir] = number

    def _record(self, person: int) -> CrmRecord:
        """The first record: mostly right."""
        random, draw = self._random, self._random.random()
        phone: str | None = self._mobiles[person]
        if person in self._shared_phones and random.random() < 0.5:
            phone = self._shared_phones[person][0]
        elif person in self._old_mobiles and random.random() < 0.7:
            phone = self._old_mobiles[person][0]
        if phone is not None and draw < 0.03:
            phone = self._mistyped(phone)
        elif draw < 0.08:
            phone = None
        email = self._emails[person] if self._customers.emails[person] else None
        if email and person in self._shared_emails and random.random() < 0.3:
            email = self._shared_emails[person]
        if email and random.random() < 0.03:
            email = self._mistyped_email(email)
        wechat = self._openids[person] if self._customers.wechats[person] else None
        return CrmRecord(Customers.ref(person), person, self._customers.names[person], phone, email, wechat)

    def _second_records(self) -> dict[int, CrmRecord]:
        """Some were entered twice: under a number of their own, by another clerk, with other gaps and slips."""
        random, customers = self._random, self._customers
        second: dict[int, CrmRecord] = {}
        for person in range(len(customers)):
            if random.random() >= 0.03:
                continue
            first, name = self.records[person], customers.names[person]
            if random.random() < 0.12:
                name = name[:-1] + random.choice("明洁芬浩杰颖婷伟")
            way = random.random()
            phone = first.phone if way < 0.6 else self._mobiles[person] if way < 0.8 else None
            if phone is not None and random.random() < 0.08:
                phone = self._mistyped(phone)
            second[person] = CrmRecord(
                f"C{len(customers) + len(second) + 1:06d}", person, name, phone,
                self._emails[person] if random.random() < 0.4 else None,
                self._openids[person] if random.random() < 0.35 else None,
                max(int(customers.since_day[person]) + 30, random.randrange(-700, DAYS - 30)),
            )  # fmt: skip
        return second

    def _mistyped(self, phone: str) -> str:
        at = self._random.choice([index for index, sign in enumerate(phone) if index and sign.isdigit()])
        if self._random.random() < 0.4 and at + 1 < len(phone) and phone[at + 1] not in ("-", phone[at]):
            return phone[:at] + phone[at + 1] + phone[at] + phone[at + 2 :]
        return phone[:at] + str((int(phone[at]) + self._random.randrange(1, 10)) % 10) + phone[at + 1 :]

    def _mistyped_email(self, email: str) -> str:
        user, domain = email.split("@")
        if self._random.random() < 0.6:
            return f"{user}@{domain.replace('example', 'exmaple')}"
        at = self._random.randrange(len(user) - 1)
        return f"{user[:at]}{user[at + 1]}{user[at]}{user[at + 2 :]}@{domain}"

    def _bound(self, person: int) -> Iterator[Binding]:
        """What the member centre knows of the person's account."""
        random = self._random
        account = self._accounts[person]
        opened = max(int(self._customers.since_day[person]), -1200) + random.randrange(0, 20)
        if random.random() < 0.93:
            old, changed = self._old_mobiles.get(person, ("", -9999))
            phone = old if opened < changed and random.random() < 0.8 else self._mobiles[person]
            yield Binding(account, "phone", phone, opened)
            if phone == old and 0 <= changed < DAYS and random.random() < 0.5:
                yield Binding(account, "phone", self._mobiles[person], changed)
        for kind, share, value in (
            ("wechat", 0.55, self._openids[person]), ("email", 0.4, self._emails[person]),
        ):  # fmt: skip
            if random.random() < share:
                yield Binding(account, kind, value, opened + random.randrange(0, 200))
        if random.random() < 0.4:
            yield Binding(account, "other", self.buyer(person), opened + random.randrange(0, 200))
        network = random.choice(("weibo", "douyin", "xiaohongshu", "forum"))
        if random.random() < 0.25:
            yield Binding(account, "handle", self._handle(person, network), opened + random.randrange(0, 200))


def bindings_by_file(bindings: list[Binding]) -> dict[str, list[Binding]]:
    """The member centre's deliveries: all of the past on the first day, then each month's on its last day."""
    files: dict[str, list[Binding]] = {FIRST_ON.isoformat(): []}
    for month in range(1, 13):
        last = date(FIRST_ON.year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        files[last.isoformat()] = []
    for binding in sorted(bindings, key=lambda one: (one.day, one.account)):
        day = FIRST_ON + timedelta(days=binding.day)
        if day >= FIRST_ON + timedelta(days=DAYS):
            continue
        if day < FIRST_ON:
            files[FIRST_ON.isoformat()].append(binding)
        else:
            files[next(name for name in list(files)[1:] if day.isoformat() <= name)].append(binding)
    return files
