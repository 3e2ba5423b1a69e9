# How node07 reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
    "cellar cellar.fleet.dormouse" = {
      ProxyCommand = "dormouse --host node07 proxy cellar %p";
      ProxyUseFdpass = "yes";
      User = "dormouse-node07";
      Port = "22";
      IdentityFile = "~/.local/state/dormouse/fleet/secrets/hosts/node07/id_ed25519";
      IdentitiesOnly = "yes";
      HostKeyAlias = "cellar.fleet.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo cellar.fleet.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFAEtKETPNsBCqaoi5BgJvPpta1jM/A9029hJWuNIMWh";
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
    "nas nas.fleet.dormouse" = {
      HostName = "192.0.2.7";
      User = "backup";
      Port = "22";
      IdentityFile = "~/.local/state/dormouse/fleet/secrets/hosts/node07/id_ed25519";
      IdentitiesOnly = "yes";
      HostKeyAlias = "nas.fleet.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo nas.fleet.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIezbTmOgB1amV7FIzlPIjMS4KwNZbU5Fvw60wXsE2zr";
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
