"""Sessions of the edge with clients that send anything: `python -m tests.fuzz`.

`dialogue` judges what a session says; `session` is one session in memory with all that can happen
around it; `script` plays one from octets, which atheris, or a random generator, makes up.
"""
