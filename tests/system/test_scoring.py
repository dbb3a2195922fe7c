"""What score writes beside its predictions: the id of each row as it stands in the table, and nothing private."""

import json
import re
import subprocess

from program import BAD_DATA, DONE, USAGE, main, small_rows

PROJECT = """\
project: small
problem: {task: classification, target: kind}
data:
  tables: {rows: rows.csv}
  private: [phone]
features: {x: number, colour: category, code: number}
model: {learner: linear}
train: {epochs: 2, global_batch_size: 16}
"""
HEADER = "x,colour,code,phone,kind"
NEW = [HEADER, "1,red,007,555-1,zz", "2,mauve,12345678901234567890,555-2,a", '3,"blue, or ""green""",1e3,555-3,b']


def trained(program, folder):
    rows = [f"{x},{colour},00{i},555-{i},{kind}" for i, x, colour, kind in (row.split(",") for row in small_rows())]
    (folder / "p.yaml").write_text(PROJECT)
    (folder / "rows.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "new.csv").write_text("\n".join(NEW) + "\n")
    program("ingest", "p.yaml", cwd=folder).expect(DONE)
    program("train", "p.yaml", "-o", "run", cwd=folder).expect(DONE)


def ids_are_carried_through_as_they_stand(program, folder):
    """Also those of columns that the model reads as numbers and categories, and the target's, with labels that the model never saw."""
    trained(program, folder)
    for column, expected in (("code", ["007", "12345678901234567890", "1e3"]), ("colour", ["red", "mauve", '"blue, or ""green"""']), ("kind", ["zz", "a", "b"])):
        for ranks in None, 2:
            program("score", "run", "new.csv", "--id", column, "-o", "o.csv", cwd=folder, ranks=ranks).expect(DONE)
            head, *lines = (folder / "o.csv").read_text().splitlines()
            assert head == f"{column},prediction,p_a,p_b" and len(lines) == len(expected), lines
            assert all(line.startswith(f"{id},") for id, line in zip(expected, lines)), (column, lines)
    program("score", "run", "new.csv", "-o", "rows.out.csv", cwd=folder).expect(DONE)
    assert [line.split(",")[0] for line in (folder / "rows.out.csv").read_text().splitlines()] == ["row", "0", "1", "2"]


def what_is_no_id(program, folder):
    trained(program, folder)
    for column, code, words in (("phone", USAGE, ["phone", "data.private"]), ("colou", BAD_DATA, ["colou", "did you mean", "colour"]),
                                ("[x]", BAD_DATA, ['"[x]"']), ("a: b", BAD_DATA, ['"a: b"'])):
        program("score", "run", "new.csv", "--id", column, "-o", "o.csv", cwd=folder).expect(code, *words)
        assert not (folder / "o.csv").exists()
    program("score", "run", "small.dataset.h5", "--id", "phone", "-o", "o.csv", cwd=folder).expect(USAGE, "data.private")


def a_model_judges_another_dataset_by_names(program, folder):
    """The same rows with their columns in another order, a further column and another split of the codes: the same figures. Another class is refused."""
    trained(program, folder)
    rows = [line.split(",") for line in (folder / "rows.csv").read_text().splitlines()]
    order = [4, 2, 1, 3, 0]
    (folder / "other.csv").write_text("".join(",".join([*(row[i] for i in order), "extra" if n == 0 else "7"]) + "\n" for n, row in enumerate(rows)))
    (folder / "q.yaml").write_text(PROJECT.replace("project: small", "project: other").replace("rows.csv", "other.csv"))
    program("ingest", "q.yaml", cwd=folder).expect(DONE)
    own = json.loads(program("evaluate", "p.yaml", "run", "--format", "json", cwd=folder).expect(DONE).out)
    other = json.loads(program("evaluate", "q.yaml", "run", "-o", "judged", "--format", "json", cwd=folder, ranks=2).expect(DONE).out)
    named = json.loads(program("evaluate", "p.yaml", "run", "--dataset", "other.dataset.h5", "--format", "json", cwd=folder).expect(DONE).out)
    assert own["metrics"] == other["metrics"] == named["metrics"] and own["rows"] == other["rows"] > 0
    assert own["dataset"] != other["dataset"] == named["dataset"] and own["model"] == other["model"]
    for text, code, words in (("a", BAD_DATA, ['the class "new"', "was not there in training"]), ("555-", DONE, [])):
        (folder / "changed.csv").write_text("".join(",".join("new" if i == 4 and row[4] == text else cell for i, cell in enumerate(row)) + "\n" for row in rows))
        program("ingest", "p.yaml", "data.tables.rows=changed.csv", "-o", "changed.h5", cwd=folder).expect(DONE)
        program("evaluate", "p.yaml", "run", "--dataset", "changed.h5", cwd=folder).expect(code, *words)
    program("evaluate", "p.yaml", "run", "--dataset", "nosuch.h5", cwd=folder).expect(USAGE, "nosuch.h5")


def what_nobody_hears_stays_in_the_spool_and_is_counted(program, folder):
    trained(program, folder)
    def score(*more):
        return program("score", "run", "new.csv", "-o", "o.csv", "--bus", f"ipc://{folder}/bus", *more, cwd=folder).expect(DONE).err
    said = score("--spool", "none")
    n = int(re.search(r"published 3 predictions in (\d+) messages", said)[1])
    assert n >= 2 and f"0 delivered, 0 spooled, {n} dropped" in said, said
    said = score()
    assert f"0 delivered, {n} spooled, 0 dropped" in said and f".spool keeps {n} messages" in said, said
    command = [program.bin / "flywheel-monitor", "--connect", f"ipc://{folder}/bus", "--until-end"]
    with (folder / "monitor.out").open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as monitor:
        said = score("--wait-subscribers", "1")
        assert f"{2 * n} delivered, 0 spooled, 0 dropped" in said, said
        assert monitor.wait(60) == 0
    assert "6 predictions, 0 gaps" in (folder / "monitor.out").read_text(), (folder / "monitor.out").read_text()


def what_telemetry_took_is_said(program, folder):
    trained(program, folder)
    for ranks in None, 2:
        def score(*more):
            return program("score", "run", "new.csv", "-o", "o.csv", *more, cwd=folder, ranks=ranks).expect(DONE).err
        said = score("--bus", f"ipc://{folder}/bus", "--spool", "none")
        p50, p99 = map(float, re.search(r"1 parts, each .* in ([0-9.]+) ms \(p50\), ([0-9.]+) ms \(p99\)", said).groups())
        share, *bare = map(float, re.search(r"telemetry took ([0-9.]+) % of that; without its time: ([0-9.]+) ms \(p50\), ([0-9.]+) ms \(p99\)", said).groups())
        assert p50 == p99 and bare[0] == bare[1] and 0 < share < 100 and abs(bare[0] - p50 * (1 - share / 100)) < 0.002 + p50 * 1e-4, said
        assert "telemetry took" not in score(), said


if __name__ == "__main__":
    main([what_telemetry_took_is_said, what_nobody_hears_stays_in_the_spool_and_is_counted, ids_are_carried_through_as_they_stand, what_is_no_id, a_model_judges_another_dataset_by_names])
