"""The package against the program: SUPERNODE is the program's path."""

import os
import resource
import signal
import subprocess
import threading
import time

import duckdb
import pandas
import polars
import pyarrow
import pytest
import supernode

QUESTIONS = [
    ("collective", ["hgx-h100"], {"op": "all_reduce", "size": "1KiB..4KiB"}),
    ("simulate", ["hgx-h100"], {"workload": "llama-3.1-70b-fp8", "explain": True}),
    ("compare", ["hgx-h100", "l40s-8"], {"workload": "llama-3.1-70b-fp8"}),
    ("list", ["links"], {}),
]


def program(*words):
    return subprocess.run([os.environ["SUPERNODE"], *words], capture_output=True, check=False)


def words(command, names, options):
    flags = [part for key, value in options.items() for part in ([f"--{key}"] if value is True else [f"--{key}", value])]
    return [command, *names, *flags]


@pytest.mark.parametrize("command, names, options", QUESTIONS)
def test_same_bytes_as_the_program(command, names, options):
    result = supernode.ask(command, *names, **options)
    line = words(command, names, options)
    assert result.json.encode() == program(*line, "--format", "json").stdout
    assert result.text.encode() == program(*line).stdout or command == "list"
    for table in result.tables:
        assert result.table(table).csv().encode() == program(*line, "--format", "csv", "--table", table).stdout


def test_tables_open_without_copies_of_text():
    result = supernode.collective("hgx-h100", op="all_reduce", size="1KiB..1MiB")
    results = result.table("results")
    arrow = pyarrow.table(results)
    assert str(arrow.schema.field("bytes").type) == "int64" and str(arrow.schema.field("time_s").type) == "double"
    assert polars.DataFrame(results)["bytes"].to_list() == arrow["bytes"].to_pylist()
    assert duckdb.sql("select sum(bytes) from results").fetchall()[0][0] == sum(arrow["bytes"].to_pylist())
    assert list(arrow.to_pandas()["bytes"]) == list(pandas.DataFrame(arrow.to_pydict())["bytes"])
    assert pyarrow.table(result).equals(arrow), "a result is its main table"
    # A column without figures keeps its type.
    assert str(pyarrow.table(result.table()).schema.field("flow_time_s").type) == "double"


def test_what_is_wrong_is_underlined(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('schema = 1\nextends = "hgx-h100"\n[supernode]\nnane = "mine"\n')
    with pytest.raises(supernode.Error) as caught:
        supernode.ask("describe", path)
    assert str(caught.value) == program("describe", str(path)).stderr.decode().rstrip("\n")
    assert "^^^^" in str(caught.value)
    with pytest.raises(supernode.Error, match="--nope"):
        supernode.simulate("hgx-h100", nope=1)
    with pytest.raises(KeyError, match="there are results"):
        supernode.collective("hgx-h100", op="send", size="1KiB", ranks=2).table("nope")


def test_notebooks_show_the_text():
    result = supernode.ask("list", "links")
    assert result._repr_html_().startswith("<pre>") and "nvlink4-board" in result._repr_html_()
    assert repr(result).startswith("<supernode.Result list: names")


def test_control_c_ends_the_waiting():
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        supernode.ask("uncertainty", "hgx-h100", draws=100_000)
    assert time.monotonic() - start < 5


def processor_seconds(who, ask):
    """Processor time of a question, all threads."""
    before = resource.getrusage(who)
    ask()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def added_seconds(command, names, options):
    """What a caller waits beyond the library's own time, up to the text of the JSON; and that of the library."""
    start = time.perf_counter()
    result = supernode.ask(command, *names, **options)
    assert result.json
    return time.perf_counter() - start - result._native.seconds, result._native.seconds


@pytest.mark.parametrize("command, names, options", [QUESTIONS[0], QUESTIONS[3]])
def test_the_package_adds_less_than_a_millisecond(command, names, options, capsys):
    """Package and program have one optimisation level: `.ci/python-package` builds them so. Runs take turns, and the least of many counts: what else
    runs on the machine makes a run longer, never shorter."""
    line = [*words(command, names, options), "--format", "json"]
    of_program, of_package, added, library = [], [], [], []
    for _ in range(15):
        of_program.append(processor_seconds(resource.RUSAGE_CHILDREN, lambda: program(*line)))
        of_package.append(processor_seconds(resource.RUSAGE_SELF, lambda: supernode.ask(command, *names, **options).json))
        more, own = added_seconds(command, names, options)
        added.append(more)
        library.append(own)
    with capsys.disabled():
        times = [1000 * min(times) for times in (added, library, of_package, of_program)]
        print("\n{}: added {:.3f} ms to {:.1f} ms of the library; processor time {:.1f} ms, of the program {:.1f} ms".format(command, *times))
    assert min(added) < 0.001, added
    assert min(of_package) < min(of_program) + 0.001, (of_package, of_program)


def test_a_long_question_says_how_far_it_is():
    seen = []
    supernode.ask("uncertainty", "hgx-h100", workload="llama-3.1-8b-bf16", draws=200, progress=lambda *far: seen.append(far))
    # A machine that answers at once shows nothing.
    assert all(0 < done <= of == 200 and pieces == "draws" for done, of, pieces in seen)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    with pytest.raises(ZeroDivisionError):
        supernode.ask("uncertainty", "hgx-h100", draws=2000, progress=lambda *_: 1 / 0)
