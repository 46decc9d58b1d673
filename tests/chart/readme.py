"""The table of values in the chart's README, made of the comments in values.yaml.

Without arguments it is written; `--check` fails where it is not what it would be.
"""

import re
import sys

import helm

BEGIN, END = "<!-- values: python3 tests/chart/readme.py -->\n", "<!-- end of values -->\n"


def rows(lines):
    """Every key with a comment that begins with two dashes: path, usual value, what it does."""
    path, said = [], None
    for line in lines:
        text = line.strip()
        if text.startswith("# -- "):
            said = [text[5:]]
        elif text.startswith("#") and said is not None:
            said.append(text.lstrip("# "))
        elif key := re.match(r"( *)([A-Za-z]+):(.*)", line):
            path = path[: len(key[1]) // 2] + [key[2]]
            if said is not None:
                yield ".".join(path), usual(key[3].strip()), " ".join(said)
            said = None


def usual(text):
    return {"": "see values.yaml", "|": "see values.yaml", '""': ""}.get(text, text)


def table():
    """The whole table."""
    head = "| value | usually | what it does |\n| --- | --- | --- |\n"
    cell = lambda text: text.replace("|", "\\|")
    values = (helm.CHART / "values.yaml").read_text().splitlines()
    return head + "".join(
        f"| `{path}` | {f'`{value}`' if value else ''} | {cell(said)} |\n" for path, value, said in rows(values)
    )


def main():
    file = helm.CHART / "README.md"
    text = file.read_text()
    before, rest = text.split(BEGIN)
    made = before + BEGIN + table() + END + rest.split(END)[1]
    if "--check" not in sys.argv:
        file.write_text(made)
    elif made != text:
        sys.exit(f"{file.name} is not what values.yaml says: run python3 tests/chart/readme.py")


if __name__ == "__main__":
    main()
