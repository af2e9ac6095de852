"""Random texts of a configuration, in all ways in which admins may write one."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

#: Looks like a header where none is.
TRAP = "[[account]]"
SECRET = "c4nary"

WORDS = st.sampled_from(["a", "smtp.example.com", "*@x.example", "ä ö", "x # y", TRAP, "it's", "€"])
COMMENTS = st.sampled_from(
    ["# a comment", "#port = 25", f"# {TRAP}", "#", '# "quoted', "# ['", "\t# far", "# ü"]
)
BARE_KEYS = st.sampled_from(["port", "server", "senders", "note", "x-y", "helo_domain", "give"])


@st.composite
def strings(draw, words=WORDS):
    """Return a string as it is written."""
    word = draw(words)
    forms = [
        f'"{word}"',
        f'"""{word}"""',
        f"'''\n{word}'''",
        f'"""\n[[account]]\n{word} "x"\\\n "\\""""',
    ]
    if "'" not in word:
        forms.append(f"'{word}'")
    return draw(st.sampled_from(forms))


SCALARS = st.one_of(
    strings(),
    st.sampled_from(["1", "-5", "1_000", "0x1f", "2.5", "true", "1979-05-27 07:32:00", "07:32:00"]),
)


@st.composite
def values(draw):
    """Return a value as it is written."""
    form = draw(st.sampled_from(["scalar", "scalar", "list", "lines", "table", "lists"]))
    each = draw(st.lists(SCALARS, max_size=3))
    if form == "scalar" or not each:
        return draw(SCALARS)
    if form == "list":
        return f"[{', '.join(each)}]"
    if form == "lines":
        comment = draw(COMMENTS)
        return "[ " + comment + "\n" + "".join(f"  {one}, {comment}\n" for one in each) + "]"
    if form == "table":
        return (
            "{ " + ", ".join(f'k{n} = {one}, "q {n}".z = [1]' for n, one in enumerate(each)) + " }"
        )
    return f"[[{each[0]}], [\n  {each[0]} # ]\n]]"


@st.composite
def entries(draw, keys):
    """Return entries as they are written, each with its line end."""
    lines = []
    for key in keys:
        name = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
        if draw(st.booleans()) and draw(st.booleans()):
            name += draw(st.sampled_from([".inner", ' . "in ner"', ".a.b"]))
        equal = draw(st.sampled_from([" = ", "=", "  =\t"]))
        behind = draw(st.sampled_from(["", "", "  # behind", " #[x]", " "]))
        indent = draw(st.sampled_from(["", "", "  "]))
        lines.append(f"{indent}{name}{equal}{draw(values())}{behind}\n")
        lines += draw(st.lists(st.one_of(COMMENTS, st.just("")).map("{}\n".format), max_size=2))
    return "".join(lines)


@attrs.frozen
class Part:
    """A table as it is written, with what is to go along with it."""

    name: str | None
    text: str


@st.composite
def accounts(draw, name):
    lead = draw(st.lists(COMMENTS.map("{}\n".format), max_size=2))
    header = draw(
        st.sampled_from(["[[account]]", "[[ account ]] # x", '[["account"]]', "  [[account]]"])
    )
    title = draw(
        st.sampled_from(
            [f'name = "{name}"', f"'name'='{name}' # n", f'"na\\u006de" = """{name}"""']
        )
    )
    keys = draw(st.lists(BARE_KEYS, unique=True, max_size=3))
    body = draw(entries(keys))
    password = draw(
        st.sampled_from(
            [
                "",
                f'password = "{SECRET}"\n',
                f"password='''\n{SECRET}\n{TRAP}'''  # p\n",
                'password = { file = "f" }\n',
                'password.env = "E"\n',
                f'oauth2 = {{ client_secret = "{SECRET}", provider = "google" }}\n',
                f'#password = "{SECRET}"\n',
                f"oauth2.client_secret = '{SECRET}'\noauth2.scope = \"s\"\n",
                f'\n# tokens\n[account.oauth2]\nprovider = "x"\nclient_secret = "{SECRET}" # s\n',
            ]
        )
    )
    return Part(name, "".join(lead) + f"{header}\n{title}\n{body}{password}".rstrip())


@st.composite
def tables(draw, name):
    lead = draw(st.lists(COMMENTS.map("{}\n".format), max_size=2))
    keys = draw(st.lists(BARE_KEYS, unique=True, max_size=3))
    secret = f'webhook = "{SECRET}"\n' if name == "alarm" and draw(st.booleans()) else ""
    return Part(None, f"{''.join(lead)}[{name}]\n{secret}{draw(entries(keys))}".rstrip())


@attrs.frozen
class Random:
    """A text.

    :param parts: its tables.
    """

    text: str
    parts: list[Part]

    @property
    def accounts(self):
        return [part for part in self.parts if part.name]

    @property
    def names(self):
        return [part.name for part in self.accounts]


@st.composite
def texts(draw):
    """Return a text with some accounts and other tables, with any line ends."""
    names = draw(st.lists(st.sampled_from(["A", "B b", "C", "Dä", "E"]), unique=True, max_size=4))
    others = draw(
        st.lists(st.sampled_from(["delivery", "alarm", "log", "x.y"]), unique=True, max_size=2)
    )
    parts = [draw(accounts(name)) for name in names] + [draw(tables(name)) for name in others]
    parts = draw(st.permutations(parts))
    pieces = [
        draw(st.sampled_from(["", "# The head\n\n", "#!x\n# y\n \n", "\n\n", "# a\n\n# b\n\n"]))
    ]
    if not pieces[0] and parts and parts[0].text.lstrip().startswith("#"):
        pieces = ["\n"]  # else the comment would be the file's
    for part in parts:
        between = ["\n\n", "\n \t\n", "\n\n# between\n\n"]
        if not part.text.rpartition("\n")[2].lstrip().startswith("#"):
            between.append("\n")  # else the comment would be that of the next table
        pieces += [part.text, draw(st.sampled_from(between))]
    text = "".join(pieces)
    if draw(st.booleans()):
        text = text.rstrip("\n \t")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
        parts = [Part(part.name, part.text.replace("\n", "\r\n")) for part in parts]
    return Random(text, list(parts))
