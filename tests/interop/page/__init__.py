"""The page in a real browser, and attacked over plain HTTP."""
