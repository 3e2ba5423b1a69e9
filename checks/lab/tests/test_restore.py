"""What is lost at home comes back, whole, and beside everything that exists."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product
from checks.lab.vm import Vm

MIB = 1 << 20
BIG = 16
RESTORING = "dormouse:restoring"
USER = "backup-lab"


def lose(home: Vm, dataset: str = SOURCE) -> None:
    zfs(home, "destroy", "-r", dataset)


def contents(vm: Vm, dataset: str) -> list[str]:
    """The sums of a dataset's files, which is mounted where it belongs."""
    zfs(vm, "mount", dataset, check=False)
    assert pool.value(vm, "mounted", dataset) == "yes"
    sums = 'cd "$1" && find . -xdev -type f -exec sha256sum {} +'
    return sorted(vm.run(["sh", "-c", sums, "sh", f"/{dataset}"]).stdout.splitlines())


def restored(product: Product, *arguments: str) -> None:
    done = product.run("restore", *arguments)
    assert done.code == 0, done


def local(vm: Vm, dataset: str) -> list[list[str]]:
    """The properties that are set on a dataset itself."""
    return pool.rows(vm, ["get", "-H", "-s", "local,received", "-o", "property,value", "all", dataset])


@pytest.mark.sample
def test_a_destroyed_dataset_comes_back_whole_and_replication_goes_on(product: Product) -> None:
    home = product.lab.home
    for name in ("one", "two", "three"):
        tree.write(home, SOURCE, name, 1)
        tree.snapshot(home, SOURCE, name)
    send(product)
    before, files = tree.guids(home, SOURCE), contents(home, SOURCE)
    lose(home)
    restored(product, SOURCE)
    assert tree.guids(home, SOURCE) == before
    # What the archiver set on its copy stays there.
    assert local(home, SOURCE) == []
    assert pool.value(home, "readonly", SOURCE) == "off" and pool.value(home, "canmount", SOURCE) == "on"
    assert contents(home, SOURCE) == files
    # Nothing is sent again.
    idle = product.report("replicate")["replications"][0]
    assert (idle["exit"], idle["bytes"]) == (0, 0), idle
    tree.write(home, SOURCE, "four", 1)
    cycle(product, "four")
    assert len(tree.guids(product.lab.archiver, COPY)) == 4
    assert pool.value(product.lab.archiver, "readonly", COPY) == "on"


