# A backup between two NixOS machines with real ZFS and OpenSSH: full, nothing new, incremental.
# It needs a builder with KVM; checks/lab shows the same on any Linux.
{
  self,
  pkgs,
  dormouse,
  ...
}:
let
  generated = ../generator/tests/golden/static;

  # Of the golden files' seed, which everybody knows.
  secrets = pkgs.runCommand "static-secrets" { nativeBuildInputs = [ dormouse ]; } ''
    (umask 077 && printf '42%.0s' {1..32} >seed)
    dormouse-generate --spec ${self}/examples/static.json --seed seed --out public --secrets $out
  '';

  withPool = hostId: {
    boot.supportedFilesystems = [ "zfs" ];
    networking.hostId = hostId;
    virtualisation.emptyDiskImages = [ 1024 ];
  };
in
pkgs.testers.runNixOSTest {
  name = "dormouse";

  nodes.laptop = {
    imports = [
      self.nixosModules.default
      (generated + "/hosts/laptop/nixos.nix")
      (withPool "8425e349")
    ];
    services.dormouse.package = dormouse;
    services.dormouse.jitter = 0;
    networking.extraHosts = "192.168.1.2 nas.lan";
  };

  nodes.nas = {
    imports = [ (withPool "8425e350") ];
    services.openssh = {
      enable = true;
      hostKeys = [
        {
          type = "ed25519";
          path = "/etc/ssh/ssh_host_ed25519_key";
        }
      ];
    };
    users.groups.dormouse = { };
    users.users.dormouse = {
      isSystemUser = true;
      group = "dormouse";
      useDefaultShell = true;
      openssh.authorizedKeys.keyFiles = [ (generated + "/archivers/nas/authorized_keys") ];
    };
  };

  testScript = ''
    rights = "create,mount,receive,canmount,mountpoint,readonly,volmode,userprop,send"
    key = "archivers/nas/ssh_host_ed25519_key"
    identity = "hosts/laptop/id_ed25519"
    folder = "/root/.local/state/dormouse/office/secrets"

    start_all()
    nas.wait_for_unit("multi-user.target")
    nas.succeed("zpool create tank /dev/vdb && zfs create tank/laptop")
    nas.succeed(f"zfs allow -u dormouse {rights} tank/laptop")
    nas.succeed(f"install -m 600 ${secrets}/{key} /etc/ssh/ssh_host_ed25519_key")
    nas.succeed("systemctl restart sshd.service")

    laptop.wait_for_unit("multi-user.target")
    laptop.succeed("zpool create rpool /dev/vdb && zfs create rpool/home")
    laptop.succeed(f"install -D -m 600 ${secrets}/{identity} {folder}/{identity}")
    laptop.succeed("systemctl restart zfs-dormouse.service")

    for name in ("one", "two", "three"):
        laptop.succeed(f"echo {name} >/rpool/home/file && zfs snapshot -r rpool/home@{name}")
        laptop.succeed("systemctl start dormouse-home.service")
        nas.succeed(f"zfs list tank/laptop/home@{name}")
        laptop.succeed("dormouse status >&2")

    # Nothing is new, so nobody is asked.
    nas.shutdown()
    laptop.succeed("systemctl start dormouse-home.service")

    # The rights go with the service.
    laptop.succeed("zfs allow rpool/home | grep -q dormouse")
    laptop.succeed("systemctl stop zfs-dormouse.service")
    laptop.fail("zfs allow rpool/home | grep -q dormouse")
  '';
}
