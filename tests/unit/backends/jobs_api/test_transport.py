"""The in-process transport hands everything over and takes the answer as it is."""

from bundlectl.backends.jobs_api.transport import Answer, InProcessTransport


def test_arguments_and_answer_pass_through() -> None:
    seen: list[object] = []

    def handler(*arguments: object) -> tuple[int, object]:
        seen.append(arguments)
        return 404, {"error_code": "X"}

    transport = InProcessTransport(handler)
    assert transport.request("POST", "/p", {"a": "b"}, b"x", {"If-Fence": "1"}) == Answer(404, {"error_code": "X"})
    assert seen == [("POST", "/p", {"a": "b"}, b"x", {"If-Fence": "1"})]
    assert transport.place == "the local engine"
