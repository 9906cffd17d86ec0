"""What a server counts: regions of workers, added up, in Prometheus's text format."""

import re

from kmscli.awsapi.metrics import OUTCOMES, UNKNOWN, Metrics
from kmscli.service.operations import OPERATIONS, REFUSED

SAMPLE = re.compile(r'^(kms_[a-z_]+)(?:\{([a-z]+="[A-Za-z0-9.+]+"(?:,[a-z]+="[a-z]+")*)\})? ([0-9.e+-]+)$')


def samples(metrics: Metrics) -> dict[str, float]:
    """Each sample, by its name with its labels."""
    found = {}
    for line in metrics.text().splitlines():
        if not line.startswith("# "):
            match = SAMPLE.match(line)
            assert match is not None, line
            name = match[1] + (f"{{{match[2]}}}" if match[2] else "")
            assert name not in found
            found[name] = float(match[3])
    return found


def test_nothing_was_counted_yet() -> None:
    assert set(samples(Metrics(2)).values()) == {0.0}


def test_each_operation_and_outcome_has_a_count_of_its_own() -> None:
    metrics = Metrics(1)
    counts = metrics.of(0)
    names = [*OPERATIONS, *REFUSED, UNKNOWN]
    for number, (name, outcome) in enumerate([(name, outcome) for name in names for outcome in OUTCOMES], 1):
        for _ in range(number):
            counts.answered(name, outcome, 0.001)
    found = [value for name, value in samples(metrics).items() if name.startswith("kms_requests_total")]
    assert found == list(range(1, len(names) * len(OUTCOMES) + 1))


def test_an_operation_that_nobody_knows_is_unknown() -> None:
    metrics = Metrics(1)
    metrics.of(0).answered('x"}\n', "refused", 0.0)
    assert samples(metrics)['kms_requests_total{operation="Unknown",outcome="refused"}'] == 1


def test_workers_are_added_up_and_write_to_regions_of_their_own() -> None:
    metrics = Metrics(3)
    for worker in range(3):
        counts = metrics.of(worker)
        counts.started()
        counts.connections(worker)
        counts.answered("Encrypt", "ok", 0.002)
    metrics.of(1).answered("Decrypt", "denied", 0.002)
    found = samples(metrics)
    assert found['kms_requests_total{operation="Encrypt",outcome="ok"}'] == 3
    assert found['kms_requests_total{operation="Decrypt",outcome="denied"}'] == 1
    assert (found["kms_connections"], found["kms_worker_starts_total"]) == (3, 3)
    assert found["kms_request_seconds_count"] == 4


def test_a_worker_that_takes_anothers_place_goes_on_with_its_counts() -> None:
    metrics = Metrics(1)
    first = metrics.of(0)
    first.started()
    first.connections(7)
    first.answered("Encrypt", "ok", 0.002)
    metrics.of(0).started()
    found = samples(metrics)
    assert found['kms_requests_total{operation="Encrypt",outcome="ok"}'] == 1
    assert (found["kms_connections"], found["kms_worker_starts_total"]) == (0, 2)


def test_times_fall_into_buckets_that_hold_all_below_them() -> None:
    metrics = Metrics(1)
    counts = metrics.of(0)
    for seconds in (0.0005, 0.001, 0.0011, 0.3, 60.0):
        counts.answered("Sign", "ok", seconds)
    found = samples(metrics)
    buckets = [(name, value) for name, value in found.items() if name.startswith("kms_request_seconds_bucket")]
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert found['kms_request_seconds_bucket{le="0.001"}'] == 2
    assert found['kms_request_seconds_bucket{le="0.0025"}'] == 3
    assert found['kms_request_seconds_bucket{le="0.25"}'] == 3
    assert found['kms_request_seconds_bucket{le="0.5"}'] == 4
    assert found['kms_request_seconds_bucket{le="5.0"}'] == 4
    assert found['kms_request_seconds_bucket{le="+Inf"}'] == found["kms_request_seconds_count"] == 5
    assert found["kms_request_seconds_sum"] == 0.0005 + 0.001 + 0.0011 + 0.3 + 60.0


def test_every_metric_says_what_it_is() -> None:
    metrics = Metrics(1)
    metrics.of(0).answered("Sign", "ok", 0.1)
    names = {re.sub("_(bucket|sum|count)$", "", name.partition("{")[0]) for name in samples(metrics)}
    for kind in ("HELP", "TYPE"):
        assert names == {line.split()[2] for line in metrics.text().splitlines() if line.startswith(f"# {kind}")}
