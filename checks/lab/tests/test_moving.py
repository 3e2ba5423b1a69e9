"""A copy that another tool made is continued: docs/moving.md."""

from checks.lab import pool, tree
from checks.lab.cycle import COPY, SOURCE, assert_complete
from checks.lab.pool import zfs
from checks.lab.product import Product


def send_as_others_do(product: Product, snapshot: str, base: str | None = None) -> None:
    """`zfs send | zfs receive -F`, without a property, a bookmark or a hold of ours."""
    home, archiver = product.lab.home, product.lab.archiver
    increment = ["-i", f"@{base}"] if base else []
    stream = home.run(["zfs", "send", *increment, f"{SOURCE}@{snapshot}"]).out
    archiver.run(["zfs", "receive", "-F", COPY], stdin=stream)


def test_a_copy_that_another_tool_made_gets_what_is_new_and_nothing_again(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    zfs(archiver, "create", "vault/home")
    tree.write(home, SOURCE, "big", 4)
    tree.snapshot(home, SOURCE, "one")
    send_as_others_do(product, "one")
    tree.snapshot(home, SOURCE, "two")
    send_as_others_do(product, "two", "one")
    guids = tree.guids(archiver, COPY)

    tree.write(home, SOURCE, "small", 1)
    tree.snapshot(home, SOURCE, "three")
    plan = product.run("plan")
    assert plan.code == 0 and "all of" not in plan.stdout, plan

    # It was mounted there, and somebody wrote to it: that is told, and stays.
    archiver.run(["sh", "-c", f"echo theirs >/{COPY}/theirs && sync"])
    refused = product.run("replicate")
    assert refused.code == 4, refused
    assert f"zfs rollback {COPY}@two" in refused.stderr, refused
    assert archiver.get(f"/{COPY}/theirs") == b"theirs\n"

    zfs(archiver, "rollback", f"{COPY}@two")
    zfs(archiver, "set", "readonly=on", COPY)
    done = product.run("replicate")
    assert done.code == 0, done
    assert_complete(product)
    # What was there is still the same, and not a byte of it was sent again.
    assert guids.items() <= tree.guids(archiver, COPY).items()
    assert pool.value(archiver, "readonly", COPY) == "on"
