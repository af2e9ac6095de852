"""The table of replies: what a refusal is about, and what follows from it.

RFC 5321 section 4.2.1 and 4.5.4 say that 4xx may go away and 5xx will not; what they do not say is
whether the mail, one recipient or the way out is refused.  Providers say it in the enhanced code or
only in words.  Only refusals of a mail or a recipient are ever reported to its sender.  Pure.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache

import attrs

from ..mail.phase import Phase
from ..mail.reply import Reply


class Action(enum.Enum):
    """What follows from a reply."""

    FAIL = "fail"
    """Final: the sender is told."""
    DEFER = "defer"
    """Tried again by the retry schedule."""
    DEFER_THEN_SLOW = "defer, then slow"
    """Tried again by the retry schedule; when several different mails in a row get it, the account
    slows.  It may be about the one mail (greylisting) or about all of them."""
    SPLIT = "split"
    """There are too many recipients in one transaction: the next one takes them, at once."""
    REST = "rest"
    """The account rests; its mail waits, or another account takes it over."""
    SLOW = "slow"
    """The account is asked for too much: it rests, and its mail waits for it."""
    QUOTA = "quota"
    """The account has used up its quota: it rests until the window has passed that fits, or for an
    hour, and another one takes its mail over, unless it has quotas and its mail is to wait.

    To ask after half a minute is of no use.  Nothing is wrong with the mail, so nothing is
    reported.
    """
    ALARM = "alarm"
    """The account rests, and somebody has to look at its login, or its settings."""
    MOVE = "move"
    """This account does not take it, though it takes other mail: another one takes it over."""

    @property
    def stops_account(self) -> bool:
        """It is about the account, and says nothing about the mail."""
        return self in _STOPPING


_STOPPING = frozenset({Action.REST, Action.SLOW, Action.QUOTA, Action.ALARM})


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _whole_words(words: str | re.Pattern[str]) -> re.Pattern[str]:
    """Compile whole words, of any case, on any line: "rate" is not in "accurate"."""
    if isinstance(words, re.Pattern):
        return words
    return re.compile(rf"\b(?:{words})\b" if words else "", re.IGNORECASE | re.DOTALL)


#: Characters of a text that are looked through: what it means stands at its beginning, and a
#: hostile one is to cost no more than a millisecond.
_READ = 600
#: Whatever could be an address, if there is an ``@`` in it.
_PERHAPS_ADDRESS = re.compile(r"<[^<>]*>|[^\s<>:,;]+")


@attrs.frozen
class Rule:
    """One row: which replies it is for, and what follows from them.

    :param phases: where in a session.
    :param code: a pattern for the code; `0` is a statement of our own, see `Reply`.
    :param enhanced: a pattern for the beginning of the enhanced status code.
    :param action: what follows.
    :param words: a pattern for words of the reply, whole ones in any case; a compiled one is
        taken as it is.
    :param login: the account has one (True), or none (False); ``None``: it does not matter.
    """

    phases: frozenset[Phase]
    code: re.Pattern[str] = attrs.field(converter=_pattern)
    enhanced: re.Pattern[str] = attrs.field(converter=_pattern)
    action: Action
    words: re.Pattern[str] = attrs.field(default="", converter=_whole_words)
    login: bool | None = None

    def concerns(self, phase: Phase, code: int) -> bool:
        """Tell whether the row is for some replies with this code."""
        return phase in self.phases and self.code.fullmatch(f"{code:03}") is not None

    def reads(self, reply: Reply, *, login: bool) -> bool:
        """Tell whether the row is for this reply, of those with its code."""
        return (
            self.login in (None, login)
            and self.enhanced.match(reply.enhanced) is not None
            and self.words.search(f"{reply.enhanced} {reply.text[:_READ]}") is not None
        )

    def applies(self, phase: Phase, reply: Reply, *, login: bool) -> bool:
        """Tell whether the row is for a reply."""
        return self.concerns(phase, reply.code) and self.reads(reply, login=login)


# Where.
_ANY = frozenset(Phase)
_MAIL = frozenset({Phase.MAIL})
_RCPT = frozenset({Phase.RCPT})
_DATA = frozenset({Phase.DATA})
_WHOLE = frozenset({Phase.DATA, Phase.CONTENT, Phase.END})
_LOGIN = frozenset({Phase.LOGIN})
#: Here a reply may be about the mail; elsewhere it is about the account.
TRANSACTION = _MAIL | _RCPT | _WHOLE
_SESSION = _ANY - TRANSACTION - _LOGIN

# What is said.  Words count beside codes, since providers tell used-up quotas, throttling and
# blocked accounts by all of 550, 554 and 450, and often without an enhanced code (RFC 3463).  The
# gap `(?:\S+ ){0,3}` is up to three words.
_MAILS = r"(?:messages?|e?-?mails?)"
_SENDING = rf"(?:send|sending|submission|relay|outgoing|outbound|smtp|{_MAILS})"
_LIMIT = r"(?:limits?|quotas?|allowance|max|maximum)"
_PERIOD = r"(?:daily|hourly|weekly|monthly|(?:per|in an?|each|every|last) (?:24 )?(?:days?|hours?))"
_NOT = r"(?:denied|prohibited|forbidden|disallowed|refused|not (?:\S+ )?(?:allowed|permitted))"
_STOPPED = r"(?:paused|suspended|disabled|blocked|locked|restricted)"

#: One recipient gets too much, has no room, or may not be written to.
_RECIPIENT = (
    r"receiving (?:\S+ ){0,3}(?:rate|too)|limits?\b.* (?:can|may) receive|resolver\.rst\S*"
    r"|recipient(?:'s)? (?:thread|mailbox|storage|has|per)\b.* (?:limit|quota)"
    r"|(?<!your )(?:mailbox|inbox) (?:is |has )?(?:over|full|exceed\w*|quota|storage|limit)"
    r"|(?:user|recipient|(?<!sender )is) over ?quota"
)
#: One address, or the domain of a sender.
_ADDRESS = (
    r"(?:recipient|sender) address rejected: need|domain not found|domain of sender"
    r"|(?:bad|invalid|malformed) (?:\S+ )?(?:address|mailbox|recipient)"
)
#: The content, or what its sender's domain says of it.
_CONTENT = (
    r"size|length|too (?:large|big|long)|larger than|attachments?|spf|dkim|dmarc"
    r"|as spam|spam (?:score|content|filter|detected)"
)
_RECIPIENTS = (
    r"too many (?:\S+ )?recipients|recipients? (?:count|limit|number)|max\w* recipients"
    r"|(?:number|maximum|limit) of recipients|recipients per \w+|multiple destination domains"
    r"|size per transaction"
)
_QUOTA_OF_TIME = rf"{_PERIOD}\b.*\b{_LIMIT}|{_LIMIT}\b.*\b{_PERIOD}"
_QUOTA = (
    rf"\w*submissionquota\w*|sender (?:\S+ ){{0,2}}{_LIMIT}"
    rf"|{_SENDING} (?:(?!exceed)\S+ ){{0,2}}limits?|{_SENDING} (?:\S+ )?quotas?"
    rf"|(?:your (?!{_MAILS})|you have |you've )(?:\S+ ){{0,4}}(?:limit|quota)"
    r"|limits?\b.* (?:outgoing|try again)"
)
#: Too much is sent, or too fast.
RATE = (
    r"throttl\w*|rate[ -]?limit\w*|rate (?:of|control\w*|exceeded)|exceed\w* (?:\S+ ){0,4}rate"
    rf"|(?:{_SENDING}|connection) rate|frequency limit\w*|peak (?:\S+ ){{0,3}}limits?"
    r"|per (?:second|minute)|too (?:fast|quickly|frequent\w*)|slow down|(?:server|system|too) busy"
    rf"|too (?:many|much) (?:\S+ ){{0,2}}(?:{_MAILS}|connections|sessions|logins?|attempts)"
    r"|(?:connections?|sessions?|thread) limit|concurrent \S+ limit"
)
#: A mail is to be tried again a little later, since it is the first one of its kind (RFC 6647).
GREYLISTED = r"gr[ae]y-?list\w*"
_FROM_ONE = r"too (?:much|many) \S+ from"
_NO_ROOM = r"insufficient (?:system )?(?:resources|storage|disk space)"
_RELAY = (
    rf"relay(?:ing)? (?:access )?(?:is )?{_NOT}|(?:unable|{_NOT}) to relay|(?:not|cannot) relay"
    r"|credentials for relay|tenant\w*attribution|rcpthosts|external sending is not supported"
)
_LOGIN_WANTED = (
    r"authenti\w+ (?:is )?(?:required|needed)|requires? authenti\w+|not authenticated"
    r"|(?:must|need to|please|have to) (?:first )?(?:authenticate|log ?in)|auth required"
    r"|starttls (?:command )?(?:is )?(?:required|first)"
)
#: The account is blocked, or the address that it comes from.
_BLOCKED = (
    rf"sending (?:is |was |has been )?{_STOPPED}|(?:outgoing|outbound) (?:\S+ ){{0,2}}{_STOPPED}"
    rf"|your (?:\S+ ){{0,2}}account (?:\S+ ){{0,3}}{_STOPPED}|sender address blocked"
    r"|bad outbound sender|(?:unusual|suspicious) (?:\S+ )?activity"
    r"|exceeded threshold|traffic not accepted|client host .*(?:rejected|blocked)|blocked using"
    r"|not authori[sz]ed to perform|basic authentication is \w+|exception:quotaexceeded\w*"
)
#: As all that is said; elsewhere it is said of a recipient or a client.
_ACCESS_DENIED = re.compile(r"^\S* access denied\b", re.IGNORECASE)
#: What the session has logged in with is over: no refusal of a mail.
_LOGIN_ENDED = r"(?:token|authentication|credentials?) (?:has |have |is |was )?(?:expired|revoked)"
_HELO = r"helo command rejected|(?:bad|invalid) (?:helo|ehlo)"

#: The first row that applies is the answer.
RULES = (
    #    where        code       enhanced                    what follows       words
    # Our own word for a connection that is gone, or was never there.
    # Without an answer it may be overloaded: its mail waits, and does not all move elsewhere.
    Rule(_ANY, "000", r"4\.4\.2", Action.SLOW, "did not answer"),
    Rule(_ANY, "000", r"4\.4\.", Action.REST),
    # RFC 5321 section 3.8: the service is not available, whatever the command was.
    Rule(_ANY, "421", "", Action.SLOW),
    # Our own word for credentials: of no use until somebody does something, or not at hand now.
    Rule(_LOGIN, "000", r"5\.7\.8$", Action.ALARM),
    # No mail is under way.
    Rule(_SESSION | _LOGIN, "[45]..", "", Action.QUOTA, _QUOTA_OF_TIME),
    Rule(_SESSION | _LOGIN, "[45]..", "", Action.SLOW, RATE),
    Rule(_SESSION | _LOGIN, "[45]..", "", Action.QUOTA, _QUOTA),
    # Exchange Online says so of a token, as of any other argument.
    Rule(_ANY, "501", "", Action.ALARM, "invalid xoauth2 auth data"),
    # RFC 4954 section 6: a transition is needed, or a temporary failure; the password is not wrong.
    Rule(_LOGIN, "432|454", "", Action.SLOW),
    # 500 to 504 are about the command, not about what was said with it.
    Rule(_LOGIN, "50[0-4]", "", Action.REST),
    Rule(_LOGIN, "5..", "", Action.ALARM),
    Rule(_SESSION | _LOGIN, "...", "", Action.REST),
    # The login is not what the server wants (RFC 4954 section 6).
    Rule(_ANY, "530|534|535|538", "", Action.ALARM),
    # Exchange Online on an account that has done something wrong too often.
    Rule(_ANY, "550", r"5\.2\.25[1-5]$", Action.ALARM),
    Rule(_ANY, "5..", "", Action.ALARM, "sender throttled"),
    # So much in a day or an hour, unless it is what a recipient may get: that stands above, since
    # the words are the same.
    Rule(_ANY, "5..", r"5\.2\.12[12]$", Action.FAIL),
    Rule(_ANY, "5..", r"5\.4\.5$|5\.1\.90$|5\.7\.23[23]$", Action.QUOTA),
    Rule(_ANY, "4..", "", Action.DEFER, _RECIPIENT),
    Rule(_ANY, "5..", "", Action.FAIL, _RECIPIENT),
    Rule(_ANY, "[45]..", "", Action.QUOTA, _QUOTA_OF_TIME),
    # Postfix counts by client too.
    Rule(_ANY, "4..", "", Action.SLOW, _FROM_ONE),
    # Too many recipients, one of them or the whole mail.  RFC 5321 section 4.5.3.1.10 wants 452,
    # and the rest of the recipients in another transaction; servers say much else.
    Rule(_RCPT | _WHOLE, "[45]..", r"[45]\.5\.3$", Action.SPLIT),
    Rule(_RCPT | _WHOLE, "45.|55[0245]", "", Action.SPLIT, _RECIPIENTS),
    # One mail or one mailbox, whatever else is said: above the rows on accounts, since "quota" and
    # "limit" are what servers say of a full mailbox and of a large mail, too.
    Rule(_ANY, "4..", r"4\.2\.2$", Action.DEFER),
    Rule(_ANY, "5..", r"5\.2\.[23]$|5\.3\.4$|5\.7\.2\d$", Action.FAIL),
    Rule(_ANY, "5..", "", Action.FAIL, rf"{_CONTENT}|{_ADDRESS}"),
    # The account is blocked, may not relay, or is not set up.
    Rule(_ANY, "550", r"5\.1\.8$", Action.ALARM),
    Rule(_ANY, "5..", r"5\.7\.(?:6[0-4]\d|70[58]|750|30|54|57|64)$", Action.ALARM),
    Rule(_ANY, "5..", "", Action.ALARM, _BLOCKED),
    Rule(_MAIL | _WHOLE, "5..", "", Action.ALARM, "not verified"),
    Rule(_MAIL | _WHOLE, "5..", "", Action.ALARM, _ACCESS_DENIED),
    Rule(_MAIL, "5..", "", Action.ALARM, rf"account (?:is |has been |was )?{_STOPPED}", login=True),
    Rule(_ANY, "[45]..", "", Action.ALARM, rf"{_RELAY}|{_LOGIN_WANTED}|{_HELO}"),
    Rule(_MAIL | _WHOLE, "5..", "", Action.ALARM, _LOGIN_ENDED),
    # Too much, or too fast.
    Rule(_ANY, "5..", "", Action.QUOTA, _QUOTA),
    Rule(_ANY, "5..", "", Action.REST, RATE),
    Rule(_ANY, "432", "", Action.SLOW),
    Rule(_ANY, "4..", "", Action.DEFER, GREYLISTED),
    Rule(_ANY, "4..", r"4\.3\.2$|4\.4\.5$|4\.7\.[56]\d\d$", Action.SLOW),
    Rule(_ANY, "4..", "", Action.SLOW, rf"{_QUOTA}|{RATE}"),
    Rule(_MAIL, "4..", r"4\.3\.1$|4\.7\.", Action.SLOW),
    Rule(_MAIL, "4..", "", Action.SLOW, _NO_ROOM),
    # The command, not what was said with it (RFC 5321 section 4.2.2); some say 503 instead of 530.
    Rule(_MAIL, "503", "", Action.REST),
    Rule(_RCPT, "501", r"5\.1\.", Action.FAIL),
    Rule(_RCPT | _DATA, "50[0-4]", "", Action.REST),
    # A recipient, or the server's own trouble (RFC 3463 section 3.4), which others hear of too.
    Rule(_RCPT, "4..", r"4\.3\.", Action.DEFER_THEN_SLOW),
    Rule(_RCPT, "4..", "", Action.DEFER_THEN_SLOW, _NO_ROOM),
    # What 552 says of storage it says of too many recipients too, in RFC 821: RFC 5321 section
    # 4.5.3.1.10 wants clients to take it for 452 then.
    Rule(_RCPT, "552", "", Action.FAIL, "quota|full|space|mailbox"),
    Rule(_RCPT, "452|552", "$", Action.SPLIT),
    # A mail: its sender, its content, or greylisting (rspamd says 451 4.7.1 after the dot).
    Rule(_MAIL | _WHOLE, "4..", r"4\.[126]\.", Action.DEFER),
    Rule(_MAIL | _WHOLE, "4..", "", Action.DEFER_THEN_SLOW),
    Rule(_ANY, "5..", "", Action.FAIL),
    Rule(_ANY, "...", "", Action.DEFER),
)


class Meaning(enum.Enum):
    """What a row of an account's own may say."""

    QUOTA = "quota"
    SLOW = "slow"
    LOGIN = "login"
    ACCOUNT = "account"
    DEFER = "defer"
    FAIL = "fail"


