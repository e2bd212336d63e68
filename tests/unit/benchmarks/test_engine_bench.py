"""The engine's benchmark: its shapes, its ratios, and that the references run what the engine runs."""

from pathlib import Path

from benchmarks.engine_bench import BARS, CHAIN, FAN, EngineRuns, _figures, bare, bars, dags, durable, table

SMALL = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def test_the_shapes() -> None:
    chain, fan = dags()["chain"], dags()["fan-out"]
    assert len(chain) == CHAIN and all(len(above) <= 1 for above in chain.values())
    assert len(fan) == FAN + 2 and len(fan["last"]) == FAN


def test_every_contender_runs_a_graph(tmp_path: Path) -> None:
    graph: dict[str, list[str]] = SMALL
    engine = EngineRuns(tmp_path / "engine")
    try:
        for contender in (bare, durable, engine.run):
            assert contender(graph, tmp_path) > 0
    finally:
        engine.close()


def test_ratios_are_taken_pair_by_pair() -> None:
    taken = {"bare": [1.0, 2.0, 4.0], "durable": [2.0, 2.0, 2.0], "engine": [2.0, 4.0, 6.0]}
    row = _figures(taken, 100)
    assert row["ratio"] == {"to_bare": 2.0, "to_durable": 2.0}
    assert row["engine"] == {"median_s": 4.0, "min_s": 2.0, "max_s": 6.0, "ms_per_task": 40.0}
    figures = dict.fromkeys(BARS, row)
    assert [(value, limit) for _, value, limit in bars(figures)] == [(2.0, limit) for limit in BARS.values()]
    assert len(table(figures)) == 2 + 3 * len(BARS)
