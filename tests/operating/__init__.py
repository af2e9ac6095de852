"""docs/operating.rst: its commands are run, and what they print is compared."""
