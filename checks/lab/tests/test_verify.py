"""What is on the archiver is what was sent, and whether it would come back is tried out."""

import mmap

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product
from checks.lab.vm import Vm

MIB = 1 << 20
KEY = "/root/key"
SECRET = f"{SOURCE}/secret"
# All that a drill compares besides contents.
VARIETY = """
cd "$1"
mkdir -p folder/below && echo text >folder/file && ln folder/file folder/below/linked && ln -s file folder/pointer
chmod 4751 folder/file && chown 1000:1001 folder/file && mkfifo pipe && mknod null c 1 3
python3 -c 'import os; os.setxattr("folder/file", "user.colour", b"blue")'
truncate -s 16M holes && printf end >>holes
touch -d '2001-02-03 04:05:06.789' folder
"""


def write_variety(home: Vm, dataset: str) -> None:
    home.run(["sh", "-euc", VARIETY, "sh", f"/{dataset}"])
    tree.write(home, dataset, "random", 4)


def make_secret(home: Vm) -> None:
    home.put(KEY, b"a long enough passphrase")
    key = ["encryption=on", "keyformat=passphrase", f"keylocation=file://{KEY}"]
    zfs(home, "create", *[part for option in key for part in ("-o", option)], SECRET)
    zfs(home, "create", f"{SECRET}/child")


def states(lab: Lab) -> list[list[list[str]]]:
    return [tree.state(lab.home, "tank"), tree.state(lab.archiver, "vault")]


def test_verify_finds_nothing_where_nothing_is_wrong(product: Product) -> None:
    home = product.lab.home
    make_secret(home)
    write_variety(home, f"{SECRET}/child")
    write_variety(home, SOURCE)
    zfs(home, "create", "-V", "16M", f"{SOURCE}/volume")
    home.run(["udevadm", "wait", "--settle", "--timeout=30", f"/dev/zvol/{SOURCE}/volume"])
    home.run(["dd", "if=/dev/urandom", f"of=/dev/zvol/{SOURCE}/volume", "bs=1M", "count=8", "status=none"])
    for name in ("one", "two"):
        tree.write(home, SOURCE, name, 2)
        home.run(["rm", f"/{SOURCE}/random"], check=False)
        tree.snapshot(home, SOURCE, name)
        send(product)
    zfs(home, "destroy", f"{SOURCE}@one")
    tree.snapshot(home, SOURCE, "three")
    before = states(product.lab)
    verified = product.run("verify")
    assert verified.code == 0 and "ok, 1 to send" in verified.stdout, verified
    assert states(product.lab) == before
    document = product.report("verify", SECRET)
    counts = ("here", "there", "both", "behind")
    found = {each["dataset"]: tuple(each[count] for count in counts) for each in document["datasets"]}
    assert found == {SECRET: (3, 2, 2, 1), f"{SECRET}/child": (3, 2, 2, 1)}, document
    assert document["archivers"][0]["pool"]["health"] == "ONLINE", document


