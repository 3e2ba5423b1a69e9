# The replications of a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters";
    secretsDir = "~/my secrets/it's 100% \\backslash #1";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };

    knownHosts."1st" = {
      hostNames = [ "1st.awkward.dormouse" "1st" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJn3AGMhym2jf71ymXWoI0ejWdtU3DD1ArPPtMR/8gK";
    };

    knownHosts."if" = {
      hostNames = [ "if.awkward.dormouse" "[if]:2200" "[2001:db8::7]:2200" ];
      publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICYsqwWVdUOU1Q7jEpgkpatdaDJGwL4fR0MyMLtmmwar";
    };

    report = {
      honeycomb = {
        dataset = "it's \"quoted\" \${x} ''";
        apiKeyFile = "/run/se crets/\"k\\e\"y\${x}";
      };
      alertAfter = 5400;
    };

    replications."in" = {
      host = "if";
      username = "Back_up.user-2";
      localFilesystem = "rpool/My Files";
      remoteFilesystem = "logs/spa ce/x";
      recursive = false;
      exclude = [ ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/my secrets/it's 100% \\backslash #1/hosts/a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters/id_ed25519";
      after = [ "monthly" "frequent" ];
      timeout = 90000;
      execStartPre = [ ];
      execStopPost = [ ];
    };

    replications."let" = {
      host = "1st";
      username = "dormouse-a-host-with-a-33c2e3b7";
      localFilesystem = "rpool/My Files/a b";
      remoteFilesystem = "Cold Store.2:b/long/My Files";
      recursive = true;
      exclude = [ "rpool/My Files/a b/Cache. 1:x_y-z" ];
      sendRaw = "auto";
      followDelete = false;
      identityFilePath = "~/my secrets/it's 100% \\backslash #1/hosts/a-host-with-a-name-as-long-as-a-label-can-be-now-has-63-letters/id_ed25519";
      after = [ "frequent" "hourly" "daily" "weekly" "monthly" ];
      timeout = 90000;
      execStartPre = [ "/bin/sh -c 'echo \"\${HOME}\" $$ $\${x} %n'" "printf 'it''s \\\\ \\n ''\${x} ''' é" ];
      execStopPost = [ "! /bin/false || true # | ###" ];
    };
  };
}
