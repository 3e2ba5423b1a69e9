# How desktop reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
    "nas nas.office.dormouse" = {
      HostName = "nas.lan";
      User = "dormouse";
      Port = "22";
      IdentityFile = "~/.local/state/dormouse/office/secrets/hosts/desktop/id_ed25519";
      IdentitiesOnly = "yes";
      HostKeyAlias = "nas.office.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo nas.office.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIfKZKbxUq+ODPJkd14bNC8g4K3d88854ne9kj57FYMD";
      UserKnownHostsFile = "/dev/null";
      GlobalKnownHostsFile = "/dev/null";
      StrictHostKeyChecking = "yes";
      UpdateHostKeys = "no";
      ForwardAgent = "no";
      ControlMaster = "no";
      ControlPath = "none";
      ServerAliveInterval = "30";
      ServerAliveCountMax = "4";
    };
  };
in
{
  programs.ssh = {
    enable = true;
  }
  # Since release 26.05 blocks are `settings`, and `matchBlocks` warns.
  // (
    if options.programs.ssh ? settings then
      { settings = blocks; }
    else
      {
        matchBlocks = builtins.mapAttrs (host: extraOptions: { inherit host extraOptions; }) blocks;
      }
  );
}
