"""Rows that a model has not been made for, sizes that do not fit each other, a rate that diverges, and places that can't be written.

Usage: test_bad_use.py BIN_FOLDER"""

import os
import subprocess

import program
from program import BAD_DATA, DONE, FAILED, SMALL_HEADER, SMALL_PROJECT, USAGE, small_rows, trained_small

PLAIN_USER = 65534


def write_table(path, rows, header=SMALL_HEADER):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path.name


def score(program_, folder, table, output="out.csv", model="run", ranks=None):
    return program_("score", model, table, "-o", output, cwd=folder, ranks=ranks)


# --- rows

def a_category_never_seen_goes_the_stated_way(program_, folder):
    program.write_small(folder)
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    new = write_table(folder / "new.csv", ["1,0.5,red,a"] * 3000 + ["2,0.5,purple,a"])
    other = write_table(folder / "other.csv", ["1,0.5,red,a"] * 3000 + ["2,0.5,mauve,a"])
    gap = write_table(folder / "gap.csv", ["1,0.5,red,a"] * 3000 + ["2,0.5,,a"])
    for way in ("error", "other", "missing"):
        program_("train", "p.yaml", f"features.colour.unseen={way}", "-o", way, cwd=folder).expect(DONE)
    pad = "x" * 600                                       # 5 MB: the row stands in the second chunk, which another rank reads
    write_table(folder / "long.csv", [f"1,0.5,red,a,{pad}"] * 8000 + [f"2,0.5,purple,a,{pad}"], f"{SMALL_HEADER},pad")
    for ranks in (None, 2):
        score(program_, folder, "long.csv", model="error", ranks=ranks).expect(BAD_DATA, "long.csv: column colour, row 8000", "never seen in training")
        assert not (folder / "out.csv").exists()
    for way in ("other", "missing"):
        for table in (new, other):
            score(program_, folder, table, f"{way}-{table}", model=way).expect(DONE, "unseen categories 1")
        score(program_, folder, gap, f"{way}-{gap}", model=way).expect(DONE, "missing cells 1, unseen categories 0")
        program.assert_same_bytes(folder / f"{way}-new.csv", folder / f"{way}-other.csv")
    program.assert_same_bytes(folder / "missing-new.csv", folder / "missing-gap.csv")


def columns_are_found_by_name(program_, folder):
    trained_small(program_, folder)
    rows = small_rows()
    write_table(folder / "turned.csv", [",".join(reversed(row.split(","))) for row in rows], "kind,colour,x,id")
    write_table(folder / "unlabelled.csv", [row.rsplit(",", 1)[0] for row in rows], "id,x,colour")
    write_table(folder / "more.csv", [f"new,{row}" for row in rows], "extra,id,x,colour,kind")
    score(program_, folder, "rows.csv").expect(DONE)
    for name in ("turned", "unlabelled", "more"):
        score(program_, folder, f"{name}.csv", f"{name}.out").expect(DONE)
        program.assert_same_bytes(folder / "out.csv", folder / f"{name}.out")


def a_column_that_is_missing_is_named(program_, folder):
    trained_small(program_, folder)
    cut = [",".join(row.split(",")[:1] + row.split(",")[2:]) for row in small_rows()]
    write_table(folder / "cut.csv", cut, "id,colour,kind")
    write_table(folder / "misspelt.csv", small_rows(), "id,x,color,kind")
    write_table(folder / "nameless.csv", small_rows(), "key,x,colour,kind")
    for ranks in (None, 2):
        score(program_, folder, "cut.csv", ranks=ranks).expect(BAD_DATA, 'cut.csv: column "x", which the model needs', "id, colour, kind")
    score(program_, folder, "misspelt.csv").expect(BAD_DATA, 'column "colour"', 'did you mean "color"')
    score(program_, folder, "nameless.csv").expect(BAD_DATA, 'column "id"', "--id")
    assert not (folder / "out.csv").exists()
    program_("score", "run", "nameless.csv", "--id", "key", "-o", "out.csv", cwd=folder).expect(DONE)


