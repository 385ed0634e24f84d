"""The reference page of a file, from its schema: docs/reference/files is made by this."""

from __future__ import annotations

from allotment.feeds.schema import Bound, Column, Schema, Type

_WRITTEN = {
    Type.CODE: "code",
    Type.TEXT: "text",
    Type.DATE: "day, `YYYY-MM-DD`",
    Type.MONEY: "dollars, at most 2 decimals",
    Type.SHARES: "shares, at most 9 decimals",
    Type.PRICE: "dollars, at most 6 decimals",
    Type.NUMBER: "number",
    Type.WHOLE: "whole number",
    Type.YESNO: "yes or no",
    Type.LIST: "names separated by `;`",
    Type.PAIRS: "`name=number`, separated by `;`",
}


def page(schema: Schema) -> str:
    """The page's Markdown."""
    rows = "\n".join(_row(column) for column in schema.columns)
    key = ", ".join(f"`{name}`" for name in schema.key)
    unique = f"No two rows are equal in {key}."
    if schema.key_or_row:
        unique = (
            f"No two rows are equal in {key}; rows without `{schema.key[-1]}` are not equal in everything."
        )
    needs = ", ".join(f"[{kind}]({kind.replace('_', '-')}.md)" for kind in schema.needs)
    after = f"\nLoad before it: {needs}.\n" if schema.needs else ""
    rules = "\n".join(f"- {rule}" for rule in (unique, *schema.rules))
    header = ",".join(column.name for column in schema.columns)
    example = ",".join(_quoted(column.example) for column in schema.columns)
    toml = f"\nThe same as TOML:\n\n```toml\n{_toml(schema)}```\n" if schema.toml else ""
    return f"""# File `{schema.kind}`

<!-- Made from the schema by `python tools/file_pages.py`; edit the schema, not this page. -->

{schema.about}
{after}
CSV (UTF-8, commas, a header) or Parquet; columns in any order; schema version {schema.version}.

| column | written as | needed | meaning | example |
|---|---|---|---|---|
{rows}

## Rules

{rules}

## Example

```csv
{header}
{example}
```
{toml}"""


def index_page(schemas: dict[str, Schema]) -> str:
    """The list of files, in the order in which they depend on one another."""
    rows = "\n".join(
        f"| [{schema.kind}]({schema.kind.replace('_', '-')}.md) | {schema.about} |"
        for schema in schemas.values()
    )
    return f"""# Files

<!-- Made from the schemas by `python tools/file_pages.py`; edit a schema, not this page. -->

`allotment import` reads these files, as CSV or Parquet; mandates and what is expected also as TOML
([how to import](../../how-to/import.md)). A file that is named after its kind, such as
`lots.csv` or `prices-2024.parquet`, needs no `--kind`.

| file | what it holds |
|---|---|
{rows}

An empty cell means that nothing is known, or the default. Money, shares and prices are read as
exact decimals and kept as whole numbers of cents, billionths of a share and millionths of a
dollar; a cell with more decimals than that is a mistake, never rounded.
"""


def _row(column: Column) -> str:
    written = _WRITTEN.get(column.type, "")
    if column.type is Type.CHOICE:
        written = ", ".join(f"`{choice}`" for choice in column.choices)
    if column.bound is Bound.POSITIVE:
        written += ", above 0"
    elif column.bound is Bound.NOT_NEGATIVE:
        written += ", 0 or more"
    if column.most is not None:
        written += f", at most {column.most:g}"
    if column.past:
        written += ", not after the day of the import"
    needed = "yes"
    if not column.required:
        default = column.default_meaning or (f"`{column.default}`" if column.default else "")
        needed = f"no; {default}" if column.default_meaning else f"no; default {default}" if default else "no"
    return f"| `{column.name}` | {written} | {needed} | {column.meaning} | `{column.example}` |"


def _toml(schema: Schema) -> str:
    """The example as a TOML file."""
    head = [c for c in schema.columns if c.name in schema.toml_head]
    row = [c for c in schema.columns if c.name not in schema.toml_head and c.example]
    lines = ["schema_version = " + str(schema.version), *map(_toml_key, head), "", f"[[{schema.toml}]]"]
    return "\n".join([*lines, *map(_toml_key, row)]) + "\n"


def _toml_key(column: Column) -> str:
    value = column.example
    if column.type is Type.LIST:
        value = "[" + ", ".join(f'"{name}"' for name in value.split(";")) + "]"
    elif column.type is Type.PAIRS:
        value = "{ " + ", ".join(pair.replace("=", " = ") for pair in value.split(";")) + " }"
    elif column.type not in {Type.MONEY, Type.SHARES, Type.PRICE, Type.NUMBER, Type.WHOLE, Type.DATE}:
        value = f'"{value}"'
    return f"{column.name} = {value}"


def _quoted(value: str) -> str:
    return f'"{value}"' if "," in value else value