_ACTIONS = {
    Meaning.QUOTA: Action.QUOTA,
    Meaning.SLOW: Action.SLOW,
    Meaning.LOGIN: Action.ALARM,
    Meaning.ACCOUNT: Action.REST,
    Meaning.DEFER: Action.DEFER,
    Meaning.FAIL: Action.FAIL,
}


def own_rule(*, means: Meaning, code: str = "[45]..", text: str = "") -> Rule:
    """Return a row of an account's own.

    :param code: a pattern for the code.
    :param text: something that the reply says, code and enhanced code aside or with it; neither
        case nor the kind of blanks matters.
    """
    action = _ACTIONS[means]
    # About one mail: where no mail is under way it can mean nothing.
    if not action.stops_account:
        code = f"(?!421){code}"  # the session ends with it, whatever it was about
    return Rule(
        phases=_ANY if action.stops_account else TRANSACTION,
        code=code,
        enhanced="",
        action=action,
        words=re.compile(r"\s+".join(map(re.escape, text.split())), re.IGNORECASE),
    )


def without_addresses(text: str) -> str:
    """Return what a server says, without the addresses that it repeats.

    Their words are not the server's, and a stranger may have chosen them:
    ``<daily.limit@example.com>`` is no limit of the account.
    """
    return _PERHAPS_ADDRESS.sub(lambda found: "" if "@" in found[0] else found[0], text)


