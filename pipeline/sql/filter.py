"""One read-only statement, proven harmless before it runs.

`readonly=1` alone still lets a query read any file of the process (`file()`), write one (`INTO
OUTFILE`) and carry a second statement. So the engine itself parses the text into a tree (its own
`parseQueryToJSON`, which runs nothing), every node of the tree must be of a kind listed here, and
what then runs is the very text that the tree was made from. The engine also writes the tree back as
text: where that differs, the tree lacks something that would run, and the statement is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import QueryError
from pipeline.sql.words import TABLE_FUNCTIONS, Words, is_served, word_set
from pipeline.store import ReadOnly

MAX_QUERY_BYTES = 256 << 10

# Nodes without rules of their own: what they hold is looked at node by node.
_PLAIN = word_set(
    "ArrayJoin Asterisk CollateNode ColumnsExceptTransformer ColumnsListMatcher "
    "ColumnsRegexpMatcher ColumnsReplaceTransformer ColumnsReplaceTransformerReplacement "
    "ColumnsTransformerList ExpressionList InterpolateElement Literal OrderByElement "
    "QualifiedAsterisk QualifiedColumnsListMatcher QualifiedColumnsRegexpMatcher "
    "SampleRatio SelectIntersectExceptQuery SelectWithUnionQuery Subquery TableJoin "
    "TablesInSelectQuery TablesInSelectQueryElement WindowDefinition WindowListElement WithElement "
    "TableExpression SelectQuery ShowColumnsQuery ShowIndexesQuery"
)
_STATEMENTS = word_set(
    "SelectWithUnionQuery SelectIntersectExceptQuery SelectQuery ExplainQuery ShowTablesQuery "
    "ShowColumnsQuery ShowIndexesQuery"
)
_EXPLAINED = frozenset(
    f"EXPLAIN{kind}" for kind in ("", " AST", " SYNTAX", " QUERY TREE", " PIPELINE", " ESTIMATE")
)
_EXPLAIN_SETTINGS = word_set(
    "actions compact description distributed dump_ast dump_passes dump_tree graph header indexes "
    "input_headers json keep_logical_steps oneline optimize passes pretty projections "
    "query_tree_passes run_passes run_query_tree_passes sorting"
)
_SHOWN = word_set(
    "case_insensitive_like databases from full like limit_length not_like type where_expression"
)

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAME = r"(?:[A-Za-z_]\w*|`[A-Za-z_]\w*`|\"[A-Za-z_]\w*\")"
_FORMAT = r"(?:\s+FORMAT\s+(?P<format>\w+))?"
# Statements that parseQueryToJSON has no tree for, small enough for a pattern each.
_ABOUT_TABLE = re.compile(
    rf"(?P<verb>DESC|DESCRIBE|EXISTS|SHOW\s+CREATE)(?:\s+(?:TABLE|VIEW))?\s+"
    rf"(?:(?P<database>{_NAME})\s*\.\s*)?(?P<table>{_NAME}){_FORMAT}",
    re.IGNORECASE | re.ASCII,
)
_ABOUT_QUERY = re.compile(
    rf"DESC(?:RIBE)?(?:\s+TABLE)?\s*\((?P<query>.*)\){_FORMAT}", re.IGNORECASE | re.DOTALL
)
_PARSE = (
    "SELECT formatQuerySingleLine({q:String}) AS one, parseQueryToJSON(one) AS tree,"
    " formatQuerySingleLine(formatQueryFromJSON(tree)) AS back"
)
# The engine writes some parentheses only in one of the two texts.
_NO_PARENTHESES = str.maketrans("", "", "()")
# Functions whose first argument is the name of an aggregate function to call.
_BY_NAME = word_set("arrayReduce arrayReduceInRanges initializeAggregation".lower())
# What the engine says of the helper's own SELECT is no business of the client.
_SCOPE = re.compile(r": In scope SELECT formatQuerySingleLine\(.*(?= \([A-Z_]+\))", re.DOTALL)
_NO_TREE = re.compile(r"AST node of type '([A-Za-z]+)")


class Refused(QueryError):
    """The read-only interface does not run this statement; the text says what is in the way."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Code: 497. DB::Exception: the read-only interface refuses {what}. (ACCESS_DENIED)"
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run; `format` is what its FORMAT clause named, "" if it had none.

    `parameters` are the types of its `{name:Type}`.
    """

    sql: str
    format: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def check(session: ReadOnly, words: Words, text: str) -> Statement:
    """The one statement of `text`, to be run as returned.

    Raises Refused for what is not allowed, QueryError for what is not SQL.
    """
    if len(text.encode(errors="replace")) > MAX_QUERY_BYTES:
        raise Refused(f"a query longer than {MAX_QUERY_BYTES} bytes")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise Refused("text that is not Unicode")
    text = text.strip().rstrip(";").rstrip()
    if found := _ABOUT_TABLE.fullmatch(text):
        return _about_table(found)
    if found := _ABOUT_QUERY.fullmatch(text):
        inner = _statement(session, words, found["query"])
        if inner.format or not inner.sql.startswith(("SELECT", "WITH")):
            raise Refused("DESCRIBE of anything but a SELECT")
        return replace(inner, sql=f"DESCRIBE TABLE ({inner.sql})", format=found["format"] or "")
    return _statement(session, words, text)


def _statement(session: ReadOnly, words: Words, text: str) -> Statement:
    one, tree = _parse(session, text)
    wanted = _format(tree)
    if wanted:
        one, tree = _parse(session, one.removesuffix(f" FORMAT {wanted}"))
    _check_tree(tree, words)
    nodes = (node for node, _ in _nodes(tree) if node["type"] == "QueryParameter")
    return Statement(one, wanted, {str(n["name"]): str(n["param_type"]) for n in nodes})


def _about_table(found: re.Match[str]) -> Statement:
    database, table = (_bare(found[part]) for part in ("database", "table"))
    _check_table([database, table] if database else [table])
    verb = " ".join(found["verb"].upper().split()).replace("DESCRIBE", "DESC")
    place = f"`{database}`.`{table}`" if database else f"`{table}`"
    return Statement(f"{verb} TABLE {place}", found["format"] or "")


def _bare(name: str | None) -> str:
    return (name or "").strip('`"')


def _parse(session: ReadOnly, text: str) -> tuple[str, dict[str, Any]]:
    try:
        row = session.query(_PARSE, "JSONCompactEachRow", {"q": text})
    except QueryError as error:
        if found := _NO_TREE.search(str(error)):
            raise Refused(f"statements of the kind {found[1]}") from None
        raise QueryError(_SCOPE.sub(".", str(error))) from None
    try:
        one, tree, back = json.loads(row)
        if one.translate(_NO_PARENTHESES) != back.translate(_NO_PARENTHESES):
            raise Refused("a clause that its syntax tree does not show")
        return one, json.loads(tree)
    except RecursionError:
        raise Refused("a query nested this deep") from None


def _format(tree: dict[str, Any]) -> str:
    node = tree.get("format_ast")
    return str(node["name"]) if node and node.get("type") == "Identifier" else ""


def _check_tree(tree: dict[str, Any], words: Words) -> None:
    if tree.get("type") not in _STATEMENTS:
        raise Refused(f"statements of the kind {tree.get('type')}; it takes SELECT, SHOW, DESCRIBE")
    for node, place in _nodes(tree):
        _check_node(node, place, words)


def _nodes(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every node, with the key under which its parent has it."""
    todo: list[tuple[Any, str]] = [(tree, "")]
    while todo:
        value, place = todo.pop()
        if isinstance(value, list):
            todo += ((item, place) for item in value)
        elif isinstance(value, dict):
            if "type" in value:
                yield value, place
            todo += ((item, key) for key, item in value.items())


