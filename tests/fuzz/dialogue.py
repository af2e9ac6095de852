"""What a session has said, judged by what the client has sent: a reading of its own of RFC 5321.

It shares no code with the edge.  From the octets sent and the replies heard it knows where commands
and content begin and end, and which mails must have been taken over.
"""

from __future__ import annotations

import collections
import re

import attrs

from tests.live_relay import without_trace

_LINE = re.compile(rb"([2-5][0-5][0-9])([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?([\t -~]*)")
_PLAIN_PATH = re.compile(rb"(?i:FROM|TO):<([^\x00-\x20<>\"\\@]+@[^\x00-\x20<>\"\\@\[\]]+(?<!\.))>")
#: Codes without an enhanced code: the first reply, those to HELO and EHLO, and the 3xx.
_BARE_CODES = frozenset([220, 250, 334, 354])
#: What ends a session; a 554 may also refuse a mail.
_LAST_WORDS = frozenset([221, 421, 554])
#: A line of a reply with its CRLF (RFC 5321 section 4.5.3.1.5), and the longest line of a command
#: that has to be read, with its own (section 4.5.3.1.4).
_LONGEST_REPLY, _LONGEST_COMMAND = 512, 512
#: Our faults, which any command may meet.
_FAULTS = frozenset([451, 452])

