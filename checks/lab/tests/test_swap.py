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
