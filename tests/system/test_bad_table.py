"""A table that breaks its contract ends ingest with 4 and no dataset; the record is named. What is not decided by the project is refused or said.

Usage: test_bad_table.py BIN_FOLDER"""

import gzip
import re

import program
from program import BAD_DATA, DONE, SMALL_HEADER, SMALL_PROJECT, USAGE, small_rows

DATASET = "small.dataset.h5"


def with_line(line, at=10):
    """The small table with one line more: line 11 of the file."""
    rows = [row.encode() for row in small_rows()]
    return b"\n".join([SMALL_HEADER.encode(), *rows[: at - 1], line, *rows[at - 1:]]) + b"\n"


def table(rows, header=SMALL_HEADER):
    return "\n".join([header, *rows]).encode() + b"\n"


GZIP = gzip.compress(table(small_rows()), mtime=0)

CASES = [
    ("an empty file", b"", ["rows.csv", "the file is empty"]),
    ("a header alone", table([]), ["rows.csv", "a header and no rows"]),
    ("blank lines alone", b"\n\n\n", ["rows.csv"]),
    ("too few fields", with_line(b"100,1.5,red"), ["rows.csv:11: 3 fields, expected 4"]),
    ("too many fields", with_line(b"100,1.5,red,a,more"), ["rows.csv:11: 5 fields, expected 4"]),
    ("an unclosed quote", with_line(b'100,1.5,"red,a'), ["rows.csv:11", "unclosed quote"]),
    ("text behind a quote", with_line(b'100,1.5,"red"dish,a'), ["rows.csv:11"]),
    ("a NUL byte", with_line(b"100,1.5,r\0d,a"), ["rows.csv:11", "NUL byte", "column colour"]),
    ("Latin-1", with_line(b"100,1.5,r\xe9d,a"), ["rows.csv:11", "not valid UTF-8", "column colour"]),
    ("an overlong UTF-8 form", with_line(b"100,1.5,\xc0\xaf,a"), ["rows.csv:11", "not valid UTF-8"]),
    ("a word for a number", with_line(b"100,many,red,a"), ["rows.csv:11", '"many" is not a number', "column x"]),
    ("infinity", with_line(b"100,inf,red,a"), ["rows.csv:11", '"inf" is not finite', "column x"]),
    ("minus infinity", with_line(b"100,-Infinity,red,a"), ["rows.csv:11", '"-Infinity" is not finite', "column x"]),
    ("a number past the largest", with_line(b"100,1e999,red,a"), ["rows.csv:11", "1e999", "column x"]),
    ("a target without a value", with_line(b"100,1.5,red,"), ["rows.csv", "target 'kind' is missing"]),
    ("a target that is constant", table([row[:-1] + "a" for row in small_rows()]), ["target 'kind' is 'a' in every row"]),
    ("two columns of one name", table(small_rows(), "id,x,x,kind"), ["rows.csv:1", 'the same name "x"']),
    ("not a table but gzip's bytes", GZIP[:40], ["rows.csv"]),
]


def ingest(program_, folder, ranks, *overrides):
    return program_("ingest", "p.yaml", *overrides, cwd=folder, ranks=ranks)


def each_is_refused_and_leaves_nothing(program_, folder):
    def check(name, content, says):
        program.write_small(folder)
        (folder / "rows.csv").write_bytes(content)
        ingest(program_, folder, None).expect(BAD_DATA, *says)
        assert not (folder / DATASET).exists(), "a dataset was made"

    program.for_each(CASES, check)


def many_ranks_say_the_same_once(program_, folder):
    chosen = {"an empty file", "an unclosed quote", "too many fields", "a word for a number", "a target that is constant"}

    def check(name, content, says):
        program.write_small(folder)
        (folder / "rows.csv").write_bytes(content)
        ingest(program_, folder, 3).expect(BAD_DATA, *says)
        assert not (folder / DATASET).exists(), "a dataset was made"

    program.for_each([case for case in CASES if case[0] in chosen], check)


def a_dataset_that_was_there_survives(program_, folder):
    program.write_small(folder)
    ingest(program_, folder, None).expect(DONE)
    before = (folder / DATASET).read_bytes()
    (folder / "rows.csv").write_bytes(with_line(b"100,many,red,a"))
    ingest(program_, folder, None).expect(BAD_DATA)
    assert (folder / DATASET).read_bytes() == before


