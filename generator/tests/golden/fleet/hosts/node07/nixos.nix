# The replications of node07, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "node07";
    secretsDir = "~/.local/state/dormouse/fleet/secrets";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts.cellar = {
      hostNames = [ "cellar.fleet.dormouse" "cellar" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFAEtKETPNsBCqaoi5BgJvPpta1jM/A9029hJWuNIMWh";
    };

    knownHosts.nas = {
      hostNames = [ "nas.fleet.dormouse" "nas" "192.0.2.7" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIezbTmOgB1amV7FIzlPIjMS4KwNZbU5Fvw60wXsE2zr";
    };

    replications.data = {
      host = "cellar";
      username = "dormouse-node07";
      localFilesystem = "rpool/data";
      remoteFilesystem = "cellar/node07/data";
      recursive = true;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/.local/state/dormouse/fleet/secrets/hosts/node07/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };

    replications.home = {
      host = "nas";
      username = "backup";
      localFilesystem = "rpool/home";
      remoteFilesystem = "tank/node07/home";
      recursive = true;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/.local/state/dormouse/fleet/secrets/hosts/node07/id_ed25519";
      after = [ "daily" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };
  };
}
