"""What the program says before and around a command: help, other programs, several processes, an output that can't be written."""

import os
import subprocess

from program import DONE, FAILED, USAGE, environment, main, write_small


def one_process_speaks(program, folder):
    """Under a launcher help, versions and errors of use are said once, and a command without ranks is done once."""
    write_small(folder)
    for args, word, code in ((["train", "--help"], "usage:", DONE), (["--help"], "usage:", DONE), (["version"], "formats", DONE),
                             (["check", "p.yaml"], "classification of kind", DONE), (["trian"], "there is no command", USAGE), (["train"], "something is missing", USAGE)):
        result = program(*args, cwd=folder, ranks=3)
        said = (result.out + result.err).count(word)
        assert result.code == code and said == 1, f"{word!r} is said {said} times: {result}"


def help_is_at_every_level(program, folder):
    listed = program("--help", cwd=folder).expect(DONE).out
    names = [line.split()[0] for line in listed.split("commands, in the order")[1].splitlines()[1:] if line.startswith("  ") and not line.startswith("   ")]
    assert len(names) >= 10, names
    for name in names:
        said = program(name, "--help", cwd=folder).expect(DONE).out
        assert "sage" in said and len(said) > 60, f"{name}: {said}"


def the_monitor_is_a_command_too(program, folder):
    direct = subprocess.run([program.bin / "flywheel-monitor", "--help"], capture_output=True, text=True, check=True).stdout
    assert program("monitor", "--help", cwd=folder).expect(DONE).out == direct
    program("monitor", "--window", "nonsense", cwd=folder).expect(USAGE, "--window nonsense")
    alone = folder / "flywheel"
    alone.write_bytes((program.bin / "flywheel").read_bytes())
    alone.chmod(0o755)
    result = subprocess.run([alone, "monitor"], capture_output=True, text=True, env=environment(None))
    assert result.returncode == FAILED and "flywheel-monitor" in result.stderr and "beside" in result.stderr, result


def output_that_cannot_be_written_is_a_failure(program, folder):
    """The last write's error is not lost; a reader that has seen enough is none."""
    for args in (["version"], ["--help"], ["train", "--help"]):
        with open("/dev/full", "w") as full:
            result = subprocess.run([program.bin / "flywheel", *args], stdout=full, stderr=subprocess.PIPE, text=True)
        assert result.returncode == FAILED and "standard output" in result.stderr, (args, result)
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([program.bin / "flywheel", *args], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert result.returncode == DONE and result.stderr == "", (args, result)


if __name__ == "__main__":
    main([one_process_speaks, help_is_at_every_level, the_monitor_is_a_command_too, output_that_cannot_be_written_is_a_failure])
