"""Which backend runs what, without starting any."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from checks.lab import __main__ as command
from checks.lab import backend
from checks.lab.image import Image


@dataclass
class Backend:
    """One whose image is there, can be built, or cannot."""

    name: str
    built: bool = False
    refusal: Exception | SystemExit | None = None
    asked: list[str] = field(default_factory=list)

    def is_built(self) -> bool:
        return self.built

    def image(self) -> Image | None:
        self.asked.append("image")
        if self.refusal:
            raise self.refusal
        self.built = True
        return None


Known = Callable[..., dict[str, Backend]]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    def make(uml: Backend, qemu: Backend) -> dict[str, Backend]:
        backends = {"uml": uml, "qemu": qemu}
        monkeypatch.setattr(backend, "known", lambda: backends)
        return backends

    monkeypatch.delenv(backend.CHOICE, raising=False)
    return make


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    made: list[tuple[str, list[str]]] = []
    codes = iter([1, 0])

    def pytest_on(name: str, arguments: list[str]) -> int:
        made.append((name, arguments))
        return next(codes)

    monkeypatch.setattr(command, "pytest_on", pytest_on)
    return made


def test_without_a_choice_the_fastest_backend_that_is_built_is_used(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(Backend("uml", built=True), Backend("qemu", built=True))
    assert backend.get().name == "uml"
    monkeypatch.delenv(backend.CHOICE)
    known(Backend("uml"), Backend("qemu", built=True))
    assert backend.get().name == "qemu"
    monkeypatch.setenv(backend.CHOICE, "uml")
    assert backend.get().name == "uml"


def test_an_unknown_backend_is_refused_by_name(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    known(Backend("uml"), Backend("qemu"))
    monkeypatch.setenv(backend.CHOICE, "xen")
    with pytest.raises(SystemExit, match="xen: the backends are uml and qemu"):
        backend.get()


def test_the_suite_runs_on_both_and_fails_if_one_part_fails(
    known: Known, runs: list[tuple[str, list[str]]]
) -> None:
    known(Backend("uml"), Backend("qemu"))
    assert command.run_suite([]) == 1
    assert [(name, arguments[1]) for name, arguments in runs] == [("uml", command.ON_UML), ("qemu", command.ON_QEMU)]


def test_where_user_mode_linux_cannot_be_built_everything_runs_on_qemu_and_the_reason_is_shown(
    known: Known, runs: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    known(Backend("uml", refusal=SystemExit("no source of Linux")), Backend("qemu"))
    command.run_suite([])
    assert runs == [("qemu", ["-m", "not long"])]
    assert "all tests run on QEMU: no source of Linux" in capsys.readouterr().out


def test_a_demo_uses_what_is_built_and_otherwise_builds_one_backend(known: Known) -> None:
    backends = known(Backend("uml"), Backend("qemu", built=True))
    assert command.install_one([]) == 0
    assert not backends["uml"].asked and not backends["qemu"].asked
    backends = known(Backend("uml"), Backend("qemu"))
    assert command.install_one([]) == 0
    assert backends["uml"].asked and not backends["qemu"].asked
    backends = known(Backend("uml", refusal=OSError("no space")), Backend("qemu"))
    assert command.install_one([]) == 0
    assert backends["qemu"].built
