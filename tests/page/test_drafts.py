"""What somebody has changed in a form, and which key a fault is about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.editing.secrets import MASK
from multisendcon_plugin.page.drafts import draft_of
from multisendcon_plugin.page.fault_places import placed
from multisendcon_plugin.page.fields import Shape, fields_of
from multisendcon_plugin.page.kept import MOST, Kept
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.keys import keys_of

KEYS = keys_of(Account)
NAMES = [each.name for each in fields_of(KEYS, {})]
#: Of one line, as browsers send it.
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


def draft(form, **values):
    return draft_of({name: [text] for name, text in form.items()}, fields(values), Kept())


def fields(values):
    return tuple(fields_of(KEYS, values))


def sent(values, kept=None):
    """Return what a browser sends of a form that nobody has touched."""
    form = {}
    for entry in draft_of({}, fields(values), kept or Kept()).entries({}):
        name = entry.field.name
        form[name] = [entry.field.text.replace("\n", "\r\n")]
        if entry.field.shape is Shape.SECRET:
            form[f"{name}.source"] = form[f"{name}.source.was"] = [entry.source_was]
            form[f"{name}.place"] = form[f"{name}.place.was"] = [entry.place_was]
        elif entry.was:
            form[f"{name}.was"] = [entry.was.replace("\n", "\r\n")]
    return form


WRITTEN = {
    "name": "Sales",
    "password": MASK,
    "senders": ["a@b.example", "*@c.example"],
    "port": 25,
    "archive": True,
    "replies": [{"code": "550", "means": "quota"}],
    "oauth2": {"client_secret": {"file": "/etc/secret"}, "tenant": "x"},
}


def test_a_form_that_nobody_has_touched_changes_nothing():
    found = draft_of(sent(WRITTEN), fields(WRITTEN), Kept())
    assert found.typed.values == {}
    assert list(found.hidden()) == []


def test_what_others_have_changed_meanwhile_stays():
    form = sent(WRITTEN) | {"port": ["465"]}
    now = WRITTEN | {"senders": "*", "archive": False}
    assert draft_of(form, fields(now), Kept()).typed.values == {"port": 465}


@given(st.dictionaries(st.sampled_from(NAMES), LINES))
def test_what_only_confirms_means_the_same(typed):
    kept = Kept()
    form = sent(WRITTEN, kept) | {name: [text] for name, text in typed.items()}
    found = draft_of(form, fields(WRITTEN), kept)
    hidden = list(found.hidden())
    again = draft_of({name: [text] for name, text in hidden}, fields(WRITTEN), kept)
    assert again.typed.values == found.typed.values
    for name in ("password", "oauth2.client_secret"):
        # Neither field nor value has the secret.
        assert name not in dict(hidden)


def test_nothing_typed_leaves_a_secret_alone_and_its_mask_does_too():
    assert draft({"password": ""}, password=MASK).typed.values == {}
    assert draft({"password": MASK}, password=MASK).typed.values == {}


def test_a_secret_is_removed_wherever_it_is():
    removed = {"password.remove": "yes", "password": "x"}
    assert draft(removed, password=MASK).typed.values == {"password": None}
    assert draft(removed, password={"env": "X"}).typed.values == {"password": None}


def test_a_new_secret_wins_over_its_old_place():
    form = {"password": "new", "password.source": "file", "password.place": "/x"}
    form |= {"password.source.was": "file", "password.place.was": "/x"}
    assert draft(form, password={"file": "/x"}).typed.values == {"password": "new"}


def test_entries_say_what_is_new_of_a_secret():
    def entry(form, password):
        found = draft(form, password=password).entries({"password": ["is wrong"]})
        return next(each for each in found if each.field.name == "password")

    new = entry({"password": "new"}, MASK)
    assert (new.field.text, new.written, bool(new.kept), new.removed) == ("", True, True, False)
    assert new.field.faults == ("is wrong",)
    gone = entry({"password.remove": "yes"}, MASK)
    assert (gone.written, gone.kept, gone.removed) == (True, "", True)
    same = entry({}, MASK)
    assert (same.written, same.kept, same.removed) == (True, "", False)
    none = entry({}, None)
    assert (none.written, none.kept, none.removed) == (False, "", False)


def test_few_secrets_are_kept():
    kept = Kept()
    numbers = [kept.keep(str(n)) for n in range(MOST + 1)]
    assert kept.find(numbers[0]) is None
    assert [kept.find(number) for number in numbers[1:]] == [str(n) for n in range(1, MOST + 1)]


def test_faults_are_placed_at_their_keys():
    faults = [
        '/etc/a, b.toml, line 3, [[account]] "A", port: 0 is not a port; write: 1',
        '/etc/a, b.toml, [[account]] "A", oauth2, tenant: is not a tenant',
        '/etc/a, b.toml, [[account]] "A", port: is used',
        '/etc/a, b.toml, [[account]] "B", port: 0 is not a port',
        "/etc/a, b.toml: there is no account",
    ]
    by_name, others = placed(faults, '[[account]] "A"', NAMES)
    assert by_name == {
        "port": ["0 is not a port; write: 1", "is used"],
        "oauth2.tenant": ["is not a tenant"],
    }
    assert others == faults[3:]
