"""Changes of the configuration file that keep its comments, its order, and all that is not meant.

`edits` makes another text of a text, `secrets` hides what nobody is to see in it, `difference`
shows what has changed, and `file` reads and writes it.  Only `edits` needs the extra "web".
"""
