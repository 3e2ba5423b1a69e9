"""The generated ssh_config and known_hosts are all that OpenSSH needs."""

from checks.lab.product import FOLDER, Product

CONFIG = f"{FOLDER}/generated/hosts/home/ssh_config"
KNOWN_HOSTS = f"{FOLDER}/generated/known_hosts"


def test_ssh_with_the_generated_files_enters_the_archiver_and_asks_nothing(product: Product) -> None:
    home = product.lab.home
    entered = home.run([*ssh(), "archiver", "hostname"], check=False)
    assert entered.code == 0 and entered.stdout == "archiver\n", entered
    by_file = ["-o", "KnownHostsCommand=none", "-o", f"UserKnownHostsFile={KNOWN_HOSTS}"]
    entered = home.run([*ssh(), *by_file, "archiver", "hostname"], check=False)
    assert entered.stdout == "archiver\n", entered
    assert home.run(["test", "-e", "/root/.ssh/known_hosts"], check=False).code == 1


def test_ssh_with_the_generated_files_refuses_another_host_key(product: Product) -> None:
    lab = product.lab
    key = "/etc/ssh/ssh_host_ed25519_key"
    lab.archiver.run(["rm", key])
    lab.archiver.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    lab.archiver.run(["systemctl", "restart", "ssh.service"])
    refused = lab.home.run([*ssh(), "archiver", "hostname"], check=False)
    assert refused.code == 255, refused
    assert "Host key verification failed" in refused.stderr


def ssh() -> list[str]:
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    return ["ssh", "-F", CONFIG, *strict]
