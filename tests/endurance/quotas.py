"""Quotas in the eyes of the provider, under load, while the relay is killed and restarted.

The provider notes when each MAIL FROM and each RCPT TO comes.  No window of its notes, wherever it
begins, may hold more than the quota says, and of what the quota allows at least 97 % is used.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import math
import random
import smtplib
import time

import attrs

from multisendcon_plugin.settings.quota import Counted, quotas
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider

#: Of what a quota allows, so much is to be used.
LEAST_USED = 0.97
_USERNAME, _PASSWORD = "tenant", "secret"


@attrs.frozen(kw_only=True)
class Plan:
    """What is done in one run.

    :param quota: as it is configured.
    :param windows: how many of them the mail fills.
    :param accounts: that share the quota, with one login.
    :param sizes: of mails, in recipients, in turns.
    :param packs: mails are so small that they fill all windows: one is not split as long as it fits
        into an empty window.
    :param kills: so often the relay is killed, and as often it is restarted.
    """

    quota: str
    windows: int
    accounts: int = 1
    sizes: tuple[int, ...] = (1,)
    packs: bool = True
    kills: int = 0

    @property
    def parsed(self):
        (quota,) = quotas([self.quota])
        return quota

    @property
    def patience(self):
        """Seconds within which all of it has to be done."""
        return 3 * self.windows * self.parsed.window + 60


#: The quotas are those of providers, on another scale.
PLANS = {
    "mails": Plan(quota="30 mails/3s", windows=30, kills=5),
    "recipients": Plan(quota="500 recipients/20s", windows=6, sizes=(1, 40, 7, 100, 3), kills=4),
    "large": Plan(quota="50 recipients/3s", windows=12, sizes=(120, 1, 30), packs=False, kills=2),
    "group": Plan(quota="30 mails/3s", windows=30, accounts=2, kills=5),
    "steady": Plan(quota="30 mails/3s", windows=30),
    "minute": Plan(quota="30 mails/1m", windows=5, kills=2),
}


def add_options(parser):
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=list(PLANS), metavar="PLAN")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))


def run(folder, options):
    print("seed:", options.seed)
    for name in options.plans:
        own = folder / name
        own.mkdir()
        for violation in play(own, PLANS[name], random.Random(options.seed), name=name):
            yield f"{name}: {violation}"


def fullest(moments, length):
    """Return the most that any window holds, wherever it begins.

    :param moments: when something was counted, in order.
    :param length: of a window in seconds; what is exactly so far apart is in two.
    """
    window = collections.deque()
    most = 0
    for moment in moments:
        window.append(moment)
        while moment - window[0] >= length:
            window.popleft()
        most = max(most, len(window))
    return most


def used(moments, quota):
    """Return how much of what a quota allows was used, from the first to the last full window.

    Each window after the first may begin as soon as the one before is over.
    """
    full = (len(moments) - 1) // quota.most
    if not full:
        return math.nan
    return full * quota.window / (moments[full * quota.most] - moments[0])


def play(folder, plan, chance, *, name=""):
    """Do what a plan says; yield what was wrong.

    :param chance: says when the relay is killed.
    """
    mails = list(_mails(plan))
    with WatchedProvider(folder, "127.0.1.1", users={_USERNAME: _PASSWORD}) as provider:
        with Relay(folder, _accounts(plan, provider)) as relay:
            with contextlib.closing(smtplib.SMTP(relay.address, relay.port, timeout=60)) as client:
                for number, recipients in enumerate(mails):
                    sender = f"boss@{number % plan.accounts}.example"
                    assert client.sendmail(sender, recipients, b"Subject: x\r\n\r\nHi.\r\n") == {}
            expected = set(itertools.chain(*mails))
            _interrupt(relay, provider, plan, chance)
            until(
                lambda: len(set(provider.taken)) == len(expected),
                "all mail is here",
                plan.patience,
            )
            until(lambda: not relay.waiting(), "nothing waits")
            relay.stop()
        yield from _judge(provider, plan, expected, name)


def _mails(plan):
    """Yield the recipients of each mail."""
    quota = plan.parsed
    names = (f"{number}@customer.example" for number in itertools.count())
    sizes = itertools.cycle(plan.sizes)
    left = plan.windows * quota.most
    while left > 0:
        size = next(sizes)
        yield list(itertools.islice(names, size))
        left -= size if quota.counted is Counted.RECIPIENTS else 1


def _accounts(plan, provider):
    settings = {"quota": f'["{plan.quota}"]', "tls": '"none"'}
    settings |= {"username": f'"{_USERNAME}"', "password": f'"{_PASSWORD}"'}
    if plan.accounts > 1:
        settings["quota_group"] = '"tenant"'
    return "\n".join(
        account(
            f"Account {number}",
            provider.address,
            provider.port,
            senders=f'"*@{number}.example"',
            **settings,
        )
        for number in range(plan.accounts)
    )


def _interrupt(relay, provider, plan, chance):
    """Kill the relay and restart it, in turns, while a window is being filled or is full."""
    quota = plan.parsed
    for number in range(2 * plan.kills):
        part = plan.windows * quota.most * (number + 1) // (2 * plan.kills + 2)
        until(lambda part=part: len(set(provider.taken)) >= part, "it goes on", plan.patience)
        time.sleep(chance.choice([0, chance.uniform(0, quota.window)]))
        if number % 2:
            relay.stop()
        else:
            relay.kill()
        relay.start()


def _judge(provider, plan, expected, name):
    quota = plan.parsed
    begun = [event.at for event in provider.of("mail")]
    if quota.counted is Counted.MAILS:
        clocks = {"MAIL FROM": begun}
    else:
        # Some count when a recipient is named, and some when the mail begins.
        clocks = {
            "RCPT TO": [event.at for event in provider.of("recipient")],
            "MAIL FROM": sorted(event.begun for event in provider.of("taken")),
        }
    share = used(clocks.get("RCPT TO", begun), quota)
    doubled = len(provider.taken) - len(set(provider.taken))
    full = {clock: fullest(moments, quota.window) for clock, moments in clocks.items()}
    print(
        f"{name:12} {quota}, {plan.accounts} accounts, {plan.kills} kills, {plan.kills} restarts: "
        f"{len(begun)} mails, {len(provider.taken)} recipients, {doubled} twice; fullest window "
        + ", ".join(f"{most} by {clock}" for clock, most in full.items())
        + f"; {share:.1%} of what is allowed was used",
        flush=True,
    )
    for clock, most in full.items():
        if most > quota.most:
            yield f"a window of {quota} holds {most}, counted at {clock}"
    if set(provider.taken) != expected:
        yield f"{len(expected - set(provider.taken))} recipients got nothing"
    if doubled and not plan.kills:
        yield f"{doubled} recipients got a mail twice"
    if plan.packs and share < LEAST_USED:
        yield f"only {share:.1%} of what {quota} allows was used"
