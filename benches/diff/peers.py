"""The peers of the diff benchmark that are Python packages: peers.py NAME LEFT RIGHT prints the three counts."""
import sys

name, left, right = sys.argv[1:4]
COLUMNS = ["name", "email", "amount", "price", "qty", "created", "updated_at", "active", "note"]


def duckdb_diff(typed):
    import duckdb
    db = duckdb.connect()
    db.execute("SET threads=2")
    options = "header=true, parallel=true" + ("" if typed else ", all_varchar=true")
    if typed:
        options += (", types={'amount':'DECIMAL(18,2)','price':'DECIMAL(18,4)','qty':'BIGINT','created':'DATE',"
                    "'updated_at':'TIMESTAMPTZ','active':'BOOLEAN','id':'BIGINT'}")
    pairs = ", ".join(f"l.{c} AS l_{c}, r.{c} AS r_{c}" for c in COLUMNS)
    differ = " OR ".join(f"l.{c} IS DISTINCT FROM r.{c}" for c in COLUMNS)
    rows = db.execute(
        f"SELECT l.id, r.id, {pairs} FROM read_csv('{left}', {options}) l FULL JOIN read_csv('{right}', {options}) r "
        f"ON l.id = r.id WHERE l.id IS NULL OR r.id IS NULL OR {differ}").fetchall()
    inserts = sum(1 for row in rows if row[0] is None)
    deletes = sum(1 for row in rows if row[1] is None)
    return len(rows) - inserts - deletes, deletes, inserts


def polars_diff():
    import polars as pl
    scan = lambda path: pl.scan_csv(path, infer_schema=False, missing_utf8_is_empty_string=True)
    a = scan(left).with_columns(pl.lit(True).alias("in_left"))
    b = scan(right).with_columns(pl.lit(True).alias("in_right"))
    differ = pl.any_horizontal([pl.col(c).ne_missing(pl.col(c + "_right")) for c in COLUMNS])
    rows = a.join(b, on="id", how="full").filter(
        pl.col("in_left").is_null() | pl.col("in_right").is_null() | differ).collect(engine="streaming")
    inserts, deletes = rows["in_left"].null_count(), rows["in_right"].null_count()
    return rows.height - inserts - deletes, deletes, inserts


def datacompy_diff():
    import datacompy
    import polars as pl
    read = lambda path: pl.read_csv(path, infer_schema=False, missing_utf8_is_empty_string=True)
    found = datacompy.PolarsCompare(read(left), read(right), join_columns="id")
    unequal = found.intersect_rows.height - found.count_matching_rows()
    return unequal, found.df1_unq_rows.height, found.df2_unq_rows.height


counts = {"duckdb": lambda: duckdb_diff(False), "duckdb-typed": lambda: duckdb_diff(True), "polars": polars_diff,
          "datacompy": datacompy_diff}[name]()
print("%d updated, %d deleted, %d inserted" % counts)
