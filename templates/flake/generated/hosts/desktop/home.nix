# How desktop reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
    "archiver archiver.home.dormouse" = {
      ProxyCommand = "dormouse --host desktop proxy archiver %p";
      ProxyUseFdpass = "yes";
      User = "dormouse-desktop";
      Port = "22";
      IdentityFile = "/var/lib/dormouse/secrets/hosts/desktop/id_ed25519";
      IdentitiesOnly = "yes";
      HostKeyAlias = "archiver.home.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo archiver.home.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpFAS3PgOOGiV5RVRZvvOTO147HMfzOr+KUzdFcl0lt";
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
