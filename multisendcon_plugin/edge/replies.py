"""Every reply of the master relay that has a fixed text, with its enhanced status code.

RFC 5321 section 4.2.2, RFC 3463, RFC 2034.
"""

from __future__ import annotations

from ..mail.reply import Reply

SENDER_OK = Reply(250, "2.1.0", "sender ok")
RECIPIENT_OK = Reply(250, "2.1.5", "recipient ok")
RESET = Reply(250, "2.0.0", "nothing remembered")
NOTHING_DONE = Reply(250, "2.0.0", "still here")
# RFC 5321 section 3.5.3.
NOT_VERIFIED = Reply(252, "2.5.2", "send some mail, I will try my best")
HELP = Reply(
    214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT: see RFC 5321 and 3030"
)
GOOD_BYE = Reply(221, "2.0.0", "good-bye")
CHUNK_TAKEN = Reply(250, "2.0.0", "chunk taken")
SEND_CONTENT = Reply(354, "", "send the message, end with a dot on a line of its own")
BEGIN_TLS = Reply(220, "2.0.0", "ready to start TLS")
AUTHENTICATED = Reply(235, "2.7.0", "authentication successful")

# 421: the session ends (RFC 5321 section 3.8), and the client comes again.
IDLE_TOO_LONG = Reply(421, "4.4.2", "nothing heard for too long, closing")
MAIL_TOO_SLOW = Reply(421, "4.4.2", "this mail takes too long, closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "too many errors, closing")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "too many commands and no mail, closing")
TOO_MANY_REFUSALS = Reply(421, "4.7.0", "too many refusals and no mail, closing")
NOT_THE_WEB = Reply(421, "4.7.0", "this is SMTP, not HTTP, closing")
TOO_MANY_CONNECTIONS = Reply(421, "4.3.2", "too many connections, try again later")
TOO_MANY_FROM_THERE = Reply(421, "4.7.0", "too many connections from your address, try again later")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "too many wrong logins, closing")
NO_LOGIN = Reply(421, "4.7.0", "no login for too long, closing")
SHUTTING_DOWN = Reply(421, "4.3.2", "shutting down, try again later")
# 4xx: we cannot for now, so the client keeps the mail.
LOCAL_ERROR = Reply(451, "4.3.0", "local error, try again later")
TOO_MANY_LOGINS_AT_ONCE = Reply(454, "4.7.0", "too many logins now, try again later")
SPOOL_FULL = Reply(452, "4.3.1", "no room for more mail now, try again later")
MEMORY_FULL = Reply(452, "4.3.1", "too much mail is under way, try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients, send the rest separately")

# What breaks the protocol, x.5.x (RFC 3463 section 3.6), counts as an error: `Tarpit.refused`.
LINE_TOO_LONG = Reply(500, "5.5.2", "line too long")
BARE_LINE_END = Reply(554, "5.5.2", "a command ends with CRLF and has no CR, LF or NUL, closing")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "command not known")
NOT_OFFERED = Reply(502, "5.5.1", "not offered")
ARGUMENT_MISSING = Reply(501, "5.5.4", "argument missing")
NO_ARGUMENT = Reply(501, "5.5.4", "this command takes no argument")
MAIL_SYNTAX = Reply(501, "5.5.4", "say MAIL FROM:<address>")
RCPT_SYNTAX = Reply(501, "5.5.4", "say RCPT TO:<address>")
BDAT_SYNTAX = Reply(501, "5.5.4", "say BDAT and a number of octets, and LAST with the last ones")
CHUNK_UNKNOWN = Reply(554, "5.5.4", "how many octets follow BDAT cannot be known, closing")
AUTHENTICATION_ABORTED = Reply(501, "5.7.0", "authentication aborted")
AUTHENTICATION_SYNTAX = Reply(501, "5.5.2", "that is not the base64 that was expected")
HELO_FIRST = Reply(503, "5.5.1", "say EHLO first")
MAIL_TWICE = Reply(503, "5.5.1", "a sender was given already")
MAIL_FIRST = Reply(503, "5.5.1", "say MAIL first")
RCPT_FIRST = Reply(503, "5.5.1", "no valid recipient yet")
ONLY_CHUNKS = Reply(503, "5.5.1", "only BDAT may follow BDAT, or RSET")
NOT_DURING_MAIL = Reply(503, "5.5.1", "not during a mail transaction")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is active already")
TLS_NOT_ALONE = Reply(554, "5.5.1", "nothing may follow STARTTLS before its reply, closing")
AUTHENTICATED_ALREADY = Reply(503, "5.5.1", "authenticated already")
MECHANISM_UNKNOWN = Reply(504, "5.5.4", "authentication mechanism not offered")
LOGIN_FIRST = Reply(530, "5.7.0", "authentication required")
WRONG_CREDENTIALS = Reply(535, "5.7.8", "username or password not accepted")
TLS_FIRST = Reply(538, "5.7.11", "no login without TLS, say STARTTLS first")

# About the client or the mail: refused for good, and no error of the protocol.
NOT_ALLOWED = Reply(554, "5.7.1", "this relay does not serve your address")
NO_CLIENT = Reply(554, "5.7.1", "your proxy has not said whose connection this is")
NEEDS_UTF8 = Reply(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8")
TOO_LARGE = Reply(552, "5.3.4", "message too large")
HEADER_TOO_LARGE = Reply(552, "5.3.4", "message header too large")
TOO_MANY_AUTHORS = Reply(
    552, "5.3.4", "From:, Sender: and Reply-To: take up to 16 KiB, and 500 addresses each"
)
BAD_LINE_ENDS = Reply(550, "5.6.11", "message contains a bare CR, a bare LF or a NUL")
LOOP = Reply(554, "5.4.6", "too many Received fields: the mail goes round in circles")
LOOP_HERE = Reply(554, "5.4.6", "the mail has been here several times: it goes round in circles")
