"""A run ends with a table of where its time went."""

from checks.lab.tests import times

TESTS = {"a.py::one": 1.0, "b.py::two": 5.0, "a.py::three[x::y]": 2.5}


def test_files_come_first_then_the_slowest_tests_then_the_total() -> None:
    assert times.table(TESTS) == [
        "     5.0  b.py",
        "     3.5  a.py",
        "slowest tests:",
        "     5.0    b.py::two",
        "     2.5    a.py::three[x::y]",
        "     1.0    a.py::one",
        "     8.5  total",
    ]


def test_only_the_slowest_tests_are_listed() -> None:
    many = {f"a.py::test_{number}": float(number) for number in range(100)}
    listed = [line for line in times.table(many) if "::" in line]
    assert len(listed) == times.SLOWEST
    assert listed[0].endswith("a.py::test_99")
