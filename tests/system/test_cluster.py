"""Three Runtimes from nothing: who is there, who carries the log, and that data stays."""

from collections.abc import Callable

from tests.system.support import HOME, Cluster, one_line_error, oneos, wait_until

SERVICES = ["pubsub", "scheduler", "session", "filesystem", "storage"]


def test_a_cluster_shows_its_hosts_voters_and_services(shared: Cluster) -> None:
    for host in shared.hosts:
        status = host.status()
        assert [m["name"] for m in status["members"]] == ["host1", "host2", "host3"]
        assert {m["state"] for m in status["members"]} == {"alive"}
        assert all(m["voter"] and m["core"] for m in status["members"])
        assert status["voters"] == ["host1", "host2", "host3"]
        assert [s["name"] for s in status["services"]] == SERVICES
        assert all(s["host"] in status["voters"] and s["epoch"] > 0 for s in status["services"])
    text = shared[2].run("status").ok()
    assert "seen from host2" in text and "log carried by: host1, host2, host3" in text
    assert "Traceback" not in text
    assert shared[2].run("ps").ok().startswith("PID")


def test_each_host_is_a_process_of_its_own(shared: Cluster) -> None:
    runtimes = [host.runtime() for host in shared.hosts]

    assert len({runtime.pid for runtime in runtimes if runtime}) == 3


def test_data_survives_a_stop_and_a_start(make_cluster: Callable[[int], Cluster]) -> None:
    cluster = make_cluster(3)
    for host in cluster.hosts:
        host.sh(f"mkdir -p {host.name}/d && echo from {host.name} > {host.name}/d/file").ok()
    big = bytes(range(256)) * 20_000
    cluster[2].put(f"{HOME}/big", big)
    before = {m["name"]: m["incarnation"] for m in cluster[1].status()["members"]}

    cluster.stop()
    assert all(host.runtime() is None for host in cluster.hosts)
    assert one_line_error(cluster[1].run("status")).startswith("oneos: no Runtime answers")
    cluster.up()

    for host in cluster.hosts:
        for other in cluster.hosts:
            assert host.get(f"{HOME}/{other.name}/d/file") == f"from {other.name}\n".encode()
    assert cluster[3].get(f"{HOME}/big") == big
    after = {m["name"]: m["incarnation"] for m in cluster[1].status()["members"]}
    assert all(after[name] > before[name] for name in before)

    # A second time, and with programs that still run when it stops.
    with cluster[1].shell("on host:host2 sleep 1000"):
        wait_until(lambda: cluster[1].running("sleep 1000"), 60, "it runs")
        cluster.stop()
    cluster.up()
    assert not cluster[3].running("sleep")
    assert cluster[1].sh("cat host2/d/file").ok() == "from host2\n"


def test_a_cluster_that_is_not_there_is_said() -> None:
    outcome = oneos("cluster", "stop", "--dir", "/nonexistent/cluster")

    assert outcome.status != 0 and "there is no cluster" in one_line_error(outcome)