def test_what_is_lost_on_the_archiver_is_found(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/child")
    for name in ("one", "two"):
        tree.snapshot(lab.home, SOURCE, name)
        send(product)
    zfs(lab.archiver, "destroy", f"{COPY}@two")
    zfs(lab.archiver, "destroy", "-r", f"{COPY}/child")
    before = states(lab)
    verified = product.run("verify")
    assert verified.code == 4, verified
    assert "had seen its snapshot" in verified.stderr and "has none now" in verified.stderr, verified
    # The host does not ask, as nothing is new; verify does, and changes nothing.
    assert "nothing to do" in product.run("replicate").stdout
    assert states(lab) == before
    # An audit sends it again, and says why.
    audit = product.run("replicate", "--audit")
    assert audit.code == 0 and "had seen its snapshot" in audit.stderr and "has none now" in audit.stderr, audit
    assert product.run("verify").code == 0


def test_a_drill_brings_back_compares_every_file_and_leaves_nothing(product: Product) -> None:
    home = product.lab.home
    make_secret(home)
    for dataset in (SOURCE, f"{SECRET}/child"):
        write_variety(home, dataset)
    cycle(product, "one")
    home.run(["rm", "-r", f"/{SOURCE}/folder"])
    before, mounts = states(product.lab), home.run(["findmnt", "--list", "--output=TARGET"]).stdout
    # The dataset's root, what was made there, and where the dataset below is mounted.
    for dataset, entries in ((SOURCE, 11), (f"{SECRET}/child", 10)):
        document = product.report("verify", "--deep", "--yes", dataset)
        drill = document["drill"]
        assert (document["exit"], drill["differing"], drill["snapshot"]) == (0, 0, "one"), document
        assert drill["entries"] == entries and drill["bytes"] > 20 * MIB and drill["fetched"] > 4 * MIB, drill
    any_of_them = product.run("verify", "--deep", "--yes")
    assert any_of_them.code == 0 and "nothing differs" in any_of_them.stderr, any_of_them
    assert states(product.lab) == before
    assert home.run(["findmnt", "--list", "--output=TARGET"]).stdout == mounts
    # Nothing is fetched that nobody wanted, or that could not be compared.
    unasked = product.run("verify", "--deep", SOURCE)
    assert unasked.code == 1 and "Fetch tank/safe@one" in unasked.stderr, unasked
    argv = product.argv("verify", "--deep", "--yes")
    nobody = home.run(["setpriv", "--reuid=65534", "--clear-groups", *argv], check=False)
    assert nobody.code == 2 and "sudo" in nobody.stderr, nobody
    zfs(home, "set", "keylocation=prompt", SECRET)
    typed = product.run("verify", "--deep", "--yes", f"{SECRET}/child")
    assert typed.code == 2 and "--key-location" in typed.stderr, typed
    given = product.run("verify", "--deep", "--yes", f"{SECRET}/child", "--key-location", f"file://{KEY}")
    assert given.code == 0, given
    assert tree.state(home, "tank") == before[0]


def test_a_zvol_is_drilled_byte_by_byte(product: Product) -> None:
    home, disk = product.lab.home, f"{SOURCE}/disk"
    zfs(home, "create", "-V", "24M", disk)
    device = f"/dev/zvol/{disk}"
    home.run(["udevadm", "settle"])
    home.run(["dd", "if=/dev/urandom", f"of={device}", "bs=1M", "count=9", "conv=fsync", "status=none"])
    cycle(product, "one")
    home.run(["dd", "if=/dev/urandom", f"of={device}", "bs=1M", "count=1", "conv=fsync", "status=none"])
    before = states(product.lab)
    document = product.report("verify", "--deep", "--yes", disk)
    drill = document["drill"]
    assert (document["exit"], drill["differing"], drill["bytes"]) == (0, 0, 24 * MIB), document
    assert states(product.lab) == before


def test_what_has_rotted_on_the_archiver_is_noticed_by_a_drill(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    tree.write(home, SOURCE, "file", 1)
    cycle(product, "one")
    needle = home.run(["dd", f"if=/{SOURCE}/file", "bs=4k", "count=1", "status=none"]).out
    (vault,) = [each for each in product.lab.pools if each.name == "vault"]
    vault.export()
    with vault.disk.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as blocks:
        at = blocks.find(needle)
        assert at > 0
        blocks[at : at + len(needle)] = bytes(len(needle))
    vault.import_()
    assert product.run("verify").code == 0
    before = tree.state(home, "tank")
    rotten = product.run("verify", "--deep", "--yes", SOURCE)
    assert rotten.code != 0 and "did not come back" in rotten.stderr, rotten
    assert tree.state(home, "tank") == before
    # From then on ZFS knows, and every run that sees the pool says so, though what is new arrives.
    assert product.run("verify").code == 4
    tree.snapshot(home, SOURCE, "two")
    # As an archiver on EC2 does it by itself; the one above says nothing of this one.
    zfs(archiver, "set", f"dormouse:damaged={COPY}", COPY)
    loud = product.run("replicate")
    assert loud.code == 1 and "1 of 1 dataset sent" in loud.stdout, loud
    assert "is failing: 1 data error" in loud.stderr and loud.stderr.count(f"damaged: {COPY}\n") == 1, loud


def test_what_an_interrupted_drill_has_left_is_told_and_not_touched(product: Product) -> None:
    lab, home = product.lab, product.lab.home
    tree.write(home, SOURCE, "big", 32)
    cycle(product, "one")
    with lab.rate_limit(lab.archiver, "24mbit"):
        sent = lab.sent(lab.archiver)
        running = product.start("verify", "--deep", "--yes", SOURCE)
        wait.until(lambda: lab.sent(lab.archiver) - sent > 8 * MIB, "part of it is here", 120)
        running.kill()
        running.wait()
    names = [name for (name,) in pool.rows(home, ["list", "-H", "-o", "name", "-r", "tank"])]
    (scratch,) = [name for name in names if "dormouse-drill/" in name]
    again = product.run("verify", "--deep", "--yes", SOURCE)
    assert again.code == 0 and f"zfs destroy -r {scratch}" in again.stderr, again
    assert pool.exists(home, scratch)
