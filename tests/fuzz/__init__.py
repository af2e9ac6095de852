"""What strangers may send, made up at random: `python -m tests.fuzz TARGET`.

*sessions*: `dialogue` judges what a session says; `session` is one session in memory with all that
can happen around it; `script` plays one from octets, which atheris, or a random generator, makes
up.  *fields*: the address fields of a header, under a fixed sender.  *reports*: reports on mail
with any recipients, replies and header.
"""
