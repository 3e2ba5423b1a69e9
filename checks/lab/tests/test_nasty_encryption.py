"""Encrypted datasets arrive raw, and whatever becomes of their keys, the chain is kept."""

import pytest

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product

SECRET, ITS_COPY = f"{SOURCE}/secret", f"{COPY}/secret"
ENCRYPTED = ["-o", "encryption=on", "-o", "keyformat=passphrase", "-o", "keylocation=file:///root/key"]


@pytest.fixture
def secret(product: Product) -> Lab:
    """An encrypted dataset in the tree, with one below it that has the same key."""
    home = product.lab.home
    home.put("/root/key", b"a long enough passphrase")
    zfs(home, "create", *ENCRYPTED, SECRET)
    zfs(home, "create", f"{SECRET}/child")
    tree.write(home, f"{SECRET}/child", "file", 1)
    return product.lab


def want(product: Product, raw: str) -> None:
    product.replications["safe"] = {**SAFE, "raw": raw}
    product.generate()
    product.install_home()


def assert_opens(lab: Lab) -> None:
    """The copy opens with the host's passphrase, and is what the host has."""
    loaded = lab.archiver.run(
        ["zfs", "load-key", "-n", "-L", "prompt", ITS_COPY], stdin=lab.home.get("/root/key"), check=False
    )
    assert loaded.code == 0, loaded


@pytest.mark.sample
def test_the_archiver_never_has_the_key(product: Product, secret: Lab) -> None:
    for name in ("one", "two"):
        tree.write(secret.home, f"{SECRET}/child", name, 1)
        cycle(product, name)
        assert pool.value(secret.archiver, "keystatus", ITS_COPY) == "unavailable"
    assert pool.value(secret.archiver, "encryptionroot", f"{ITS_COPY}/child").startswith(ITS_COPY)
    assert_opens(secret)


def test_a_chain_stays_raw_when_the_spec_asks_for_plain(product: Product, secret: Lab) -> None:
    cycle(product, "one")
    for name, raw in (("two", "never"), ("three", "auto")):
        want(product, raw)
        tree.write(secret.home, SECRET, name, 1)
        cycle(product, name)
    assert_opens(secret)


def test_a_plain_copy_of_an_encrypted_dataset_is_a_conflict_until_the_user_chooses(
    product: Product, secret: Lab
) -> None:
    want(product, "never")
    cycle(product, "one")
    want(product, "auto")
    tree.write(secret.home, SECRET, "two", 1)
    tree.snapshot(secret.home, SOURCE, "two")
    before = tree.guids(secret.archiver, ITS_COPY)
    # The first run does not look at the copy: a raw increment does not fit it.
    for arguments in ([], ["--audit"]):
        refused = product.run("replicate", *arguments)
        assert refused.code == 4 and "new copy" in refused.stderr and '"never"' in refused.stderr, refused
    assert tree.guids(secret.archiver, ITS_COPY) == before
    # One choice goes on with the plain copy, the other makes a raw one.
    want(product, "never")
    send(product)
    assert pool.value(secret.archiver, "encryption", ITS_COPY) == "off"
    want(product, "auto")
    zfs(secret.archiver, "rename", ITS_COPY, f"{ITS_COPY}.aside")
    assert product.run("replicate", "--audit").code == 0
    assert_opens(secret)


def test_a_changed_key_goes_with_the_next_increment(product: Product, secret: Lab) -> None:
    cycle(product, "one")
    secret.home.put("/root/key", b"another passphrase")
    zfs(secret.home, "change-key", "-o", "keylocation=file:///root/key", SECRET)
    cycle(product, "two")
    assert_opens(secret)


def test_a_plain_increment_in_a_raw_chain_is_named_and_nothing_is_changed(product: Product, secret: Lab) -> None:
    """Somebody received a plain stream with the key loaded: no raw one builds on it."""
    cycle(product, "one")
    tree.write(secret.home, SECRET, "two", 1)
    zfs(secret.home, "snapshot", f"{SECRET}@two")
    secret.archiver.run(["zfs", "load-key", "-L", "prompt", ITS_COPY], stdin=secret.home.get("/root/key"))
    stream = secret.home.run(["zfs", "send", "-i", "@one", f"{SECRET}@two"]).out
    secret.archiver.run(["zfs", "receive", "-u", ITS_COPY], stdin=stream)
    tree.write(secret.home, SECRET, "three", 1)
    tree.snapshot(secret.home, SOURCE, "three")
    before = tree.guids(secret.archiver, ITS_COPY)
    report = product.report("replicate")["replications"][0]
    assert report["exit"] == 4, report
    [refused] = [d for d in report["datasets"] if d["result"] == "refused"]
    assert "IV set guid mismatch" in refused["message"] and "plain stream" in refused["help"], refused
    assert before.items() <= tree.guids(secret.archiver, ITS_COPY).items()


