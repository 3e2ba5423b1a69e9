# How home reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
    "archiver archiver.demo.dormouse" = {
      ProxyCommand = "dormouse --host home proxy archiver %p";
      ProxyUseFdpass = "yes";
      User = "dormouse-home";
      Port = "22";
      IdentityFile = "/lab/secrets/hosts/home/id_ed25519";
      IdentitiesOnly = "yes";
      HostKeyAlias = "archiver.demo.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo archiver.demo.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINET8YwouZn2y+zmBpZU9daffMoTLxWzIdlMFMyRh4A9";
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
