"""python -m tests.bench.store_size FOLDER     bytes of the merged tables of foreign metrics."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

TABLES = ("samples", "series", "metrics", "histograms", "exemplars")


def main(folder: Path) -> int:
    store = EmbeddedStore(EmbeddedOptions(folder))
    try:
        for table in TABLES:
            store.query(f"OPTIMIZE TABLE {table} FINAL", "Null")
        sql = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table IN {TABLES}"
        return int(store.query(sql, "TSV"))
    finally:
        store.close()


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
