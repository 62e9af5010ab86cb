"""Which functions, table functions and tables the read-only SQL interface lets through.

Allow-lists throughout: what a later engine adds is refused until somebody has looked at it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipeline.store import DATABASE, Store


def word_set(text: str, separator: str | None = None) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split(separator))


# Categories of system.functions whose members compute on their arguments and on nothing else.
SAFE_CATEGORIES = word_set(
    "Arithmetic|Arrays|Bit|Bitmap|Comparison|Conditional|Dates and Times|Distance|Encoding|"
    "Financial|Hash|IP Address|JSON|Logical|Map|Mathematical|Null|Nullable|Random Number|Rounding|"
    "String|String Replacement|String Search|String Splitting|Time Series|Time Window|Tuple|"
    "Type Conversion|URL|UUID",
    separator="|",
)
# Of the category Other, and the internal spelling of CASE.
SAFE_OTHERS = word_set(
    "bar blockNumber blockSize byteSize caseWithExpression countDigits currentDatabase currentUser "
    "defaultValueOfArgumentType defaultValueOfTypeName digits displayName dumpColumnStructure "
    "errorCodeToName exists finalizeAggregation formatReadableDecimalSize formatReadableQuantity "
    "formatReadableSize formatReadableTimeDelta getSizeOfEnumType grouping hostName identity "
    "ignore initializeAggregation isConstant isDecimalOverflow lowCardinalityIndices "
    "lowCardinalityKeys materialize neighbor parseReadableSize parseReadableSizeOrNull "
    "parseReadableSizeOrZero "
    "parseTimeDelta queryID revision rowNumberInAllBlocks rowNumberInBlock runningAccumulate "
    "runningDifference runningDifferenceStartingWithFirstValue toColumnTypeName toTypeName "
    "transform untuple uptime version visibleWidth"
)
# Members of safe categories that read settings that name files, compile patterns without end, or
# compare two long values for minutes, during which the engine looks at no limit and no KILL.
UNSAFE = word_set(
    "formatRow formatRowNoNewline groupFormat multiFuzzyMatchAllIndices multiFuzzyMatchAny "
    "multiFuzzyMatchAnyIndex multiMatchAllIndices multiMatchAny multiMatchAnyIndex "
    "arrayLevenshteinDistance arrayLevenshteinDistanceWeighted arraySimilarity "
    "damerauLevenshteinDistance editDistance editDistanceUTF8 jaroSimilarity "
    "jaroWinklerSimilarity aggThrow".lower()
)
TABLE_FUNCTIONS = word_set(
    "generate_series generateSeries numbers numbers_mt primes values view zeros zeros_mt"
)
# What clients ask a server about itself. None of these shows a secret, a query or a user; `tables`
# shows where its files lie.
SYSTEM_TABLES = word_set(
    "aggregate_function_combinators build_options columns contributors data_type_families "
    "databases formats functions keywords licenses numbers one settings table_engines "
    "table_functions tables time_zones zeros"
)
# Views over the tables above, and over sizes of parts.
INFORMATION_VIEWS = word_set(
    "character_sets collations columns engines key_column_usage referential_constraints schemata "
    "statistics tables views"
)


def is_served(database: str, table: str) -> bool:
    """Whether a query may read it. The embedded engine's `default` is the process's folder."""
    if database in ("information_schema", "INFORMATION_SCHEMA"):
        return table.lower() in INFORMATION_VIEWS
    return database == DATABASE or (database == "system" and table in SYSTEM_TABLES)


@dataclass(frozen=True, slots=True)
class Words:
    """Names of functions of one engine, in lower case."""

    allowed: frozenset[str]
    known: frozenset[str]
    aggregates: frozenset[str]
    combinators: tuple[str, ...]
    formats: frozenset[str]

    def allows(self, name: str) -> bool:
        """Whether a query may call the function, under any of its spellings."""
        word = name.lower()
        return word in self.allowed or self._is_aggregate(word)

    def names_function(self, name: str) -> bool:
        """Whether it is a function that may not be called, also not by `arrayMap(name, x)`."""
        return name.lower() in self.known and not self.allows(name)

    def _is_aggregate(self, word: str) -> bool:
        while word not in self.aggregates:
            suffix = next((c for c in self.combinators if word.endswith(c) and word != c), "")
            if not suffix:
                return False
            word = word.removesuffix(suffix)
        return word not in UNSAFE


_FUNCTIONS = """
SELECT name, alias_to, categories, is_aggregate, origin = 'System' AS builtin
FROM system.functions
"""
_COMBINATORS = "SELECT name FROM system.aggregate_function_combinators"
_FORMATS = "SELECT name FROM system.formats WHERE is_output"


def load(store: Store) -> Words:
    """The words of the store's engine. Blocks; raises QueryError."""
    functions = _rows(store.query(_FUNCTIONS, "JSONCompactEachRow"))
    combinators = _rows(store.query(_COMBINATORS, "JSONCompactEachRow"))
    formats = _rows(store.query(_FORMATS, "JSONCompactEachRow"))
    safe = {
        str(name)
        for name, _, categories, aggregate, builtin in functions
        if builtin and not aggregate and _is_safe(str(name), str(categories))
    }
    aliases = {str(name) for name, target, *_ in functions if target in safe}
    known = {str(name).lower() for name, *_ in functions}
    unsafe = {
        str(n).lower() for n, _, _, agg, _ in functions if not agg and n not in safe | aliases
    }
    aggregates = {str(name).lower() for name, _, _, aggregate, ok in functions if aggregate and ok}
    return Words(
        # Two functions may differ in case alone: what either of them may not do, none may.
        allowed=frozenset(name.lower() for name in safe | aliases | SAFE_OTHERS) - unsafe,
        known=frozenset(known),
        aggregates=frozenset(aggregates),
        combinators=tuple(str(name).lower() for (name,) in combinators),
        formats=frozenset(str(name).lower() for (name,) in formats),
    )


def _is_safe(name: str, categories: str) -> bool:
    if name.lower() in UNSAFE:
        return False
    return name in SAFE_OTHERS or set(categories.split(", ")) <= SAFE_CATEGORIES


def _rows(lines: bytes) -> list[list[object]]:
    return [json.loads(line) for line in lines.splitlines()]