def a_bad_row_at_score_is_named_or_counted(program_, folder):
    trained_small(program_, folder)
    rows = small_rows()
    write_table(folder / "new.csv", rows[:30] + ["100,many,red,a"] + rows[30:])
    for ranks in (None, 2):
        score(program_, folder, "new.csv", ranks=ranks).expect(BAD_DATA, "new.csv:32", '"many" is not a number')
    assert not (folder / "out.csv").exists()
    score(program_, folder, "rows.csv", "whole.csv").expect(DONE)
    program_("score", "run", "new.csv", "-o", "out.csv", "--skip-bad-rows", cwd=folder).expect(DONE, "bad rows left out 1", "new.csv:32")
    program.assert_same_bytes(folder / "out.csv", folder / "whole.csv")


def a_label_unseen_in_training_is_said(program_, folder):
    trained_small(program_, folder)
    write_table(folder / "test.csv", small_rows()[:9] + ["100,1.5,red,zebra"])
    given = SMALL_PROJECT.replace("{rows: rows.csv}", "{rows: rows.csv, new: test.csv}\n  split: {by: given, train: [rows], test: [new], validation: 0.1}")
    (folder / "given.yaml").write_text(given)
    program_("ingest", "given.yaml", "-o", "given.h5", cwd=folder).expect(DONE)
    program_("evaluate", "p.yaml", "run", "--dataset", "given.h5", cwd=folder, ranks=2).expect(BAD_DATA, 'the class "zebra" was not there in training')
    program_("train", "given.yaml", "data.dataset=given.h5", "-o", "other", cwd=folder).expect(DONE, 'the class "zebra" has no row in the training split')


# --- sizes

def a_batch_larger_than_the_data_takes_it_whole(program_, folder):
    trained_small(program_, folder, "train.global_batch_size=48")
    program_("train", "p.yaml", "train.global_batch_size=100000", "-o", "large", cwd=folder).expect(DONE, "train.global_batch_size is 100000, more than the 48")
    (one,) = [line for line in (folder / "run/progress.jsonl").read_text().splitlines() if '"round":2' in line and '"event":"round"' in line]
    (large,) = [line for line in (folder / "large/progress.jsonl").read_text().splitlines() if '"round":2' in line and '"event":"round"' in line]
    assert one.split('"step":')[1].split(",")[0] == large.split('"step":')[1].split(",")[0] == "2", (one, large)


def more_ranks_than_rows(program_, folder):
    program.write_small(folder, rows=small_rows(5))
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    write_table(folder / "one.csv", small_rows(1))
    for ranks in (None, 8):
        program_("train", "p.yaml", "-o", f"run{ranks}", cwd=folder, ranks=ranks).expect(DONE)
    program.assert_same_bytes(folder / "runNone/model.h5", folder / "run8/model.h5")
    for table in ("rows.csv", "one.csv"):
        for ranks in (None, 8):
            score(program_, folder, table, f"{ranks}-{table}", model="run8", ranks=ranks).expect(DONE)
        program.assert_same_bytes(folder / f"None-{table}", folder / f"8-{table}")
    program_("evaluate", "p.yaml", "run8", "--split", "validation", cwd=folder, ranks=8).expect(DONE)
    program_("evaluate", "p.yaml", "run8", "--split", "test", cwd=folder, ranks=8).expect(BAD_DATA, "test")


def a_rate_that_diverges_is_an_event_of_its_own(program_, folder):
    """1, with the step, the rank and the layer; no model; and the checkpoints before it stand."""
    program.write_small(folder)
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    diverging = ["train.learning_rate=1000", "train.optimizer=sgd", "model.learner=mlp", "train.epochs=100"]
    said = set()
    for ranks in (None, 3):
        result = program_("train", "p.yaml", *diverging, "-o", f"run{ranks}", cwd=folder, ranks=ranks)
        result.expect(FAILED, "training diverged", "round 1, step ", "rank ", "layer ", "of 3", "learning rate 1000", "lower train.learning_rate")
        assert not (folder / f"run{ranks}/model.h5").exists()
        said.add(result.err.split("training diverged")[1].split(", rank")[0])
    assert len(said) == 1, f"other steps on other numbers of ranks: {said}"