def test_what_was_set_on_datasets_comes_back_with_them(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    child, volume, place = f"{SOURCE}/child", f"{SOURCE}/vol", "/srv/it's here & there"
    zfs(home, "set", "compression=zstd", "note:by=anna  b", SOURCE)
    zfs(home, "create", "-o", f"mountpoint={place}", "-o", "quota=64M", "-o", "recordsize=16K", child)
    zfs(home, "create", "-s", "-V", "8M", "-o", "volmode=dev", volume)

    def own(dataset: str) -> list[list[str]]:
        return [row for row in local(home, dataset) if not row[0].startswith("dormouse:")]

    tree.write(home, SOURCE, "file", 1)
    tree.snapshot(home, SOURCE, "one")
    send(product)
    before = {dataset: own(dataset) for dataset in (SOURCE, child, volume)}
    assert len(before[child]) == 3
    assert pool.value(archiver, "quota", f"{COPY}/child") == "0"
    lose(home)
    told = product.run("restore", "-r", SOURCE, "--accept-mountpoint", place)
    assert told.code == 0 and f"{child}: setting mountpoint={place}" in told.stdout, told
    if "invalid option" in home.run(["zfs", "set", "-u"], check=False).stderr:
        # Before 2.2, ZFS mounts what gets a mount point, which is left to a person.
        [by_hand] = [line.split("`")[1] for line in told.stderr.splitlines() if "when that is wanted" in line]
        home.run(["sh", "-c", by_hand])
    assert {dataset: own(dataset) for dataset in before} == before
    assert pool.value(home, "mounted", child) == "no"
    zfs(home, "mount", child)
    assert home.run(["mountpoint", place]).code == 0
    # An audit hears of what is set later; what is beside the dataset does not take its place.
    zfs(home, "set", "quota=32M", child)
    audited = product.run("replicate", "--audit")
    assert audited.code == 0, audited
    restored(product, "-r", SOURCE, "--to", "tank/beside")
    assert sorted(row[0] for row in own("tank/beside/child")) == ["quota", "recordsize"]
    assert pool.value(home, "quota", "tank/beside/child") == str(32 << 20)
    assert pool.value(home, "mountpoint", "tank/beside/child") == "/tank/beside/child"


@pytest.mark.long
def test_a_snapshot_is_chosen_by_name_or_time_and_comes_back_elsewhere(product: Product) -> None:
    home = product.lab.home
    for name in ("one", "two", "three"):
        tree.write(home, SOURCE, name, 1)
        tree.snapshot(home, SOURCE, name)
        wait.until(lambda: seconds(home) > created(home, name), "the next second", 5, 0.1)
    send(product)
    before = tree.state(home, SOURCE)
    restored(product, f"{SOURCE}@two", "--to", "tank/by-name")
    at = home.run(["date", "-d", f"@{created(home, 'two')}", "+%F %T"]).stdout.strip()
    restored(product, SOURCE, "--at", at, "--to", "tank/by-time")
    restored(product, f"{SOURCE}@two", "--only", "--to", "tank/one-only")
    for dataset, names in (("by-name", "one two"), ("by-time", "one two"), ("one-only", "two")):
        found = tree.guids(home, f"tank/{dataset}")
        assert found == {k: v for k, v in tree.guids(home, SOURCE).items() if k[1] in names.split()}, found
        assert len(contents(home, f"tank/{dataset}")) == 2
    assert tree.state(home, SOURCE) == before
    # Under the old name, an older one parts from the copy. That is left alone.
    zfs(home, "rename", SOURCE, f"{SOURCE}-before")
    restored(product, f"{SOURCE}@two")
    archived = tree.state(product.lab.archiver, COPY)
    contents(home, SOURCE)
    tree.write(home, SOURCE, "other", 1)
    tree.snapshot(home, SOURCE, "four")
    parted = product.report("replicate")["replications"][0]
    assert parted["exit"] == 4 and tree.state(product.lab.archiver, COPY) == archived, parted
    none = product.report("restore", SOURCE, "--at", "2001-02-03 04:05", "--to", "tank/none")
    assert none["exit"] == 1 and "dormouse snapshots" in none["help"], none
    assert not pool.exists(home, "tank/none")


def created(vm: Vm, name: str) -> int:
    return int(pool.value(vm, "creation", f"{SOURCE}@{name}"))


def seconds(vm: Vm) -> int:
    return int(vm.run(["date", "+%s"]).stdout)


def test_a_tree_comes_back_but_for_what_lacks_the_snapshot(product: Product) -> None:
    home = product.lab.home
    for child in ("a", "a/with space"):
        zfs(home, "create", f"{SOURCE}/{child}")
        tree.write(home, f"{SOURCE}/{child}", "file", 1)
    zfs(home, "create", "-V", "8M", f"{SOURCE}/vol")
    tree.snapshot(home, SOURCE, "one")
    zfs(home, "create", f"{SOURCE}/late")
    tree.snapshot(home, SOURCE, "two")
    send(product)
    before, files = tree.guids(home, SOURCE), contents(home, f"{SOURCE}/a/with space")
    plan = product.report("restore", "-r", f"{SOURCE}@one", "--to", "tank/copy", "--dry-run")
    assert [d["dataset"] for d in plan["left"]] == ["tank/copy/late"], plan
    assert len(plan["datasets"]) == 4 and not pool.exists(home, "tank/copy"), plan
    older = product.run("restore", "-r", f"{SOURCE}@one", "--to", "tank/copy")
    assert older.code == 0 and "tank/copy/late stays away" in older.stderr, older
    assert tree.guids(home, "tank/copy") == {k: v for k, v in before.items() if k[1] == "one"}
    lose(home)
    restored(product, "-r", SOURCE)
    assert tree.guids(home, SOURCE) == before
    zfs(home, "mount", SOURCE)
    zfs(home, "mount", f"{SOURCE}/a")
    assert contents(home, f"{SOURCE}/a/with space") == files
    assert pool.value(home, "volsize", f"{SOURCE}/vol") == str(8 * MIB)
    cycle(product, "three")


def test_what_exists_is_never_touched(product: Product) -> None:
    home = product.lab.home
    zfs(home, "create", f"{SOURCE}/child")
    tree.snapshot(home, SOURCE, "one")
    tree.snapshot(home, SOURCE, "two")
    send(product)
    # Older than what the archiver has, and so what a receive would go on from.
    zfs(home, "destroy", "-r", f"{SOURCE}@two")
    before = tree.state(home, "tank")
    taken = [[], ["-r"], ["--to", f"{SOURCE}/child"], ["--to", "tank"]]
    for arguments in ([SOURCE, *more] for more in taken):
        refused = product.report("restore", *arguments)
        assert refused["exit"] == 4 and "--to" in refused["help"], refused
    orphan = product.report("restore", SOURCE, "--to", "tank/missing/new")
    assert orphan["exit"] == 1 and "zfs create tank/missing" in orphan["help"], orphan
    unknown = product.report("restore", "tank/other")
    assert unknown["exit"] == 2 and SOURCE in unknown["error"], unknown
    assert tree.state(home, "tank") == before


@pytest.fixture
def half(product: Product) -> Iterator[Lab]:
    """A big dataset of two snapshots is lost, and its restore was killed in the middle."""
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/big")
    tree.write(lab.home, f"{SOURCE}/big", "first", 1)
    tree.snapshot(lab.home, SOURCE, "one")
    tree.write(lab.home, f"{SOURCE}/big", "second", BIG)
    tree.snapshot(lab.home, SOURCE, "two")
    tree.snapshot(lab.home, SOURCE, "three")
    send(product)
    lose(lab.home, f"{SOURCE}/big")
    with lab.rate_limit(lab.archiver, "16mbit"):
        before = lab.sent(lab.archiver)
        running = product.start("restore", f"{SOURCE}/big")
        wait.until(lambda: lab.sent(lab.archiver) - before > BIG * MIB / 2, "half of it is sent")
        busy = product.run("replicate")
        assert busy.code == 7, busy
        running.kill()
        running.wait()
    big = f"{SOURCE}/big"
    wait.until(lambda: pool.received(lab.home, big) > 0, "a resume token that covers something")
    yield lab


def test_an_interrupted_restore_goes_on_from_its_token(product: Product, half: Lab) -> None:
    big = f"{SOURCE}/big"
    assert pool.value(half.home, RESTORING, big) != "-"
    # Another snapshot is refused, and what has arrived is kept.
    token = pool.resume_token(half.home, big)
    # Half of a history is not replicated; what is beside it is.
    tree.snapshot(half.home, SOURCE, "meanwhile")
    report = product.report("replicate")["replications"][0]
    by_name = {dataset["dataset"]: dataset for dataset in report["datasets"]}
    assert report["exit"] == 4 and by_name[SOURCE]["result"] == "sent", report
    assert "dormouse restore" in by_name[big]["help"], report
    for other in ("one", "two"):
        refused = product.report("restore", f"{big}@{other}")
        assert refused["exit"] == 4 and "--to" in refused["help"], refused
    assert pool.resume_token(half.home, big) == token
    # A snapshot of its own is in the way; that is for its owner to destroy.
    snapped = product.report("restore", big)
    assert snapped["exit"] == 4 and f"zfs destroy {big}@meanwhile" in snapped["help"], snapped
    zfs(half.home, "destroy", f"{big}@meanwhile")
    arrived, before = pool.received(half.home, big), half.sent(half.archiver)
    outcome = product.report("restore", big)
    assert outcome["exit"] == 0 and outcome["datasets"][0]["resumed"], outcome
    assert half.sent(half.archiver) - before < BIG * MIB - arrived + 2 * MIB
    assert len(contents(half.home, big)) == 2
    assert local(half.home, big) == []
    assert_complete(product)
    cycle(product, "four")


@pytest.fixture
def secret(product: Product) -> Lab:
    """An encrypted dataset in the tree, with one below it that has the same key."""
    home = product.lab.home
    home.put("/root/key", b"a long enough passphrase")
    key = ["encryption=on", "keyformat=passphrase", "keylocation=file:///root/key"]
    zfs(home, "create", *[part for option in key for part in ("-o", option)], f"{SOURCE}/secret")
    zfs(home, "create", f"{SOURCE}/secret/child")
    return product.lab


def test_an_encrypted_dataset_comes_back_raw_and_opens_with_its_key(product: Product, secret: Lab) -> None:
    home, dataset = secret.home, f"{SOURCE}/secret"
    for name in ("one", "two"):
        tree.write(home, f"{dataset}/child", name, 1)
        tree.snapshot(home, SOURCE, name)
    send(product)
    files = contents(home, f"{dataset}/child")
    lose(home, dataset)
    outcome = product.report("restore", "-r", dataset)
    assert outcome["next"] == [f"zfs load-key -r {dataset}", f"zfs mount {dataset}", f"zfs mount {dataset}/child"]
    assert pool.value(home, "keystatus", dataset) == "unavailable"
    for name in (dataset, f"{dataset}/child"):
        home.run(["zfs", "load-key", "-L", "prompt", name], stdin=home.get("/root/key"))
    zfs(home, "mount", dataset)
    assert contents(home, f"{dataset}/child") == files
    assert_complete(product)
    tree.write(home, f"{dataset}/child", "three", 1)
    cycle(product, "three")


def test_both_sides_are_listed(product: Product) -> None:
    home = product.lab.home
    tree.snapshot(home, SOURCE, "one")
    tree.snapshot(home, SOURCE, "two")
    send(product)
    zfs(home, "destroy", f"{SOURCE}@one")
    tree.snapshot(home, SOURCE, "three")
    [listed] = product.report("snapshots")["datasets"]
    seen = {line["name"]: (line["here"], line["there"]) for line in listed["snapshots"]}
    assert seen == {"one": (False, True), "two": (True, True), "three": (True, False)}, listed
    at = datetime.fromtimestamp(created(home, "three")).year
    said = product.run("snapshots", SOURCE)
    assert said.code == 0 and "archiver only" in said.stdout and str(at) in said.stdout, said
    lose(home)
    [listed] = product.report("snapshots", SOURCE)["datasets"]
    assert [line["name"] for line in listed["snapshots"]] == ["one", "two"], listed


def test_an_archivers_user_needs_send_and_no_more(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    # Several increments: of a package of them each snapshot would be held.
    for name in ("one", "two", "three"):
        tree.snapshot(home, SOURCE, name)
    send(product)
    archiver.run(["useradd", "--create-home", "--password", "*", USER])
    try:
        key = archiver.get("/root/.ssh/authorized_keys")
        archiver.run(["install", "-d", "-o", USER, "-m", "700", f"/home/{USER}/.ssh"])
        archiver.put(f"/home/{USER}/.ssh/authorized_keys", key)
        archiver.run(["chown", USER, f"/home/{USER}/.ssh/authorized_keys"])
        spec = product.make_spec()
        spec["archivers"]["archiver"]["provider"]["user"] = USER
        monkeypatch.setattr(product, "make_spec", lambda: spec)
        product.generate()
        product.install_home()
        denied = product.report("restore", SOURCE, "--to", "tank/new")
        [failed] = denied["datasets"]
        assert denied["exit"] == 1 and f"zfs allow -u {USER} send {COPY}" in failed["help"], denied
        zfs(archiver, "allow", "-u", USER, "send", COPY)
        restored(product, SOURCE, "--to", "tank/new")
        assert tree.guids(home, "tank/new") == tree.guids(home, SOURCE)
    finally:
        archiver.run(["userdel", "-r", USER], check=False)


def test_single_files_come_back_beside_what_exists(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    write = 'mkdir -p "/$1/a folder" && echo "$2" >"/$1/a folder/file" && chmod 751 "/$1/a folder/file"'
    link = 'ln -s file "/$1/a folder/link"; touch -d "2001-02-03 04:05:06.7" "/$1/a folder/file"'
    dangerous = 'touch "/$1/root" && chmod 6755 "/$1/root" && mknod "/$1/disk" b 8 0 || true'
    home.run(["sh", "-c", dangerous, "sh", SOURCE])
    for text in ("one", "two"):
        home.run(["sh", "-c", write, "sh", SOURCE, text])
        home.run(["sh", "-c", link, "sh", SOURCE], check=False)
        cycle(product, text)
    mounts = archiver.run(["findmnt", "--list", "--output=TARGET"]).stdout
    before = [tree.state(home, "tank"), tree.state(archiver, "vault")]
    wanted = ["--file", "a folder/file", "--file", "a folder/link"]
    older = product.run("restore", f"{SOURCE}@one", *wanted, "--into", "/root/found/older")
    assert older.code == 0 and "tank/safe@one" in older.stdout, older
    assert home.get("/root/found/older/a folder/file") == b"one\n"
    newest = product.run("restore", SOURCE, "--file", "a folder", "--into", "/root/found/newest")
    assert newest.code == 0 and home.get("/root/found/newest/a folder/link") == b"two\n", newest
    facts = ["stat", "--format=%a %u %g %y %n"]
    shown = [home.run([*facts, f"{place}/a folder/file"]).stdout for place in ("/root/found/newest", f"/{SOURCE}")]
    assert shown[0] == shown[1].replace(f"/{SOURCE}", "/root/found/newest"), shown
    taken = product.run("restore", f"{SOURCE}@one", *wanted, "--into", "/root/found/newest")
    assert taken.code == 4 and home.get("/root/found/newest/a folder/file") == b"two\n", taken
    missing = product.run("restore", SOURCE, "--file", "a folder/none", "--into", "/root/found/none")
    assert missing.code == 1 and "a folder/none" in missing.stderr, missing
    for path in (f"/{SOURCE}/a folder/file", "../safe/file"):
        outside = product.run("restore", SOURCE, "--file", path)
        assert outside.code == 2 and "below the dataset's root" in outside.stderr, outside
    set_id = product.run("restore", SOURCE, "--file", "root", "--into", "/root/found/root")
    assert set_id.code == 0 and home.run(["stat", "-c", "%a", "/root/found/root/root"]).stdout == "755\n", set_id
    device = product.run("restore", SOURCE, "--file", "disk", "--into", "/root/found/disk")
    assert device.code == 1 and "Cannot mknod" in device.stderr, device
    assert home.run(["ls", "-A", "/root/found/disk"]).stdout == ""
    home.run(["sh", "-c", "mkdir /root/open && chmod 777 /root/open && ln -s /root/open/.. /root/link"])
    for folder in ("/root/open", "/root/link", "/root/link/"):
        refused = product.run("restore", SOURCE, "--file", "root", "--into", folder)
        assert refused.code == 4 and "cannot put files into" in refused.stderr, refused
    # An archiver that sends more than was asked for plants nothing.
    generous = b'#!/bin/sh\necho sent >/run/sent\nexec /usr/bin/tar "$@" "a folder/link"\n'
    archiver.put("/usr/local/bin/tar", generous, 0o755)
    asked = product.run("restore", SOURCE, "--file", "a folder/file", "--into", "/root/found/asked")
    archiver.run(["rm", "/usr/local/bin/tar"])
    assert asked.code == 0 and archiver.get("/run/sent") == b"sent\n", asked
    assert home.run(["ls", "/root/found/asked/a folder"]).stdout == "file\n"
    assert archiver.run(["findmnt", "--list", "--output=TARGET"]).stdout == mounts
    assert [tree.state(home, "tank"), tree.state(archiver, "vault")] == before