def compressed_tables_that_are_cut_are_refused(program_, folder):
    program.write_small(folder, project=SMALL_PROJECT.replace("rows.csv", "rows.csv.gz"))
    for n in (5, 20, len(GZIP) // 2, len(GZIP) - 4):
        (folder / "rows.csv.gz").write_bytes(GZIP[:n])
        ingest(program_, folder, None).expect(BAD_DATA, "rows.csv.gz")
    flipped = bytearray(GZIP)
    flipped[-6] ^= 1                                       # its own checksum
    (folder / "rows.csv.gz").write_bytes(flipped)
    ingest(program_, folder, None).expect(BAD_DATA, "rows.csv.gz")
    (folder / "rows.csv.gz").write_bytes(GZIP)
    ingest(program_, folder, None).expect(DONE)
    assert not list(folder.glob("*.tmp*"))


def bad_rows_are_skipped_and_counted_when_the_project_says_so(program_, folder):
    rows = small_rows()
    bad = ["100,many,red,a", "101,1.5,red", "102,inf,red,b", "103,1.5,red,"]
    program.write_small(folder, rows=rows[:7] + bad[:2] + rows[7:30] + bad[2:] + rows[30:])
    digests = set()
    for ranks in (None, 3):
        result = ingest(program_, folder, ranks, "data.bad_rows=skip").expect(
            DONE, "rows.csv:9", '"many" is not a number', "rows.csv:10: 3 fields, expected 4", '"inf" is not finite', "target 'kind' is missing", "4 bad")
        assert "60 rows" in result.out, result
        digests.add(re.search(r"dataset +\S+ +\((\w{32})\)", result.out).group(1))
    assert len(digests) == 1, digests


def a_missing_value_is_counted(program_, folder):
    """nan is listed under data.missing unless the project says otherwise; then it is refused as not finite."""
    program.write_small(folder)
    (folder / "rows.csv").write_bytes(with_line(b"100,nan,,a"))
    ingest(program_, folder, None).expect(DONE, "missing: x 1, colour 1")
    ingest(program_, folder, None, "data.missing=['']").expect(BAD_DATA, "rows.csv:11", '"nan" is not finite', "column x")


def rows_of_another_order_of_columns_are_the_same_rows(program_, folder):
    """Two tables whose columns stand in another order; a third that has one less is refused."""
    rows = small_rows()
    program.write_small(folder, rows=rows, project=SMALL_PROJECT.replace("{rows: rows.csv}", "{a: a.csv, b: b.csv}"))
    turned = [",".join(reversed(row.split(","))) for row in rows]
    (folder / "a.csv").write_bytes(table(rows[:30]))
    (folder / "b.csv").write_bytes(table(turned[30:], "kind,colour,x,id"))
    ingest(program_, folder, 2).expect(DONE, "60 rows")
    (folder / "b.csv").write_bytes(table([row.rsplit(",", 1)[0] for row in turned[30:]], "kind,colour,x"))
    ingest(program_, folder, None).expect(BAD_DATA, "b.csv", "id")


def more_ranks_than_rows(program_, folder):
    program.write_small(folder, rows=small_rows(5))
    one = ingest(program_, folder, None).expect(DONE, "5 rows")
    (folder / DATASET).rename(folder / "one.h5")
    ingest(program_, folder, 8).expect(DONE, "5 rows")
    program.assert_same_bytes(folder / "one.h5", folder / DATASET)
    assert "the test split is empty" in one.err, one


def a_table_that_is_no_file(program_, folder):
    program.write_small(folder)
    (folder / "rows.csv").unlink()
    ingest(program_, folder, 2).expect(USAGE, "rows.csv: no such file")
    (folder / "rows.csv").mkdir()
    result = ingest(program_, folder, None)
    assert result.code in (1, 2) and "rows.csv: not a regular file" in result.err, result


program.main([each_is_refused_and_leaves_nothing, many_ranks_say_the_same_once, a_dataset_that_was_there_survives,
              compressed_tables_that_are_cut_are_refused, bad_rows_are_skipped_and_counted_when_the_project_says_so, a_missing_value_is_counted,
              rows_of_another_order_of_columns_are_the_same_rows, more_ranks_than_rows, a_table_that_is_no_file])