# --- places

def places_that_cannot_be_written_are_named(program_, folder):
    """Below a regular file nobody can write, root neither."""
    trained_small(program_, folder)
    (folder / "file").write_text("text\n")
    os.mkfifo(folder / "pipe")
    cases = [
        (["ingest", "p.yaml", "-o", "file/d.h5"], "file"),
        (["ingest", "p.yaml", "-o", "nowhere/d.h5"], "nowhere"),
        (["train", "p.yaml", "-o", "file/run"], "file"),
        (["train", "p.yaml", "-o", "file"], "file"),
        (["score", "run", "rows.csv", "-o", "file/out.csv"], "file/out.csv"),
        (["score", "run", "rows.csv", "-o", "file/out.h5"], "file/out.h5"),
        (["score", "run", "rows.csv", "-o", "nowhere/out.csv"], "nowhere/out.csv"),
        (["score", "run", "rows.csv", "-o", "."], ". cannot be written: it is a folder"),
        (["score", "run", "rows.csv", "-o", "pipe"], "pipe cannot be written: it is no regular file"),        # nor /dev/null
        (["evaluate", "p.yaml", "run", "-o", "file"], "file"),
        (["init", "rows.csv", "--target", "kind", "-o", "file/p.yaml"], "file/p.yaml"),
        (["init", "--example", "callcenter", "file/there"], "file"),
    ]
    before = sorted(folder.iterdir())

    def check(_name, args, place):
        program_(*args, cwd=folder).expect(FAILED, place)
        assert (folder / "file").read_text() == "text\n" and sorted(folder.iterdir()) == before

    program.for_each([(" ".join(args), args, place) for args, place in cases], check)
    for args in (cases[0][0], cases[2][0], cases[4][0]):
        program_(*args, cwd=folder, ranks=2).expect(FAILED, "file")
    assert sorted(folder.iterdir()) == before


def folders_without_permission_are_named(program_, folder):
    """As a plain user: root may write everywhere, and becomes one where it can."""
    trained_small(program_, folder)
    user = PLAIN_USER if os.geteuid() == 0 else None
    if user is not None:
        folder.chmod(0o755)
        probe = subprocess.run(["sh", "-c", f"{program_.bin}/flywheel version && cat rows.csv"], cwd=folder, user=user, group=user, extra_groups=[], capture_output=True, check=False)
        if probe.returncode != 0:
            print("        left out: a plain user can't start the program here")
            return
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0o555)
    for args in (["ingest", "p.yaml", "-o", "closed/d.h5"], ["train", "p.yaml", "-o", "closed/run"], ["score", "run", "rows.csv", "-o", "closed/out.csv"]):
        program_(*args, cwd=folder, user=user).expect(FAILED, "closed", "Permission denied")
    (folder / "rows.csv").chmod(0o000)
    (folder / "open").mkdir(mode=0o777)
    (folder / "open").chmod(0o777)
    program_("score", "run", "rows.csv", "-o", "open/out.csv", cwd=folder, user=user).expect(FAILED, "rows.csv", "Permission denied")
    (folder / "closed").chmod(0o755)
    assert not list((folder / "closed").iterdir())


def one_rank_alone_shares_no_folder_with_others(program_, folder):
    """MPI would make one below $TMPDIR that all such processes of a user share, and take it away while another one begins."""
    trained_small(program_, folder)
    program_("score", "run", "rows.csv", "-o", "out.csv", cwd=folder, env={"TMPDIR": str(folder / "rows.csv")}).expect(DONE)


program.main([a_category_never_seen_goes_the_stated_way, columns_are_found_by_name, a_column_that_is_missing_is_named,
              a_bad_row_at_score_is_named_or_counted, a_label_unseen_in_training_is_said, a_batch_larger_than_the_data_takes_it_whole,
              more_ranks_than_rows, a_rate_that_diverges_is_an_event_of_its_own, places_that_cannot_be_written_are_named,
              folders_without_permission_are_named, one_rank_alone_shares_no_folder_with_others])