def _check_node(node: dict[str, Any], place: str, words: Words) -> None:
    if not node.keys().isdisjoint(("out_file", "compression", "settings_ast", "format_ast")):
        raise Refused("INTO OUTFILE, a second FORMAT, and SETTINGS")
    kind = str(node["type"])
    if rule := _RULES.get(kind):
        rule(node, place, words)
    elif kind not in _PLAIN:
        raise Refused(f"a clause of the kind {kind}")


def _check_function(node: dict[str, Any], place: str, words: Words) -> None:
    name = str(node.get("name", ""))
    if place == "table_function":
        if name not in TABLE_FUNCTIONS:
            raise Refused(f"the table function {name}")
    elif node.get("is_lambda_function") is not True or name != "lambda":
        _check_call(name, words)
        if name.lower() in _BY_NAME:
            _check_call(_aggregate(node), words)


def _aggregate(node: dict[str, Any]) -> str:
    """The aggregate function that the first argument names: `quantile(0.5)` is quantile."""
    arguments: list[dict[str, Any]] = node.get("arguments", {}).get("children", [])
    value = arguments[0].get("value") if arguments else None
    if not isinstance(value, dict) or value.get("field_type") != "String":
        raise Refused(f"{node.get('name')} of a function whose name is not written out")
    return str(value["value"]).partition("(")[0].strip()


