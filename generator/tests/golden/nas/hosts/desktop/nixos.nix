# The replications of desktop, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "desktop";
    secretsDir = "~/.local/state/dormouse/office/secrets";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts.nas = {
      hostNames = [ "nas.office.dormouse" "nas" "nas.lan" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIfKZKbxUq+ODPJkd14bNC8g4K3d88854ne9kj57FYMD";
    };

    replications.home = {
      host = "nas";
      username = "dormouse";
      localFilesystem = "rpool/home";
      remoteFilesystem = "tank/dormouse/desktop/home";
      recursive = true;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/.local/state/dormouse/office/secrets/hosts/desktop/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };
  };
}
