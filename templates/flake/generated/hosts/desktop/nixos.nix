# The replications of desktop, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "desktop";
    secretsDir = "/var/lib/dormouse/secrets";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts.archiver = {
      hostNames = [ "archiver.home.dormouse" "archiver" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpFAS3PgOOGiV5RVRZvvOTO147HMfzOr+KUzdFcl0lt";
    };

    replications.safe = {
      host = "archiver";
      username = "dormouse-desktop";
      localFilesystem = "rpool/safe";
      remoteFilesystem = "archive/desktop/safe";
      recursive = true;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "/var/lib/dormouse/secrets/hosts/desktop/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };
  };
}
