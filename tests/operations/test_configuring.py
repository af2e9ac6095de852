"""The configuration, read and changed by an admin."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.editing.secrets import MASK
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.operations.configured import (
    AccountKeys,
    NewText,
    Order,
    Removal,
    Seen,
    TableKeys,
)
from multisendcon_plugin.operations.errors import BadRequestError, NotFoundError, RefusedError
from tests.operations.desk import Desk, result
from tests.operations.paper import TEXT, Paper, with_paper
from tests.operations.test_history import FakeHistory


class Admin:
    """Somebody who has the page of a relay open, and who may look at it again."""

    def __init__(self, paper=None, **more):
        self.paper = paper or Paper()
        self.desk = Desk(**with_paper(self.paper), **more)
        self.configuring = self.desk.operations.configuring
        self.look()

    def look(self):
        self.hash = self.read().hash

    def read(self):
        return self.desk.ask(self.configuring.configuration())

    def seen(self, dry_run=False):
        return Seen(hash=self.hash, dry_run=dry_run)

    def accounts(self):
        async def collect():
            return [
                each async for piece in self.configuring.configured_accounts() for each in piece
            ]

        return self.desk.ask(collect())

    def begin_text(self, text, **seen):
        new = NewText(seen=self.seen(**seen), text=text)
        return Deferred.fromCoroutine(self.configuring.configure(new))

    def text(self, text, **seen):
        return result(self.begin_text(text, **seen))

    def account(self, account, before=None, dry_run=False, **values):
        keys = AccountKeys(seen=self.seen(dry_run), values=values, before=before)
        return self.desk.ask(self.configuring.configure_account(account, keys))

    def remove(self, name, **seen):
        return self.desk.ask(self.configuring.remove_account(name, Removal(seen=self.seen(**seen))))

    def order(self, *names):
        order = Order(seen=self.seen(), names=names)
        return self.desk.ask(self.configuring.order_accounts(order))

    def table(self, name, values, index=None):
        keys = TableKeys(seen=self.seen(), values=values, index=index)
        return self.desk.ask(self.configuring.configure_table(name, keys))


# What there is.


def test_the_text_has_no_secrets():
    found = Admin().read()
    assert found.text == TEXT.replace("s3cret", MASK)
    assert (found.differs_from_running, found.faults, found.path) == ("", (), Paper.path)
    assert found.tables == {
        "master_relay": {"hostname": "relay.example"},
        "client": [{"addresses": ["192.0.2.0/24"]}],
    }


def test_what_was_edited_by_hand_is_told_with_its_faults():
    admin = Admin()
    admin.paper.text = TEXT.replace('"mail.example"', '"mail.example"\nport = 0')
    found = admin.read()
    assert "+port = 0" in found.differs_from_running
    (fault,) = found.faults
    assert fault.startswith('/etc/multisendcon.toml, line 24, [[account]] "All", port: ')


def test_a_file_that_is_no_toml_is_shown_too():
    admin = Admin()
    admin.paper.text = TEXT + "[["
    found = admin.read()
    assert "s3cret" not in found.text
    assert found.text.endswith("[[")
    assert "line 24: is not TOML" in found.faults[0]
    assert found.tables == {}


def test_accounts_are_told_as_they_are_written():
    sales, lab, everyone = Admin().accounts()
    assert (sales.name, sales.hash) == ("Sales", Paper().hash)
    assert sales.values == {
        "name": "Sales",
        "server": "mail.sales.example",
        "senders": ["*@sales.example"],
        "username": "sales",
        "password": MASK,
    }
    assert (lab.name, everyone.name) == ("Lab", "All")


# What is changed.


def test_a_new_text_is_checked_written_and_held():
    admin = Admin()
    text = admin.read().text.replace('"mail.lab.example"', '"new.lab.example"')
    done = admin.text(text)
    assert admin.paper.held == admin.paper.text == text.replace(MASK, "s3cret")
    assert done.hash == admin.paper.hash
    assert (done.dry_run, done.changed, done.warnings) == (False, ("Lab",), ("mind this",))
    assert (done.added, done.removed, done.tables, done.differs_from_running) == ((), (), (), "")
    assert '-server = "mail.lab.example"\n+server = "new.lab.example"' in done.difference
    assert "s3cret" not in done.difference


def test_line_ends_of_a_form_do_not_change_those_of_the_file():
    admin = Admin()
    assert admin.text(admin.read().text.replace("\n", "\r\n")).difference == ""
    assert admin.paper.written == []
    other = Admin(Paper(TEXT.replace("\n", "\r\n")))
    assert other.text(other.read().text).difference == ""
    assert other.paper.written == []


def test_a_dry_run_changes_nothing_and_tells_the_same():
    one, other = Admin(), Admin()
    text = one.read().text.replace('["*@lab.example"]', '["*@sales.example"]')
    told, done = one.text(text, dry_run=True), other.text(text)
    assert (one.paper.text, one.paper.held, one.paper.written) == (TEXT, TEXT, [])
    assert (told.dry_run, told.hash) == (True, one.paper.hash)
    assert (told.difference, told.changed) == (done.difference, done.changed)


def test_faults_are_told_each_with_its_line_and_nothing_is_written():
    admin = Admin()
    text = TEXT.replace('name = "Lab"', 'name = "Lab"\nport = 0\nsped = 1')
    for dry_run in (True, False):
        with pytest.raises(RefusedError, match="nothing has changed") as refused:
            admin.text(text, dry_run=dry_run)
        assert [fault.partition(":")[0] for fault in refused.value.faults] == [
            '/etc/multisendcon.toml, line 18, [[account]] "Lab", port',
            '/etc/multisendcon.toml, line 19, [[account]] "Lab", sped',
        ]
    assert admin.paper.written == []


def test_what_needs_a_restart_is_a_fault():
    with pytest.raises(RefusedError) as refused:
        Admin().text(TEXT + '[log]\nformat = "json"\n')
    assert "restart it" in refused.value.faults[0]


def test_the_mails_that_would_go_otherwise_are_told():
    admin = Admin(history=Past)
    text = admin.read().text.replace('["*@sales.example"]', '["*@other.example"]')
    for dry_run in (True, False):
        effects = admin.text(text, dry_run=dry_run).effects
        assert [(each.before, each.after) for each in effects.changed] == [("Sales", "All")] * 2
    assert effects.looked_at == 2


class Past(FakeHistory):
    """Two mails of the salesmen."""

    def __init__(self):
        super().__init__(2)


# Keys of accounts.


def test_keys_of_an_account():
    admin = Admin()
    done = admin.account("Sales", minimum_wait=587, password=MASK, senders=None)
    assert done.changed == ("Sales",)
    assert admin.paper.text == TEXT.replace('senders = ["*@sales.example"]\n', "").replace(
        "told\n", "told\nminimum_wait = 587\n"
    )


def test_a_secret_is_written_and_not_told():
    admin = Admin()
    done = admin.account("Sales", password="n3w")
    assert 'password = "n3w"  # never told' in admin.paper.text
    assert "n3w" not in done.difference
    assert MASK in done.difference
    assert "n3w" not in repr(AccountKeys(seen=admin.seen(), values={"password": "n3w"}))


def test_only_masks_change_nothing():
    admin = Admin()
    assert admin.account("Sales", password=MASK).difference == ""
    assert admin.paper.written == []


def test_another_name_renames_an_account():
    admin = Admin()
    done = admin.account("Sales", name="Sold", minimum_wait=5)
    assert (done.added, done.removed) == (("Sold",), ("Sales",))
    assert [each.name for each in admin.accounts()] == ["Sold", "Lab", "All"]
    assert 'password = "s3cret"  # never told' in admin.paper.text


def test_a_name_that_another_one_has_is_a_fault():
    with pytest.raises(RefusedError) as refused:
        Admin().account("Sales", name="Lab")
    assert "Lab" in refused.value.faults[0]


def test_a_table_inside_of_an_account_has_its_keys():
    admin = Admin()
    oauth2 = {
        "provider": "microsoft",
        "grant": "client_credentials",
        "client_id": "7",
        "client_secret": "s2",
        "tenant": "a.example",
    }
    admin.account("Sales", name="Sold", oauth2=oauth2, password=None)
    assert admin.accounts()[0].values["oauth2"] == oauth2 | {"client_secret": MASK}
    admin.look()
    inside = {"expires": "2027-05-01", "client_secret": MASK}
    admin.account("Sold", oauth2=inside)
    assert "expires = 2027-05-01\n" in admin.paper.text
    assert 'client_secret = "s2"' in admin.paper.text
    admin.look()
    admin.account("Sold", oauth2=None, username=None)
    assert "oauth2" not in admin.paper.text


def test_a_new_account_comes_last_or_before_another():
    admin = Admin()
    assert admin.account("New", server="new.example", port=None).added == ("New",)
    admin.look()
    admin.account("First", "Sales", server="first.example", name="First")
    assert [each.name for each in admin.accounts()] == ["First", "Sales", "Lab", "All", "New"]
    assert '# Who sells.\n[[account]]\nname = "Sales"' in admin.paper.text


def test_what_a_new_account_cannot_be():
    admin = Admin()
    with pytest.raises(NotFoundError, match='no account "New"; it has: Sales, Lab, All'):
        admin.account("New", name="Other", server="a.example")
    with pytest.raises(NotFoundError, match='no account "Nobody"'):
        admin.account("New", "Nobody", server="a.example")
    with pytest.raises(BadRequestError, match="password: there is no secret yet"):
        admin.account("New", server="a.example", username="a", password=MASK)
    with pytest.raises(BadRequestError, match="order accounts at configuration/order"):
        admin.account("Lab", "Sales")
    assert admin.paper.written == []


def test_an_account_is_removed():
    admin = Admin()
    assert admin.remove("Sales").removed == ("Sales",)
    assert "s3cret" not in admin.paper.text
    assert "Who sells" not in admin.paper.text
    admin.look()
    with pytest.raises(NotFoundError, match='no account "Sales"; it has: Lab, All'):
        admin.remove("Sales")


def test_the_last_account_cannot_be_removed():
    admin = Admin(Paper('[[account]]\nname = "A"\nserver = "a.example"\n'))
    with pytest.raises(RefusedError) as refused:
        admin.remove("A")
    assert "no account" in refused.value.faults[0]


def test_accounts_are_put_in_order():
    admin = Admin()
    done = admin.order("All", "Sales", "Lab")
    assert [each.name for each in admin.accounts()] == ["All", "Sales", "Lab"]
    assert '# Who sells.\n[[account]]\nname = "Sales"' in admin.paper.text
    assert (done.changed, done.effects.problem[:11]) == ((), "which mails")


@pytest.mark.parametrize("names", [(), ("All", "Lab"), ("All", "Lab", "Lab", "Sales"), ("X",)])
def test_an_order_has_each_account_once(names):
    with pytest.raises(BadRequestError, match="each once: Sales, Lab, All"):
        Admin().order(*names)


# Other tables.


def test_keys_of_a_table():
    admin = Admin()
    assert admin.table("delivery", {"max_connections": 7}).tables == ("delivery",)
    assert admin.read().tables["delivery"] == {"max_connections": 7}
    admin.look()
    admin.table("delivery", None)
    assert admin.paper.text == TEXT


def test_one_of_several_tables_of_a_name():
    admin = Admin()
    admin.table("client", {"addresses": ["192.0.2.1"]}, 0)
    admin.look()
    admin.table("client", {"addresses": ["192.0.2.2"]}, 1)
    assert admin.read().tables["client"] == [
        {"addresses": ["192.0.2.1"]},
        {"addresses": ["192.0.2.2"]},
    ]
    admin.look()
    admin.table("client", None, 0)
    assert admin.read().tables["client"] == [{"addresses": ["192.0.2.2"]}]


def test_accounts_are_no_such_table():
    with pytest.raises(BadRequestError, match="configuration/accounts/NAME"):
        Admin().table("account", {}, 0)


def test_an_unknown_table_is_refused():
    with pytest.raises(RefusedError, match=r"\[delivry\]: unknown table; did you mean delivery?"):
        Admin().table("delivry", {"max_connections": 7})


# Two at once, and what happens in between.


def test_of_two_who_save_at_once_one_wins_and_the_other_hears_what_to_do():
    one = Admin()
    waiting = []

    def slowly(work):
        waiting.append(Deferred())
        return waiting[-1].addCallback(lambda _: work())

    one.configuring._thread = slowly
    first = one.begin_text(TEXT + "# one\n")
    second = one.begin_text(TEXT + "# other\n")
    while waiting:
        waiting.pop(0).callback(None)
    assert result(first).hash == one.paper.hash
    with pytest.raises(RefusedError, match="read it again, and make the change anew"):
        result(second)
    assert one.paper.text.endswith("# one\n")


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_was_changed_meanwhile_is_not_overwritten(dry_run):
    admin = Admin()
    admin.paper.text = by_hand = TEXT + "# by hand\n"
    with pytest.raises(RefusedError, match="has been changed since it was read"):
        admin.text(TEXT, dry_run=dry_run)
    assert admin.paper.text == by_hand


def test_nor_if_that_was_while_it_was_checked():
    admin = Admin()
    admin.paper.meanwhile = lambda: setattr(admin.paper, "text", "by hand")
    with pytest.raises(RefusedError, match="read it again"):
        admin.text(TEXT + "# page\n")
    assert (admin.paper.text, admin.paper.held) == ("by hand", TEXT)


def test_what_was_edited_by_hand_before_is_part_of_what_would_change():
    admin = Admin()
    admin.paper.text = TEXT.replace("192.0.2.0/24", "192.0.2.0/25")
    admin.look()
    told = admin.account("Lab", dry_run=True, port=587)
    for changed in ('+addresses = ["192.0.2.0/25"]', "+port = 587"):
        assert changed in told.difference
    assert '+addresses = ["192.0.2.0/25"]' in told.differs_from_running
    assert "port" not in told.differs_from_running
    assert (told.changed, told.tables) == (("Lab",), ("client",))


def test_a_reload_in_between_takes_nothing_away():
    admin = Admin()
    admin.paper.text = by_hand = TEXT + "# by hand\n"
    admin.look()
    admin.paper.held = by_hand
    told = admin.account("Lab", port=25)
    assert told.differs_from_running == ""
    assert admin.paper.held == admin.paper.text


def test_the_same_text_is_not_written_but_held():
    admin = Admin()
    admin.paper.text = by_hand = TEXT + "# by hand\n"
    admin.look()
    admin.text(by_hand)
    assert (admin.paper.written, admin.paper.held) == ([], by_hand)


def test_what_the_relay_cannot_go_on_with_is_not_left_in_the_file():
    admin = Admin()
    admin.paper.refuses = ConfigurationError(["cannot listen"])
    with pytest.raises(RefusedError, match="nothing has changed") as refused:
        admin.text(TEXT + "# page\n")
    assert refused.value.faults == ("cannot listen",)
    assert admin.paper.text == TEXT
    admin.paper.refuses = None
    assert admin.text(TEXT + "# page\n").hash == admin.paper.hash


def test_but_is_if_somebody_has_written_there_since():
    admin = Admin()
    admin.paper.refuses = ConfigurationError(["cannot listen"])
    write = admin.paper.write

    def write_and_be_overtaken(text, seen):
        written = write(text, seen)
        admin.paper.text = "by hand"
        return written

    admin.paper.write = write_and_be_overtaken
    with pytest.raises(RefusedError, match="the file is not what it was") as refused:
        admin.text(TEXT + "# page\n")
    assert refused.value.faults == ("cannot listen",)
    assert admin.paper.text == "by hand"


def test_a_relay_that_is_being_stopped_ends_what_is_under_way_and_begins_nothing():
    admin = Admin()
    holding = Deferred()
    admin.paper._hold = lambda text: holding
    saving = admin.begin_text(TEXT + "# page\n")
    stopped = admin.configuring.stop()
    late = admin.begin_text(TEXT + "# late\n")
    assert not stopped.called
    holding.callback(None)
    assert result(saving).hash == admin.paper.hash
    assert stopped.called
    with pytest.raises(RefusedError, match="the relay is being stopped; nothing has changed"):
        result(late)


def test_a_broken_file_has_its_faults_told_whatever_was_to_be_changed():
    admin = Admin()
    admin.paper.text = "[["
    admin.look()
    for change in (lambda: admin.account("Sales", port=25), lambda: admin.remove("Sales")):
        with pytest.raises(RefusedError) as refused:
            change()
        assert "is not TOML" in refused.value.faults[0]


def test_a_change_that_cannot_be_made_says_so():
    admin = Admin(Paper('account = [{name = "A", server = "a.example"}]\n'))
    with pytest.raises(RefusedError, match="by hand"):
        admin.remove("A")


def test_a_table_is_switched_on_by_being_there():
    admin = Admin()
    admin.table("metrics", {})
    assert admin.read().tables["metrics"] == {}
    admin.look()
    admin.table("destination", {"domains": ["x.example"]}, 0)
    assert admin.read().tables["destination"] == [{"domains": ["x.example"]}]


def test_a_table_has_tables_inside_of_it():
    admin = Admin(Paper(TEXT + '\n[ndr]\nserver = "mx.example"\n'))
    login = {
        "provider": "microsoft",
        "grant": "client_credentials",
        "tenant": "t.example",
        "client_id": "c",
        "client_secret": "hush",
        "mailbox": "a@b.example",
        "expires": "2027-05-01",
    }
    admin.table("ndr", {"oauth2": login})
    assert "\n[ndr.oauth2]\n" in admin.paper.held
    assert "\nexpires = 2027-05-01\n" in admin.paper.held
    admin.look()
    admin.table("ndr", {"oauth2": {"client_secret": MASK, "tenant": "u.example"}})
    assert 'client_secret = "hush"' in admin.paper.held
    assert 'tenant = "u.example"' in admin.paper.held
    admin.look()
    admin.table("ndr", {"oauth2": None})
    assert "oauth2" not in admin.paper.held


def test_a_mask_is_no_secret_of_a_table_that_is_new():
    with pytest.raises(BadRequestError, match="there is no secret yet"):
        Admin().table("ndr", {"server": "mx.example", "password": MASK})


def test_halves_of_characters_are_refused_before_anything_is_written():
    admin = Admin()
    for dry_run in (True, False):
        with pytest.raises(BadRequestError, match="cannot be written as UTF-8"):
            admin.text(TEXT + "# \ud83d", dry_run=dry_run)
    assert admin.paper.written == []


@pytest.mark.parametrize("text", ["account = 5\n", "account = [5]\n", '[account]\nname = "A"\n'])
def test_what_is_no_list_of_accounts_has_none(text):
    paper = Paper()
    paper.text = text
    admin = Admin(paper)
    assert admin.accounts() == []
    with pytest.raises(RefusedError, match="faults"):
        admin.account("Sales", port=26)


def test_secrets_are_looked_for_once_in_each_text():
    admin = Admin()
    masked, looks = admin.paper.masked, []
    admin.paper.masked = lambda text: looks.append(text) or masked(text)
    for _ in range(2):
        admin.accounts()
        admin.read()
    assert len(looks) == 0  # `Admin` has read it
    admin.paper.text += "\n# Changed.\n"
    assert admin.read().text.endswith("# Changed.\n")
    admin.accounts()
    assert len(looks) == 1
