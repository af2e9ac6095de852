"""What a mail goes through before it leaves: from a message to the mail of one account.

It knows the account and the message, and nothing of how mail is carried: no session, no SMTP.
"""

from .preparation import OutgoingMail, prepare

__all__ = ["OutgoingMail", "prepare"]
