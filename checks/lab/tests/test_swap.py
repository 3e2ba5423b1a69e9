"""What is brought back takes the place of what is there when that is asked for."""

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, cycle, send
from checks.lab.pool import zfs
from checks.lab.product import Product


def test_what_comes_back_takes_the_place_of_what_is_there_when_asked(product: Product) -> None:
    home = product.lab.home
    child, alone = f"{SOURCE}/child", f"{SOURCE}/alone"
    zfs(home, "create", "-o", "mountpoint=/srv/child", child)
    tree.write(home, SOURCE, "file", 1)
    home.run(["sh", "-c", "echo whole >/srv/child/file"])
    tree.snapshot(home, SOURCE, "one")
    send(product)
    snapshots, datasets = tree.guids(home, SOURCE), [SOURCE, child, alone]
    home.run(["sh", "-c", "echo broken >/srv/child/file"])
    zfs(home, "create", alone)

    def guids() -> list[str]:
        return [pool.value(home, "guid", dataset) for dataset in datasets]

    old = guids()
    # What is in use keeps its place, and stays mounted.
    user = home.start(["sh", "-c", "cd /srv/child && exec sleep 600"])
    here = ["readlink", f"/proc/{user.pid}/cwd"]
    wait.until(lambda: home.run(here).stdout == "/srv/child\n", "its user", 10, 0.2)
    busy = product.report("restore", "-r", SOURCE, "--swap")
    assert busy["exit"] == 3 and "aside" not in busy and "busy" in busy["datasets"][0]["message"], busy
    assert guids() == old and all(pool.value(home, "mounted", dataset) == "yes" for dataset in datasets)
    user.kill()
    user.wait(30)
    swapped = product.report("restore", "-r", SOURCE, "--swap")
    assert swapped["exit"] == 0 and swapped["bytes"] == 0, swapped
    aside = swapped["aside"]
    assert swapped["alone"] == [f"{aside}/alone"]
    assert [pool.value(home, "guid", f"{aside}{dataset[len(SOURCE):]}") for dataset in datasets] == old
    assert pool.value(home, "guid", SOURCE) != old[0] and not pool.exists(home, f"{SOURCE}-restored")
    assert tree.guids(home, SOURCE) == snapshots
    home.run(["sh", "-c", " && ".join(swapped["next"])])
    assert home.run(["cat", "/srv/child/file"]).stdout == "whole\n"
    assert pool.value(home, "mounted", f"{aside}/child") == "no"
    # Increments go on, and what was set aside is not sent.
    cycle(product, "two")
    assert pool.rows(product.lab.archiver, ["list", "-H", "-r", "-o", "name", "vault/home"])[1:] == [
        [COPY],
        [f"{COPY}/child"],
    ]
    root = product.report("restore", "tank", "--swap")
    assert root["exit"] == 2, root


def test_a_swap_that_was_killed_between_its_renames_is_finished_by_the_next(product: Product) -> None:
    home, child = product.lab.home, f"{SOURCE}/child"
    zfs(home, "create", child)
    tree.write(home, SOURCE, "file", 1)
    tree.snapshot(home, SOURCE, "one")
    send(product)
    old = [pool.value(home, "guid", dataset) for dataset in (SOURCE, child)]
    # All is back, and waits for its place.
    user = home.start(["sh", "-c", f"cd /{SOURCE} && exec sleep 600"])
    here = ["readlink", f"/proc/{user.pid}/cwd"]
    wait.until(lambda: home.run(here).stdout == f"/{SOURCE}\n", "its user", 10, 0.2)
    busy = product.report("restore", "-r", SOURCE, "--swap")
    assert busy["exit"] == 3 and "busy" in busy["datasets"][0]["message"], busy
    user.kill()
    user.wait(30)
    # This is as far as the killed one came. An older one has been dealt with.
    aside, older = f"{SOURCE}.aside-20261127T120000Z", f"{SOURCE}.aside-20261126T120000Z"
    zfs(home, "create", "-o", "dormouse:replicate=off", older)
    zfs(home, "rename", SOURCE, aside)
    finished = product.report("restore", "-r", SOURCE, "--swap")
    assert finished["exit"] == 0 and finished["bytes"] == 0 and finished["aside"] == aside, finished
    assert "alone" not in finished
    assert [pool.value(home, "guid", dataset) for dataset in (aside, f"{aside}/child")] == old
    for dataset in (aside, f"{aside}/child"):
        kept = [pool.value(home, name, dataset) for name in ("dormouse:replicate", "canmount")]
        assert kept == ["off", "noauto"], dataset
    assert pool.exists(home, child) and not pool.exists(home, f"{SOURCE}-restored")


def test_datasets_below_do_not_go_aside_unasked(product: Product) -> None:
    home, child = product.lab.home, f"{SOURCE}/child"
    zfs(home, "create", child)
    tree.snapshot(home, SOURCE, "one")
    send(product)
    refused = product.report("restore", SOURCE, "--swap")
    assert refused["exit"] == 2 and child in refused["error"] and "-r" in refused["help"], refused
    assert not pool.exists(home, f"{SOURCE}-restored") and pool.value(home, "mounted", child) == "yes"
    alone = product.report("restore", child, "--swap")
    assert alone["exit"] == 0, alone