@lru_cache(maxsize=256)
def _rules(phase: Phase, code: int) -> tuple[Rule, ...]:
    """Return the rows for replies with a code: the others need not be looked at each time."""
    return tuple(rule for rule in RULES if rule.concerns(phase, code))


def classify(
    phase: Phase, reply: Reply, *, login: bool = False, own: tuple[Rule, ...] = ()
) -> Action:
    """Return what follows from a reply that is not positive.

    The relay asks once for each reply; outcomes and faults carry the answer on.

    :param login: the account has one.
    :param own: rows of the account, above the table.
    """
    # First: the admin knows this server, the table only knows most.
    for rule in own:
        if rule.applies(phase, reply, login=login):
            return rule.action
    rules = _rules(phase, reply.code)
    reply = attrs.evolve(reply, text=without_addresses(reply.text[:_READ]))
    return next(rule.action for rule in rules if rule.reads(reply, login=login))


#: What refuses one connection more, if it is said while other sessions of the account work.  Said
#: to the only one, it is about the account.
_ONE_TOO_MANY = (
    Rule(_ANY, "432", "", Action.SLOW),  # Exchange, at any time
    Rule(_SESSION | _LOGIN, "4..", "", Action.SLOW),
    Rule(
        _ANY,
        "[45]..",
        "",
        Action.SLOW,
        words=r"(?:concurrent|simultaneous|too many|maximum)\b.* (?:connection|session|login)s?"
        r"|(?:connection|session|thread)s? limit",
    ),
)


def is_one_too_many(phase: Phase, reply: Reply) -> bool:
    """Tell whether a reply says that there may be no more connections than those that work."""
    return any(rule.applies(phase, reply, login=True) for rule in _ONE_TOO_MANY)
