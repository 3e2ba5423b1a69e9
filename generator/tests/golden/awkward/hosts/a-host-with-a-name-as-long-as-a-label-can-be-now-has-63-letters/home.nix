# How a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
    "1st 1st.awkward.dormouse" = {
      ProxyCommand = "dormouse --host a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters proxy 1st %p";
      ProxyUseFdpass = "yes";
      User = "dormouse-a-host-with-a-33c2e3b7";
      Port = "22";
      IdentityFile = "\"~/my secrets/it's 100%% \\backslash #1/hosts/a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters/id_ed25519\"";
      IdentitiesOnly = "yes";
      HostKeyAlias = "1st.awkward.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo 1st.awkward.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJn3AGMhym2jf71ymXWoI0ejWdtU3DD1ArPPtMR/8gK";
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
    "if if.awkward.dormouse" = {
      HostName = "2001:db8::7";
      User = "Back_up.user-2";
      Port = "2200";
      IdentityFile = "\"~/my secrets/it's 100%% \\backslash #1/hosts/a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters/id_ed25519\"";
      IdentitiesOnly = "yes";
      HostKeyAlias = "if.awkward.dormouse";
      HostKeyAlgorithms = "ssh-ed25519";
      KnownHostsCommand = "/usr/bin/env echo if.awkward.dormouse ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICYsqwWVdUOU1Q7jEpgkpatdaDJGwL4fR0MyMLtmmwar";
      UserKnownHostsFile = "/dev/null";
      GlobalKnownHostsFile = "/dev/null";
      StrictHostKeyChecking = "yes";
      UpdateHostKeys = "no";
      ForwardAgent = "no";
      ControlMaster = "no";
      ControlPath = "none";
      ServerAliveInterval = "30";
      ServerAliveCountMax = "4";
      Ciphers = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com";
      Compression = "yes";
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
