"""What became of each mail: a database beside the spool, which is not the truth (the spool is)."""
