{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.dormouse;

  # systemd knows no `~`.
  absolute =
    path:
    if lib.hasPrefix "~/" path then
      "${config.users.users.root.home}/${lib.removePrefix "~/" path}"
    else
      path;

  dormouse =
    replication: arguments:
    utils.escapeSystemdExecArgs (
      [
        "${cfg.package}/bin/dormouse"
        "--spec"
        "${cfg.generated}/spec.json"
        "--generated"
        "${cfg.generated}"
        "--host"
        cfg.hostName
        "--secrets"
        (absolute cfg.secretsDir)
        "--identity"
        (absolute replication.identityFilePath)
        "--ssh"
        cfg.sshPath
      ]
      ++ arguments
    );

  # `dormouse status` and the like, for the administrator: they know the spec and this host.
  command = pkgs.symlinkJoin {
    name = "dormouse";
    paths = [ cfg.package ];
    nativeBuildInputs = [ pkgs.makeWrapper ];
    postBuild = "wrapProgram $out/bin/dormouse ${lib.escapeShellArgs (lib.concatLists defaults)}";
  };
  defaults =
    lib.mapAttrsToList
      (variable: value: [
        "--set-default"
        variable
        value
      ])
      {
        DORMOUSE_SPEC = "${cfg.generated}/spec.json";
        DORMOUSE_GENERATED = "${cfg.generated}";
        DORMOUSE_HOST = cfg.hostName;
        DORMOUSE_SECRETS = absolute cfg.secretsDir;
        DORMOUSE_SSH = cfg.sshPath;
      };

  service =
    {
      description,
      replication,
      arguments,
      snapshots ? [ ],
    }:
    {
      inherit description;
      # A wake needs the network, and the first snapshot after a boot can come before it.
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ] ++ snapshots;
      wantedBy = snapshots;
      path = [ config.boot.zfs.package ];
      # A switch to another system must neither cut a transfer nor start one.
      restartIfChanged = false;
      serviceConfig = import ./hardening.nix // {
        Type = "oneshot";
        ExecStartPre = replication.execStartPre;
        ExecStart = dormouse replication arguments;
        ExecStopPost = replication.execStopPost;
        TimeoutStartSec = replication.timeout;
        # dormouse ends the transfer and sends the archiver to sleep, so it is told first and alone.
        KillMode = "mixed";
        TimeoutStopSec = "10min";
        # Another run of the same replication is at work: nothing failed.
        SuccessExitStatus = 7;
        # Replications that run at the same time share it: the first to end must not remove it.
        RuntimeDirectory = "dormouse";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;
      };
    };

  afterSnapshots =
    name: replication:
    lib.nameValuePair "dormouse-${name}" (service {
      description = "Replicate ${replication.localFilesystem} to ${replication.host}";
      inherit replication;
      arguments = [
        "replicate"
        name
      ];
      snapshots = map (class: "zfs-snapshot-${class}.service") replication.after;
    });

  audit =
    name: replication:
    lib.nameValuePair "dormouse-audit-${name}" (service {
      description = "Compare ${replication.localFilesystem} with its copy on ${replication.host}";
      inherit replication;
      arguments = [
        "replicate"
        "--audit"
        name
      ];
    });

  auditTimer =
    name: _:
    lib.nameValuePair "dormouse-audit-${name}" {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "weekly";
        Persistent = true;
        RandomizedDelaySec = "6h";
      };
    };
in
{
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ command ];

    programs.ssh.knownHosts = lib.mapAttrs (_: host: {
      inherit (host) hostNames publicKey;
    }) cfg.knownHosts;

    services.zfs.autoSnapshot = {
      enable = true;
      inherit (cfg.snapshots)
        frequent
        hourly
        daily
        weekly
        monthly
        ;
    };

    systemd.services =
      lib.mapAttrs' afterSnapshots cfg.replications // lib.mapAttrs' audit cfg.replications;

    systemd.timers = lib.mapAttrs' auditTimer cfg.replications;
  };
}
