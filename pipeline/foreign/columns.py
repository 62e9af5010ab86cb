"""The numbers that the decoder in C and Python agree on (`c/api.h`, `c/batch.h`)."""

from __future__ import annotations

from enum import IntEnum


class Format(IntEnum):
    """Of a body, as `enum fm_format`."""

    RW1 = 1
    RW2 = 2
    OTLP = 3
    OTLP_JSON = 4


class Column(IntEnum):
    """As `enum fm_column`."""

    SAMPLE_SERIES = 0
    SAMPLE_TIME = 1
    SAMPLE_VALUE = 2
    SERIES_ID = 3
    SERIES_NAME = 4
    SERIES_NAME_END = 5
    SERIES_LABEL_END = 6
    LABEL_NAME = 7
    LABEL_NAME_END = 8
    LABEL_VALUE = 9
    LABEL_VALUE_END = 10
    METADATA = 11
    METADATA_END = 12
    METADATA_TYPE = 13
    HISTOGRAM_SERIES = 14
    HISTOGRAM_TIME = 15
    HISTOGRAM_SCHEMA = 16
    HISTOGRAM_RESET = 17
    HISTOGRAM_NUMBERS = 18
    BUCKET_INDEX = 19
    BUCKET_COUNT = 20
    BUCKET_POSITIVE_END = 21
    BUCKET_NEGATIVE_END = 22
    BOUND = 23
    BOUND_END = 24
    EXEMPLAR_SERIES = 25
    EXEMPLAR_TIME = 26
    EXEMPLAR_VALUE = 27
    EXEMPLAR_LABEL_END = 28
    EXEMPLAR_LABEL_NAME = 29
    EXEMPLAR_LABEL_NAME_END = 30
    EXEMPLAR_LABEL_VALUE = 31
    EXEMPLAR_LABEL_VALUE_END = 32


class Reason(IntEnum):
    """Why samples were not taken, as `enum fm_reason`."""

    BAD_LABELS = 0
    TENANT_LIMIT = 1
    TABLE_LIMIT = 2
    BAD_TIME = 3
    BAD_HISTOGRAM = 4
    NO_VALUE = 5
