"""The benchmark's own arithmetic: what it reads from others, and what it makes of it."""

import os
import time
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import pytest
from bench.load import LoadError, parse_wrk, request_head
from bench.results import Results, Sample

from bench import chart, lock, measure, peers, report, results, soak, stats, targets, workloads, wsload

WRK = """\
Running 2s test @ http://127.0.0.1:8000/plaintext
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  234.00us   9.87ms   91.20%
    Req/Sec    61.90k     2.10k   64.00k    85.00%
  Latency Distribution
     50%    0.98ms
     75%    1.10ms
     90%    1.21ms
     99%    2.50ms
  123456 requests in 2.01s, 17.90MB read
Requests/sec:  61420.90
Transfer/sec:      8.91MB
"""


# -- reading what others write ------------------------------------------------------------------------------


def test_wrk_output_is_read():
    load = parse_wrk(WRK)
    assert load.requests == 123456
    assert load.seconds == pytest.approx(2.01)
    assert load.p50 == pytest.approx(0.98)
    assert load.p99 == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("written", "seconds"), [("1.50m", 90.0), ("950.00ms", 0.95), ("700.00us", 0.0007), ("10.00s", 10.0)]
)
def test_wrk_durations_come_in_any_unit(written, seconds):
    assert parse_wrk(WRK.replace("2.01s", written)).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "line",
    [
        "  Socket errors: connect 0, read 12, write 0, timeout 0",
        "  Socket errors: connect 0, read 0, write 0, timeout 3",
        "  Non-2xx or 3xx responses: 17",
    ],
)
def test_a_run_with_failures_is_no_measurement(line):
    with pytest.raises(LoadError, match=line.strip()):
        parse_wrk(WRK.replace("Requests/sec", line + "\nRequests/sec"))


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:8000", WRK.replace("123456", "0")])
def test_a_run_without_answers_is_no_measurement(text):
    with pytest.raises(LoadError):
        parse_wrk(text)


def test_schedstat_is_read_and_added():
    one = measure.parse_schedstat("188347 250 7\n")
    assert one == measure.Schedstat(188347, 250, 7)
    assert one + measure.Schedstat(3, 50, 1) == measure.Schedstat(188350, 300, 8)


@pytest.mark.parametrize("text", ["", "1 2", "1 2 3 4", "a b c"])
def test_what_is_no_schedstat_is_refused(text):
    with pytest.raises(ValueError, match=r"schedstat|invalid literal"):
        measure.parse_schedstat(text)


def test_pss_is_read():
    assert measure.parse_pss("55d0-7fff ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss:    123 kB\n") == 123 * 1024
    with pytest.raises(ValueError, match="Pss"):
        measure.parse_pss("Rss: 900 kB\n")


def test_our_own_processor_time_is_what_python_says():
    before = time.process_time_ns()
    found = measure.cpu_nanoseconds(os.getpid())
    assert before <= found <= time.process_time_ns()


def test_a_tree_of_processes_begins_with_its_root():
    assert measure.tree(os.getpid())[0] == os.getpid()


def test_usage_tells_saturation_and_disturbance():
    usage = measure.Usage(cpu=1.8, waiting=0.09, elapsed=2.0)
    assert usage.utilisation == pytest.approx(0.9)
    assert usage.disturbance == pytest.approx(0.05)
    assert measure.Usage(0.0, 0.0, 0.0).utilisation == 0.0


# -- median, spread and ratios ------------------------------------------------------------------------------


def test_summary_is_median_and_extremes():
    assert stats.summarise([3.0, 1.0, 2.0]) == stats.Summary(2.0, 1.0, 3.0, 3)
    assert stats.summarise([]) is None
    assert stats.Summary(2.0, 1.0, 3.0, 3).spread == pytest.approx(0.5)


def _results():
    """Three rounds on a machine that is twice as slow in the second: ratios do not see it."""
    data = Results(
        labels={"eyewall": "Eyewall", "bare": "bare protocol", "tornado": "Tornado", "nginx": "nginx"},
        versions={"tornado": "tornado 6.6.1", "eyewall": "12 compiled modules"},
        rivals=["tornado"],
        facts={"processor": "a <fast> one", "date": "2026-11-22"},
    )
    for turn, slow in enumerate([1.0, 2.0, 1.0]):
        for server, cost in (("eyewall", 12.0), ("bare", 8.0), ("tornado", 160.0)):
            data.samples.append(Sample(turn, "plaintext", server, cost * slow, 1000.0, 0.99))
            data.samples.append(Sample(turn, "json", server, cost * slow + 1, 1000.0, 0.99))
    data.failures["plaintext", "nginx"] = "not installed: nginx"
    return data


