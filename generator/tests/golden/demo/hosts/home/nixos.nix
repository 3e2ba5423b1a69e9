# The replications of home, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "home";
    secretsDir = "/lab/secrets";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts.archiver = {
      hostNames = [ "archiver.demo.dormouse" "archiver" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINET8YwouZn2y+zmBpZU9daffMoTLxWzIdlMFMyRh4A9";
    };

    replications.safe = {
      host = "archiver";
      username = "dormouse-home";
      localFilesystem = "tank/safe";
      remoteFilesystem = "vault/home/safe";
      recursive = true;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "/lab/secrets/hosts/home/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };
  };
}
