# The replications' services, and the timers that start them.
{
  config,
  lib,
  utils,
  ...
}:
let
  cfg = config.services.dormouse;
  secrets = import ./secrets.nix { inherit config lib; };

  dormouse =
    arguments:
    utils.escapeSystemdExecArgs (
      [
        "${cfg.package}/bin/dormouse"
        "--spec"
        "${cfg.generated}/spec.json"
        "--generated"
        "${cfg.generated}"
        "--host"
        cfg.hostName
        "--ssh"
        cfg.sshPath
      ]
      ++ arguments
    );

  service =
    {
      description,
      replication,
      arguments,
      snapshots ? [ ],
    }:
    rec {
      inherit description;
      inherit (cfg) onFailure;
      # A wake needs the network, and the first snapshot after a boot can come before it.
      wants = [
        "network-online.target"
        "zfs-dormouse.service"
      ];
      after = wants ++ snapshots;
      path = [ config.boot.zfs.package ];
      environment = secrets.environment replication;
      # A switch to another system must neither cut a transfer nor start one.
      restartIfChanged = false;
      serviceConfig = import ./hardening.nix // {
        Type = "oneshot";
        User = "dormouse";
        Group = "dormouse";
        LoadCredential = secrets.credentials replication;
        ExecStartPre = replication.execStartPre;
        ExecStart = dormouse arguments;
        ExecStopPost = replication.execStopPost;
        TimeoutStartSec = replication.timeout;
        # dormouse ends the transfer and sends the archiver to sleep, so it is told first and alone.
        KillMode = "mixed";
        TimeoutStopSec = "10min";
        # Another run of the same replication is at work: nothing failed.
        SuccessExitStatus = 7;
        # Below the folders that root's own commands use. Replications that run at the same time
        # share it: the first to end must not remove it.
        RuntimeDirectory = "dormouse/service";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;
        StateDirectory = "dormouse/service";
        StateDirectoryMode = "0700";
      };
    };

  snapshotsOf = replication: map (class: "zfs-snapshot-${class}.service") replication.after;

  replicate =
    name: replication:
    lib.nameValuePair "dormouse-${name}" (service {
      description = "Replicate ${replication.localFilesystem} to ${replication.host}";
      inherit replication;
      arguments = [
        "replicate"
        name
      ];
      snapshots = snapshotsOf replication;
    });

  # Each snapshot service starts it, and it starts the replication a little later: hosts that make
  # snapshots at the same minute should not all come to the archiver at once.
  replicateTimer =
    name: replication:
    lib.nameValuePair "dormouse-${name}" rec {
      wantedBy = snapshotsOf replication;
      after = wantedBy;
      timerConfig = {
        OnActiveSec = 0;
        RandomizedDelaySec = cfg.jitter;
        AccuracySec = "1s";
        # So that the next snapshot can start it again.
        RemainAfterElapse = false;
      };
    };

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
        OnCalendar = cfg.audit;
        Persistent = true;
        RandomizedDelaySec = "6h";
      };
    };

  inherit (cfg) replications;
in
{
  config = lib.mkIf cfg.enable {
    systemd.services =
      lib.mapAttrs' replicate replications
      // lib.optionalAttrs (cfg.audit != null) (lib.mapAttrs' audit replications);

    systemd.timers =
      lib.mapAttrs' replicateTimer replications
      // lib.optionalAttrs (cfg.audit != null) (lib.mapAttrs' auditTimer replications);
  };
}
