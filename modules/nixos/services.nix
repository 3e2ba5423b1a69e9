# The replications' services, and the timers that start them.
{
  config,
  lib,
  pkgs,
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

  # Where a command that the spec names by its bare name is.
  system = "/run/current-system/sw";
  paths = [
    config.boot.zfs.package
    pkgs.zstd
  ]
  ++ lib.optional secrets.isCommanded system;

  # Below the folders that root's own commands use. Services that run at the same time share it: the
  # first to end must not remove it.
  folders = {
    RuntimeDirectory = "dormouse/service";
    RuntimeDirectoryMode = "0700";
    RuntimeDirectoryPreserve = true;
    StateDirectory = "dormouse/service";
    StateDirectoryMode = "0700";
  };

  service =
    {
      description,
      name,
      replication,
      arguments,
      snapshots ? [ ],
    }:
    rec {
      inherit description;
      onFailure = reporters ++ cfg.onFailure;
      # A wake needs the network, and the first snapshot after a boot can come before it.
      wants = [
        "network-online.target"
        "zfs-dormouse.service"
      ];
      after = wants ++ snapshots;
      path = paths;
      environment = secrets.environment replication;
      # A switch to another system must neither cut a transfer nor start one.
      restartIfChanged = false;
      serviceConfig = import ./hardening.nix // folders // {
        Type = "oneshot";
        User = "dormouse";
        Group = "dormouse";
        LoadCredential =
          secrets.credentials replication
          ++ secrets.signing.LoadCredential
          ++ secrets.reporting.LoadCredential;
        SetCredential = secrets.signing.SetCredential ++ secrets.reporting.SetCredential;
        ReadWritePaths = written;
        ExecStartPre = replication.execStartPre;
        ExecStart = dormouse arguments;
        # Notes the end of a run that was killed before it could itself; dormouse-report.service tells
        # of it, since systemd hands no credentials to what runs here.
        ExecStopPost = [
          "-${
            dormouse [
              "report"
              "--keep"
              name
            ]
          }"
        ]
        ++ replication.execStopPost;
        TimeoutStartSec = replication.timeout;
        # dormouse ends the transfer and sends the archiver to sleep, so it is told first and alone.
        KillMode = "mixed";
        TimeoutStopSec = "10min";
        # Another run of the same replication is at work: nothing failed.
        SuccessExitStatus = 7;
      };
    };

  snapshotsOf = replication: map (class: "zfs-snapshot-${class}.service") replication.after;

  replicate =
    name: replication:
    lib.nameValuePair "dormouse-${name}" (service {
      description = "Replicate ${replication.localFilesystem} to ${replication.host}";
      inherit name replication;
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
      inherit name replication;
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

  # Mounts what has come back, which only root may: it has no sandbox, and folders of its own.
  drill = rec {
    description = "Restore drill of a ZFS backup";
    inherit (cfg) onFailure;
    wants = [ "network-online.target" ];
    after = wants;
    # mount(8)
    path = paths ++ [ system ];
    environment = builtins.foldl' (all: replication: all // secrets.environment replication) { } (
      builtins.attrValues replications
    );
    restartIfChanged = false;
    serviceConfig = {
      Type = "oneshot";
      # As hardening.nix, which says why.
      MemoryMax = "50%";
      RuntimeDirectory = "dormouse/drill";
      RuntimeDirectoryMode = "0700";
      StateDirectory = "dormouse/drill";
      StateDirectoryMode = "0700";
      LoadCredential = lib.unique (lib.concatMap secrets.credentials (builtins.attrValues replications));
      ExecStart = dormouse [
        "verify"
        "--deep"
        "--yes"
      ];
      # dormouse ends the transfer and sends the archiver to sleep, so it is told first and alone.
      KillMode = "mixed";
      TimeoutStopSec = "10min";
    };
  };

  drillTimer = {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = cfg.drill;
      Persistent = true;
      RandomizedDelaySec = "6h";
    };
  };

  # A folder that is missing is for `dormouse doctor` to tell.
  written = map (path: "-${path}") secrets.written;

  # Started when a run has failed; tells of all that has not been told.
  reporters = lib.optional secrets.isReporting "dormouse-report.service";
  reporter = rec {
    description = "Report runs of ZFS backups";
    wants = [ "network-online.target" ];
    after = wants;
    path = paths;
    serviceConfig =
      import ./hardening.nix
      // folders
      // secrets.reporting
      // {
        Type = "oneshot";
        User = "dormouse";
        Group = "dormouse";
        ReadWritePaths = written;
        ExecStart = dormouse [ "report" ];
        TimeoutStartSec = "5min";
      };
  };

  # Tells those whom the spec's `notify` names. It has no sandbox: what delivers mail is setgid and
  # writes to a spool, and a command may be anything.
  stale = rec {
    description = "Tell of ZFS backups that are late";
    inherit (cfg) onFailure;
    wants = [ "network-online.target" ];
    after = wants;
    path = [
      # sendmail(1)
      "/run/wrappers"
      system
    ];
    serviceConfig = folders // secrets.notifying // {
      Type = "oneshot";
      MemoryMax = "50%";
      User = "dormouse";
      Group = "dormouse";
      ExecStart = dormouse [
        "alarm"
        "check"
      ];
      # Late, and they were told.
      SuccessExitStatus = 1;
      TimeoutStartSec = "5min";
    };
  };

  staleTimer = {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = "*:0/15";
      RandomizedDelaySec = "1min";
    };
  };

  inherit (cfg) replications;
in
{
  config = lib.mkIf cfg.enable {
    systemd.services =
      lib.mapAttrs' replicate replications
      // lib.optionalAttrs (cfg.audit != null) (lib.mapAttrs' audit replications)
      // lib.optionalAttrs (cfg.drill != null) { dormouse-drill = drill; }
      // lib.optionalAttrs secrets.isReporting { dormouse-report = reporter; }
      // lib.optionalAttrs secrets.isNotifying { dormouse-stale = stale; };

    systemd.timers =
      lib.mapAttrs' replicateTimer replications
      // lib.optionalAttrs (cfg.audit != null) (lib.mapAttrs' auditTimer replications)
      // lib.optionalAttrs (cfg.drill != null) { dormouse-drill = drillTimer; }
      // lib.optionalAttrs secrets.isNotifying { dormouse-stale = staleTimer; };
  };
}
