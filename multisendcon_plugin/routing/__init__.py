"""Which account a mail leaves by, and why.  Pure."""
