"""A session played from octets: each is a step, and some take further octets as their argument."""

from __future__ import annotations

import base64

from tests.fuzz.session import FAULTS, PASSWORD, SETTINGS, USERNAME, Session


def _base64(octets):
    return base64.b64encode(octets)


CREDENTIALS = b"\0".join([b"", USERNAME, PASSWORD])
#: A session as most clients have it; the last one is content.
ORDINARY = (
    b"EHLO client.example\r\n",
    b"MAIL FROM:<a@x.example>\r\n",
    b"RCPT TO:<b@y.example>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\nhello\r\n.\r\n",
)
LINES = (
    *(b"HELO c", b"EHLO [127.0.0.1]", b"EHLO", b"HELO \xff", b"ehlo a b c"),
    *(b"MAIL FROM:<>", b"mail from:<c@x.example> SIZE=100", b"MAIL FROM:<a@x.example> SIZE=99999"),
    *(b"MAIL FROM:<a@x.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x", b"MAIL FROM: <a@x>"),
    *(b"MAIL FROM:<a@x.example> FOO=BAR", b"MAIL", b"MAIL FROM:<\xc3\xa4@x.example> SMTPUTF8"),
    *(b'MAIL FROM:<"a b\\"> "@x.example>', b"MAIL FROM:<@h:a@x.example>", b"MAIL FROM:<a@x> A=B="),
    *(b"RCPT TO:<b@y.example>", b"RCPT TO:<c@y.example> NOTIFY=NEVER", b"RCPT TO:<d@no.example>"),
    *(b"RCPT TO:<\xc3\xa4@y.example>", b"RCPT TO:<e@[127.0.0.1]>", b"RCPT TO:<>", b"rcpt to:<b@y>"),
    *(b"RCPT TO:<f@y.example> ORCPT=rfc822;f+40y", b"RCPT", b"RCPT TO:<postmaster>", b"RCPT TO"),
    *(b"DATA", b"DATA now", b"RSET", b"RSET 1", b"NOOP", b"noop x", b"VRFY", b"VRFY b", b"HELP"),
    *(b"QUIT", b"QUIT now", b"", b" ", b"FOO", b"GET / HTTP/1.1", b"POST / HTTP/1.0", b".", b"*"),
    *(b"STARTTLS", b"STARTTLS now", b"AUTH", b"AUTH GSSAPI", b"AUTH LOGIN", b"AUTH PLAIN", b"AUTH"),
    *(b"AUTH PLAIN " + _base64(CREDENTIALS), b"AUTH PLAIN =", _base64(CREDENTIALS), b"\xff" * 9),
    *(_base64(USERNAME), _base64(PASSWORD), b"AUTH PLAIN " + _base64(b"\0joe\0no"), b"EXPN x"),
    *(b"BDAT 0", b"BDAT 0 LAST", b"bdat 5", b"BDAT 20 LAST", b"BDAT 3 LAST x", b"BDAT x", b"BDAT"),
    *(b"BDAT\t7\tLAST", b"BDAT 99999", b"BDAT " + b"9" * 30, b"BDAT -1"),
    *(
        b"MAIL FROM:<<a@x.example>>",
        b"MAIL FROM:< a@x.example. >",
        b"MAIL FROM:<a>",
        b"RCPT TO:<b>",
    ),
    *(b"RCPT\tTO:\t<b@y.example>\tNOTIFY=?", b"RCPT TO:b@y.example. ORCPT", b"EHLO x\r", b"DATA\r"),
    *(b"MAIL FROM:<> ENVID= RET=x", b"RCPT TO:<<b@y.example> X=>", b'RCPT TO: < "a\tb"@y >', b"\r"),
    *(b"X" * 600, b"NOOP " + b"x" * 12_290, b"\0", b"NOOP\r", b"NOOP\nRSET"),
)
PIECES = (
    *(b".\r\n", b"\r\n.\r\n", b".", b"\r", b"\n", b"\r\n", b"\0", b"..\r\n", b".x\r\n", b"x"),
    *(b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n", b"\r\n\x00.\r\n", b" "),
    *(b"From: a@x.example\r\n", b"Received: x\r\n", b"Received: x\r\n" * 60, b"From a\r\n"),
    *(b"Subject: y\r\n\r\nbody\r\n", b"x" * 400, b"x" * 1500 + b"\r\n", b"X: y\r\n" * 50),
    *(b"\r\n.\r\nMAIL FROM:<evil@x.example>\r\n", b"\n.\r\nRCPT TO:<evil@y.example>\r\nDATA\r\n"),
    *(b">From", b"\xe4", b"a\r\n b"),
    *(
        b"EHLO x\n",
        b"MAIL FROM:<a@x.example>\n",
        b"RCPT TO:<b@y.example>\n",
        b"DATA\n",
        b"BDAT 3\n",
    ),
)
#: Octets between two cuts, when a client sends in fragments; 0: what each step says is a segment.
_FRAGMENTS = (0, 0, 0, 0, 1, 2, 5, 100)


class _Player:
    def __init__(self, octets):
        self._octets = iter(octets)
        choices = self._next()
        settings = SETTINGS[choices & 1 | choices >> 5 & 2]
        self._session = Session(settings, secured=bool(choices & 2))
        self._fragment = _FRAGMENTS[choices >> 2 & 7]
        self._held_back = b""
        self._holds_back = bool(choices & 32)
        self._ordinary = 0

    def _next(self):
        return next(self._octets, 0)

    def play(self):
        try:
            for step in self._octets:
                if not self._session.open:
                    break
                _STEPS[step % len(_STEPS)](self)
            self._flush()
        finally:
            self._session.end()

    def _say(self, octets):
        self._held_back += octets
        if not self._holds_back:
            self._flush()

    def _flush(self):
        octets, self._held_back = self._held_back, b""
        if not octets:
            return
        length = self._fragment or len(octets)
        # A long piece in fragments of one octet would only take time.
        length = max(length, len(octets) // 50)
        for start in range(0, len(octets), length):
            self._session.send(octets[start : start + length])

    def _go_on(self):
        self._say(ORDINARY[self._ordinary])
        self._ordinary = self._ordinary % (len(ORDINARY) - 1) + 1

    def _chunk(self):
        content = b"".join(PIECES[self._next() % len(PIECES)] for _ in range(self._next() % 4))
        last = b" LAST" if self._next() % 2 else b""
        self._say(b"BDAT %d%s\r\n%s" % (len(content), last, content))

    def _line(self):
        self._say(LINES[self._next() % len(LINES)] + b"\r\n")

    def _piece(self):
        self._say(PIECES[self._next() % len(PIECES)])

    def _raw(self):
        self._say(bytes(self._next() for _ in range(self._next() % 16)))

    def _hold_back(self):
        self._flush()
        self._holds_back = not self._holds_back

    def _fault(self):
        self._session.fail_with(FAULTS[self._next() % len(FAULTS)])

    def _wait(self):
        self._session.wait(2.0 ** (self._next() % 12))

    def _rarely(self):
        """The session is over after these, so that they are not for each octet."""
        match self._next():
            case 0 | 1 | 2:
                self._session.stop_relay()
            case 3 | 4 | 5:
                self._session.hang_up()


_STEPS = (
    *[_Player._go_on] * 14,
    *[_Player._line] * 5,
    *[_Player._piece] * 4,
    *[_Player._chunk] * 4,
    *[_Player._raw, _Player._flush, _Player._hold_back, _Player._fault, _Player._wait],
    *[_Player._rarely],
    *[lambda player: player._session.answer()] * 2,
    *[lambda player: player._session.make_slow(), lambda player: player._session.make_fast()],
    *[lambda player: player._session.stop_reading(), lambda player: player._session.read_on()],
)


def play(octets):
    """Play one session to its end.

    :raise AssertionError: the edge has broken a rule.
    """
    _Player(octets).play()
