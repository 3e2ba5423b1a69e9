# The replications of desktop, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "desktop";
    secretsDir = "~/.local/state/dormouse/home/secrets";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts.archiver = {
      hostNames = [ "archiver.home.dormouse" "archiver" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINET8YwouZn2y+zmBpZU9daffMoTLxWzIdlMFMyRh4A9";
    };

    report = {
      honeycomb = {
        dataset = "zfs-replication";
        apiKeyFile = "/run/secrets/honeycomb";
      };
      alertAfter = 3600;
    };

    replications.safe = {
      host = "archiver";
      username = "dormouse-desktop";
      localFilesystem = "rpool/safe";
      remoteFilesystem = "archive/desktop/safe";
      recursive = true;
      exclude = [ "rpool/safe/tmp" ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/.local/state/dormouse/home/secrets/hosts/desktop/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };
  };
}
