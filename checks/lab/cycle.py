"""One cycle of a backup: a snapshot, a run that sends it, a run with nothing to do."""

from checks.lab import tree
from checks.lab.product import Product

SOURCE = "tank/safe"
COPY = "vault/home/safe"


def cycle(product: Product, name: str) -> None:
    """Takes a snapshot, sends it, and finds nothing more to do."""
    tree.snapshot(product.lab.home, SOURCE, name)
    send(product)
    idle = product.run("replicate")
    assert idle.code == 0, idle
    assert "nothing to do" in idle.stdout, idle


def send(product: Product) -> None:
    """A run that must succeed, after which the copy is complete."""
    sent = product.run("replicate")
    assert sent.code == 0, sent
    assert_complete(product)


def assert_complete(product: Product) -> None:
    """Every snapshot at home is at the archiver, with the same GUID."""
    home = tree.guids(product.lab.home, SOURCE)
    assert home
    assert home.items() <= tree.guids(product.lab.archiver, COPY).items()