def test_ratios_are_taken_within_a_round():
    data = _results()
    ratio = data.ratio("plaintext", "eyewall", "bare")
    assert (ratio.median, ratio.low, ratio.high) == (1.5, 1.5, 1.5)
    assert data.summary("plaintext", "eyewall").high == 24.0
    assert data.ratio("plaintext", "eyewall", "nginx") is None


def test_a_round_that_one_of_them_missed_is_left_out_of_the_ratio():
    data = _results()
    data.samples = [s for s in data.samples if not (s.server == "bare" and s.round == 0)]
    assert data.ratio("plaintext", "eyewall", "bare").count == 2


def test_targets_are_judged_by_the_median():
    found = {(v.workload, v.wanted): v for v in targets.verdicts(_results())}
    assert found["plaintext", "≤ 1.6 × bare protocol"].reached
    assert found["plaintext", "≤ 0.0833 × Tornado"].reached
    assert found["plaintext", "≤ 0.7 × granian-rsgi"].found is None
    assert not found["plaintext", "≤ 0.7 × granian-rsgi"].reached
    assert found["json", "less than every Python peer"].reached
    assert not any(workload == "post" for workload, _ in found)


def test_a_missed_target_is_said_so():
    data = _results()
    for index, sample in enumerate(data.samples):
        if sample.server == "eyewall":
            data.samples[index] = Sample(sample.round, sample.workload, "eyewall", sample.value * 20)
    lines = report.target_table(data)
    assert any("less than every Python peer" in line and "**missed**" in line for line in lines)


def test_every_target_names_a_workload_and_a_peer_that_exist():
    everything = Results(labels={}, rivals=[])
    for workload, check in targets.TARGETS:
        assert workload in workloads.BY_NAME
        check(everything, workload)


# -- the report ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0812, "0.081")]
)
def test_numbers_have_three_digits(value, text):
    assert stats.number(value) == text


def test_tables_are_sorted_and_tell_ratios_and_failures():
    lines = report.table(_results(), workloads.BY_NAME["plaintext"])
    assert lines[0] == "| Server | µs CPU/request | × Tornado | × bare | requests/s |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "bare protocol",
        "**Eyewall**",
        "Tornado",
        "nginx",
    ]
    assert "12.0 (12.0–24.0)" in lines[3]
    assert "| 0.075 (0.075–0.075) | 1.50 (1.50–1.50) |" in lines[3]
    assert "not installed: nginx" in lines[5]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("sample", "remark"),
    [
        (Sample(0, "json", "nginx", 5.0, 9.0, utilisation=0.5, disturbance=0.01), "used 50% of its core"),
        (Sample(0, "json", "nginx", 5.0, 9.0, utilisation=0.5, disturbance=0.2), "disturbed: waited 20%"),
    ],
)
def test_a_server_that_could_not_do_its_best_is_marked(sample, remark):
    data = _results()
    data.samples.append(sample)
    assert sum(remark in line for line in report.table(data, workloads.BY_NAME["json"])) == 1
    assert not any(remark in line for line in report.table(_results(), workloads.BY_NAME["json"]))


def test_the_whole_report_is_written_and_read_again(tmp_path):
    data = _results()
    data.save(tmp_path / "results" / "a.json")
    again = results.load(tmp_path / "results" / "a.json")
    assert again == data
    assert report.main([str(tmp_path / "results" / "a.json"), "--out", str(tmp_path / "docs")]) == 0
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "](benchmarks.svg)" in page
    assert "## Targets" in page
    assert "- Tornado: tornado 6.6.1" in page
    ElementTree.fromstring((tmp_path / "docs" / "benchmarks.svg").read_text())