def test_a_plain_tree_is_received_below_an_encrypted_parent(product: Product) -> None:
    """Where the archiver's own parent is encrypted and open, what arrives has its key."""
    lab = product.lab
    lab.archiver.put("/root/key", b"the archiver's passphrase")
    zfs(lab.archiver, "create", *ENCRYPTED, "-o", "canmount=off", "vault/home")
    for name in ("one", "two"):
        tree.write(lab.home, SOURCE, name, 1)
        cycle(product, name)
    assert pool.value(lab.archiver, "encryptionroot", COPY) == "vault/home"
    zfs(lab.archiver, "unload-key", "vault/home")
    zfs(lab.home, "create", f"{SOURCE}/late")
    tree.snapshot(lab.home, SOURCE, "three")
    locked = product.report("replicate")["replications"][0]
    assert locked["exit"] in (1, 3), locked
    assert any("key" in d.get("message", "") and "zfs load-key" in d["help"] for d in locked["datasets"]), locked
    zfs(lab.archiver, "load-key", "vault/home")
    send(product)
    assert_complete(product)


def test_files_of_a_copy_that_the_archiver_cannot_open_come_back_another_way(product: Product, secret: Lab) -> None:
    cycle(product, "one")
    refused = product.run("restore", f"{SECRET}/child", "--file", "file")
    assert refused.code == 1 and "does not have its key" in refused.stderr, refused
    beside = f"{SECRET}/child-restored"
    assert f"dormouse restore {SECRET}/child --only --to {beside}" in refused.stderr, refused
    assert product.run("restore", f"{SECRET}/child", "--only", "--to", beside).code == 0
    zfs(secret.home, "load-key", "-L", "file:///root/key", beside)
    zfs(secret.home, "mount", beside)
    secret.home.run(["cmp", f"/{SECRET}/child/file", f"/{beside}/file"])


def test_what_is_plain_below_an_encrypted_dataset_stays_plain_and_comes_back_so(product: Product, secret: Lab) -> None:
    home, archiver = secret.home, secret.archiver
    # What is below an encrypted dataset has its key, unless it was made without.
    plain = ["open", "open/below", "disk", "many"]
    zfs(home, "create", "-o", "encryption=off", f"{SECRET}/open")
    zfs(home, "create", f"{SECRET}/open/below")
    zfs(home, "create", "-o", "encryption=off", "-V", "8M", f"{SECRET}/disk")
    zfs(home, "create", "-o", "encryption=off", f"{SECRET}/many")
    # Of the holder there will only be what holds the one below it.
    other = f"{SOURCE}/other"
    zfs(home, "create", *ENCRYPTED, other)
    zfs(home, "create", "-p", f"{other}/holder/leaf")

    def step(name: str) -> None:
        tree.write(home, f"{SECRET}/open", name, 1)
        tree.snapshot(home, SOURCE, name)
        zfs(home, "destroy", f"{other}/holder@{name}")

    tree.write(home, f"{SECRET}/many", "file", 8)
    step("one")
    with secret.rate_limit(home, "4mbit"):
        running = product.start("replicate")
        wait.until(lambda: pool.received(archiver, f"{ITS_COPY}/many") > 0, "a part of it")
        running.kill()
        running.wait()
    send(product)
    step("two")
    send(product)
    for dataset in plain:
        assert pool.value(archiver, "encryption", f"{ITS_COPY}/{dataset}") == "off"
    assert pool.value(archiver, "keystatus", f"{COPY}/other/holder/leaf") == "unavailable"
    assert "nothing to do" in product.run("replicate").stdout
    assert product.run("verify").code == 0
    back = product.run("restore", "-r", SECRET, "--to", "tank/back")
    assert back.code == 0, back
    for dataset in plain:
        assert pool.value(home, "encryption", f"tank/back/{dataset}") == "off"
    zfs(home, "load-key", "-L", "file:///root/key", "tank/back")
    for dataset in ("", "/open"):
        zfs(home, "mount", f"tank/back{dataset}")
    home.run(["cmp", f"/{SECRET}/open/two", "/tank/back/open/two"])
    home.run(["cmp", f"/dev/zvol/{SECRET}/disk", "/dev/zvol/tank/back/disk"])
    back = product.run("restore", "-r", other, "--to", "tank/others")
    assert back.code == 0 and "tank/others/holder was made to hold others" in back.stderr, back
    zfs(home, "load-key", "-L", "file:///root/key", "tank/others/holder/leaf")