def _check_apply(node: dict[str, Any], _: str, words: Words) -> None:
    _check_call(str(node.get("func_name", "")), words, optional="lambda" in node)


def _check_parameter(node: dict[str, Any], *_: object) -> None:
    if node.get("param_type") == "Identifier":
        raise Refused("parameters of the type Identifier")


def _check_explain(node: dict[str, Any], *_: object) -> None:
    if node.get("kind") not in _EXPLAINED or "query" not in node:
        raise Refused(f"{node.get('kind')}")


def _check_show(node: dict[str, Any], *_: object) -> None:
    unset = {key for key, value in node.items() if value is False}
    if strange := node.keys() - _SHOWN - unset:
        raise Refused(f"SHOW with {', '.join(sorted(strange))}")


def _check_call(name: str, words: Words, optional: bool = False) -> None:
    if not (optional and not name) and not words.allows(name):
        raise Refused(f"the function {name}")


def _check_table_name(node: dict[str, Any], *_: object) -> None:
    _check_table(_parts(node))


def _parts(node: dict[str, Any]) -> list[str]:
    return [str(part) for part in node.get("name_parts") or [node.get("name", "")]]


def _check_identifier(node: dict[str, Any], _: str, words: Words) -> None:
    parts = _parts(node)
    if parts[0].lower() in ("system", "default", "information_schema"):
        # `x IN system.disks` has its table as an identifier of this kind.
        _check_table(parts[:2])
    elif len(parts) == 1 and words.names_function(parts[0]):
        # `arrayMap(file, x)` calls the function that the identifier names.
        raise Refused(f"the bare name {parts[0]}, which is a function's (qualify the column)")


def _check_table(parts: list[str]) -> None:
    # Any other name, such as a path, is one that the engine may take for a file.
    if not all(_PLAIN_NAME.fullmatch(part) for part in parts) or len(parts) > 2:
        raise Refused(f"the table name {'.'.join(parts)!r}")
    if len(parts) == 2 and not is_served(*parts):
        raise Refused(f"the table {'.'.join(parts)}")


def _check_settings(node: dict[str, Any], place: str, _: Words) -> None:
    names = {str(change.get("name")) for change in node.get("changes", [])}
    extra = node.keys() - {"type", "changes"}
    if place != "settings" or extra or not names <= _EXPLAIN_SETTINGS:
        raise Refused("SETTINGS (a client may ask for less than the limits in the URL)")


_RULES: dict[str, Callable[[dict[str, Any], str, Words], None]] = {
    "ColumnsApplyTransformer": _check_apply,
    "ExplainQuery": _check_explain,
    "Function": _check_function,
    "Identifier": _check_identifier,
    "QueryParameter": _check_parameter,
    "SetQuery": _check_settings,
    "ShowTablesQuery": _check_show,
    "TableIdentifier": _check_table_name,
}