_CODES = {
    b"HELO": {250, 501},
    b"EHLO": {250, 501},
    b"MAIL": {250, 501, 503, 530, 550, 552, 553, 555},
    b"RCPT": {250, 501, 503, 550, 553, 555},
    b"DATA": {354, 501, 503},
    b"RSET": {250, 501},
    b"NOOP": {250},
    b"VRFY": {252, 501},
    b"HELP": {214},
    b"QUIT": {221, 501},
    b"STARTTLS": {220, 501, 502, 503, 554},
    b"AUTH": {235, 334, 454, 501, 502, 503, 504, 535, 538},
    b"BDAT": {250, 501, 503, 550, 552, 554},
    b"EXPN": {502},
}
#: The beginning of a handshake is no line, and is refused before one has ended.
_TLS_RECORD = b"\x16\x03"
_CHUNK = re.compile(rb"(?i)[ \t]*BDAT[ \t]\s*(\d{1,20})(?:\s+(.*))?\s*\r\n", re.DOTALL)
_WEB = frozenset([b"CONNECT", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"])
_AUTH_RESPONSE = {235, 334, 501, 535}
_CONTENT = {250, 451, 452, 550, 552, 554}


@attrs.frozen
class Reply:
    """A reply as the client has read it."""

    code: int
    enhanced: str
    lines: tuple[bytes, ...]


@attrs.define
class _Transaction:
    """A mail transaction, as far as it is accepted; an address is None if it is no plain one."""

    sender: str | None
    recipients: list[str | None] = attrs.field(factory=list)
    chunks: bytes = b""
    refused: bool = False


class Dialogue:
    """One session.

    :param messages: what the intake has taken over; it grows.
    :param tolerant: the client need not greet, and its commands may end otherwise.
    :ivar over: the last words were heard.
    """

    def __init__(self, messages, *, tolerant=False):
        self._messages = messages
        self._tolerant = tolerant
        self._sent = b""
        self._heard = b""
        self._replies = collections.deque()
        self._reading = self._read_command
        self._greeted = self._hello = False
        self._transaction = None
        self._taken = 0
        self._content_is_whole = self._in_chunk = False
        self._closed = False
        self.over = False

    def send(self, octets):
        if not self.over:
            self._sent += octets

    def hear(self, octets):
        self._heard += octets
        *lines, self._heard = self._heard.split(b"\r\n")
        assert not self._heard, f"a reply without its end: {self._heard}"
        reply = []
        for line in lines:
            found = _LINE.fullmatch(line)
            assert found, f"no line of a reply: {line}"
            assert len(line) + 2 <= _LONGEST_REPLY, line
            reply.append(found)
            if found[2] == b" ":
                self._replies.append(_reply(reply))
                reply = []
        assert not reply, "a reply without its last line"

    def judge(self, *, waits, closed, held_back=False):
        """Compare all that was sent with all that was heard.

        :param waits: the session may owe a reply.
        :param held_back: a refusal waits for a moment, and so do the replies before it.
        :param closed: the server has hung up.
        """
        self._closed = closed
        if not self._greeted:
            assert self._replies.popleft().code in (220, 421, 554)
            self._greeted = True
        while not self.over and self._reading():
            pass
        if self._replies and not self.over:
            # Time is over, the relay stops, or there were too many errors.
            reply = self._replies.popleft()
            assert reply.code == 421, f"nobody has asked for {reply}"
            self.over = True
        assert not self._replies, f"too many replies: {self._replies}"
        assert closed == self.over, f"last words: {self.over}, hung up: {closed}"
        owes = self._content_is_whole or (
            self._reading != self._read_content and not self._in_chunk and b"\n" in self._sent
        )
        assert self.over or waits or held_back or not owes, f"no reply to {self._sent[:100]}"
        surplus = len(self._messages) - self._taken
        most = surplus if held_back else int(self._content_is_whole)
        assert 0 <= surplus <= most, "a mail that nobody has sent whole"

    def _next_line(self):
        """Return a line with its reply, when both are here."""
        is_tls = self._sent.startswith(_TLS_RECORD)
        end = len(self._sent) if is_tls else self._sent.find(b"\n") + 1
        if not (end and self._replies):
            return None
        line, self._sent = self._sent[:end], self._sent[end:]
        reply = self._replies.popleft()
        if len(line) > _LONGEST_COMMAND and (reply.code, reply.enhanced) == (500, "5.5.2"):
            line = None
        elif is_tls or not re.fullmatch(rb"[^\r\n\0]*\r\n", line):
            # Behind a bare LF nothing more may have come, which only the edge knows.
            refused = (reply.code, reply.enhanced) == (554, "5.5.2")
            tolerant = self._tolerant and not is_tls
            mended = re.fullmatch(rb"([^\r\n\0]*)(\r*)\n", line) if tolerant else None
            if mended and not refused and not re.match(rb"(?i)[ \t]*BDAT", line):
                line = mended[1] + b"\r\n"
            else:
                assert refused or reply.code == 421, f"{line} was answered by {reply}"
                line = None
        self._end_with(reply)
        return line, reply

    def _end_with(self, reply):
        refused = reply.code == 554 and not (self._closed and not self._replies)
        self.over = reply.code in _LAST_WORDS and not refused

    def _read_chunk(self, begun):
        """Take a BDAT with what follows it; its reply comes after that."""
        size, marker = int(begun[1]), (begun[2] or b"").strip().upper()
        last = marker == b"LAST"
        end = begun.end() + size
        self._in_chunk = len(self._sent) < end
        self._content_is_whole = last and not self._in_chunk
        if self._in_chunk or not self._replies:
            return False
        octets, self._sent = self._sent[begun.end() : end], self._sent[end:]
        reply = self._replies.popleft()
        self._end_with(reply)
        if reply.code != 421:
            assert reply.code in _CODES[b"BDAT"] | _FAULTS, f"BDAT was answered by {reply}"
            assert reply.enhanced, f"no enhanced code in {reply}"
            self._follow_chunk(octets, reply.code, last=last)
            self._content_is_whole = False
        return True

    def _follow_chunk(self, octets, code, *, last):
        transaction = self._transaction
        if code != 250:
            if transaction:
                # Without a recipient nothing has begun that could be refused.
                transaction.refused = bool(transaction.recipients)
        else:
            assert transaction, "BDAT before MAIL"
            assert transaction.recipients, "BDAT before RCPT"
            assert not transaction.refused, "a chunk after one that was refused"
            transaction.chunks += octets
            if last:
                assert self._taken < len(self._messages), "a 250 without a commit"
                _compare(transaction, _stuffed(transaction.chunks), self._messages[self._taken])
                self._taken += 1
        if last:
            self._transaction = None

    def _read_command(self):
        begun = _CHUNK.match(self._sent, 0, self._sent.find(b"\n") + 1)
        if begun:
            return self._read_chunk(begun)
        found = self._next_line()
        if not found:
            return False
        line, reply = found
        if line is None or reply.code == 421:
            return True
        verb, argument = [*re.split(rb"[ \t]", line.strip(b" \t\r\n"), maxsplit=1), b""][:2]
        verb, argument = verb.upper(), argument.strip(b" \t")
        assert verb not in _WEB, f"{line} was answered by {reply}"
        expected = _CODES.get(verb, {500}) | _FAULTS
        assert reply.code in expected, f"{line} was answered by {reply}"
        if reply.code == 250 and verb in (b"HELO", b"EHLO"):
            self._hello, self._transaction = True, None
        else:
            assert reply.enhanced or reply.code in (334, 354), f"no enhanced code in {reply}"
            self._follow(verb, argument, reply.code)
        return True

    def _follow(self, verb, argument, code):
        """Go on as the reply says, where it says that the session has."""
        match verb, code:
            case b"MAIL", 250:
                assert self._hello or self._tolerant, "MAIL before EHLO"
                assert not self._transaction, "MAIL after MAIL"
                self._transaction = _Transaction(_address(argument))
            case b"RCPT", 250:
                assert self._transaction, "RCPT before MAIL"
                self._transaction.recipients.append(_address(argument))
            case b"RSET", 250:
                self._transaction = None
            case b"DATA", 354:
                assert self._transaction, "DATA before MAIL"
                assert self._transaction.recipients, "DATA before RCPT"
                assert not self._transaction.chunks, "DATA after BDAT"
                self._reading = self._read_content
                # As though a line had just ended, since a lone dot may be the first line.
                self._sent = b"\r\n" + self._sent
            case b"STARTTLS", 220:
                assert not self._sent, "what came before the handshake is read after it"
                self._hello, self._transaction = False, None
            case b"AUTH", 334:
                self._reading = self._read_response

    def _read_response(self):
        found = self._next_line()
        if not found:
            return False
        line, reply = found
        if line == b"*\r\n":
            assert reply.code == 501, f"an AUTH that was given up was answered by {reply}"
        assert line is None or reply.code in _AUTH_RESPONSE | _FAULTS | {421}, reply
        if reply.code != 334:
            self._reading = self._read_command
        return True

    def _read_content(self):
        end = self._sent.find(b"\r\n.\r\n")
        self._content_is_whole = end >= 0
        if not (self._content_is_whole and self._replies):
            return False
        content, self._sent = self._sent[2 : end + 2], self._sent[end + 5 :]
        reply = self._replies.popleft()
        self._end_with(reply)
        if reply.code == 421:
            return True
        assert reply.code in _CONTENT, f"content was answered by {reply}"
        assert reply.enhanced, f"no enhanced code in {reply}"
        if reply.code == 250:
            assert self._taken < len(self._messages), "a 250 without a commit"
            _compare(self._transaction, content, self._messages[self._taken])
            self._taken += 1
        self._content_is_whole = False
        self._transaction = None
        self._reading = self._read_command
        return True


def _reply(lines):
    codes = {line[1] for line in lines}
    enhanced = {line[3] for line in lines}
    assert len(codes) == len(enhanced) == 1, f"the lines of a reply differ: {lines}"
    code, enhanced = int(codes.pop()), (enhanced.pop() or b"").decode()
    assert enhanced[:1] == str(code)[0] if enhanced else code in _BARE_CODES, lines
    return Reply(code, enhanced, tuple(line[4] for line in lines))


def _address(argument):
    found = _PLAIN_PATH.match(argument)
    return found[1].decode() if found else None


def _compare(transaction, content, message):
    """See that the mail that was taken over is the one that the client has sent."""
    trace_only = without_trace(message.content)
    if _unstuffed(trace_only) != _unstuffed(content):
        assert _unstuffed(without_trace(message.content, separated=True)) == _unstuffed(content)
    envelope = message.envelope
    recipients = tuple(dict.fromkeys(transaction.recipients))
    assert None in recipients or recipients == envelope.recipients
    assert transaction.sender in (None, envelope.reverse_path)


def _stuffed(chunks):
    """Return what comes in chunks as it would have come after DATA."""
    if not chunks.endswith(b"\r\n"):
        chunks += b"\r\n"
    return re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", chunks)


def _unstuffed(content):
    """Return content as it is read at the far end (RFC 5321 section 4.5.2)."""
    assert content.endswith(b"\r\n") or not content
    return re.sub(rb"(?:\A|(?<=\r\n))\.", b"", content)