def test_the_chart_has_a_bar_for_each_measured_server():
    root = ElementTree.fromstring(chart.render(_results()))
    bars = [node for node in root.iter() if node.get("class", "").startswith("bar")]
    assert len(bars) == 6
    widths = [float(node.get("width")) for node in bars[:3]]
    assert widths == sorted(widths)
    assert sum("us" in node.get("class") for node in bars) == 2


def test_the_chart_of_nothing_says_so():
    assert "Nothing was measured" in chart.render(Results())


# -- load ---------------------------------------------------------------------------------------------------


def test_the_document_is_one_kibibyte_and_the_browser_sends_twelve_fields():
    assert len(workloads.DOCUMENT) == 1024
    assert len(workloads.BROWSER) + len(["Host"]) == 12
    assert 650 <= len(request_head("GET", "/plaintext", workloads.BROWSER)) <= 750


@pytest.mark.parametrize("size", [0, 1, 125, 126, 8192, 65535, 65536])
def test_masked_frames_unmask_to_their_payload(size):
    payload = bytes(index % 251 for index in range(size))
    plain = wsload.frame(wsload.BINARY, payload, masked=False)
    masked = wsload.frame(wsload.BINARY, payload, masked=True)
    head = len(plain) - size
    assert masked[0] == 0x82
    assert masked[1] == plain[1] | 0x80
    assert masked[2:head] == plain[2:head]
    key = masked[head : head + 4]
    assert bytes(byte ^ key[index % 4] for index, byte in enumerate(masked[head + 4 :])) == payload


def test_every_compressed_message_stands_on_its_own_and_fits_any_context():
    data = wsload.deflate(b"hello " * 20)
    machine = zlib.decompressobj(wbits=-15)
    for _ in range(3):
        assert machine.decompress(data + wsload.SYNC) == b"hello " * 20


def test_the_key_of_the_standard_is_answered_as_in_the_standard():
    assert wsload.accept(wsload.KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("head", "compress", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n", False, "refused"),
        (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n", False, "another key"),
        (
            b"HTTP/1.1 101 S\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            True,
            "compression",
        ),
    ],
)
def test_a_wrong_handshake_is_refused(head, compress, why):
    with pytest.raises(wsload.SocketError, match=why):
        wsload.check_handshake(head, compress)


def test_growth_ignores_the_warm_up():
    mib = 1 << 20
    readings = [soak.Reading(100 * n, n, (50 if n < 2 else 80) * mib, 7) for n in range(1, 12)]
    assert soak.growth(readings, 200) == 0.0
    leaking = [soak.Reading(100 * n, n, (50 + n) * mib, 7) for n in range(1, 12)]
    assert soak.growth(leaking, 200) == pytest.approx(8.0)
    with pytest.raises(ValueError, match="too few"):
        soak.growth(readings[:1], 0)


# -- choosing -----------------------------------------------------------------------------------------------


def test_servers_and_workloads_are_chosen_by_name():
    chosen = peers.select(["tornado", "eyewall"], Path("/a"), Path("/b"))
    assert [peer.name for peer in chosen] == ["eyewall", "eyewall-previous", "tornado"]
    assert [peer.environment.get("PYTHONPATH") for peer in chosen] == ["/a", "/b", None]
    assert "tornado-uvloop" not in {peer.name for peer in peers.select(None, Path("/a"), None)}
    with pytest.raises(ValueError, match="apache"):
        peers.select(["apache"], Path("/a"), None)
    assert [w.name for w in workloads.select(["json", "plaintext"])] == ["plaintext", "json"]
    with pytest.raises(ValueError, match="tea"):
        workloads.select(["tea"])


def test_every_peer_has_its_script_and_known_workloads():
    for peer in peers.select(None, Path("/a"), None):
        assert peer.path.is_file()
        assert peer.workloads <= set(workloads.BY_NAME)


def test_eyewall_serves_the_same_program_as_tornado():
    def program(name):
        text = (peers.SERVERS / name).read_text()
        return text[text.index("class Plaintext") :]

    assert program("eyewall_app.py") == program("tornado_app.py")


def test_a_second_benchmark_waits_for_the_first(tmp_path):
    path = tmp_path / "lock"
    with (
        lock.exclusive(path),
        pytest.raises(TimeoutError, match="another benchmark"),
        lock.exclusive(path, patience=0.0),
    ):
        pass
    with lock.exclusive(path, patience=0.0):
        pass
