"""The settings as plain values, and what a value has to be; below all rules that use them.

Only ``files``, ``permissions`` and ``hostname`` look at this machine.
"""
