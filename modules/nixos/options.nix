{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.dormouse;

  snapshotClasses = [
    "frequent"
    "hourly"
    "daily"
    "weekly"
    "monthly"
  ];

  keep =
    default: period:
    mkOption {
      type = types.ints.unsigned;
      inherit default;
      description = "Number of automatic snapshots that are kept, one ${period}.";
    };

  # Secrets are strings: a value of a path type would be copied into the store, which is
  # readable by everyone.
  secretPath =
    description:
    mkOption {
      type = types.str;
      example = "/var/lib/dormouse/secrets";
      description = "${description} Given as a string, so that it stays out of the Nix store.";
    };

  replication = {
    options = {
      host = mkOption {
        type = types.str;
        description = "Name of the archiver.";
      };
      username = mkOption {
        type = types.str;
        default = "dormouse";
        description = "User on the archiver that receives.";
      };
      localFilesystem = mkOption {
        type = types.str;
        example = "rpool/safe";
        description = "Dataset on this host that is replicated.";
      };
      remoteFilesystem = mkOption {
        type = types.str;
        example = "archive/desktop/safe";
        description = "Dataset on the archiver that receives.";
      };
      recursive = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the datasets below {option}`localFilesystem` are replicated too.";
      };
      exclude = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Datasets below {option}`localFilesystem` that are left out, with everything below them; `*` stands for any characters of one component.";
      };
      sendRaw = mkOption {
        type = types.enum [
          "auto"
          "always"
          "never"
        ];
        default = "auto";
        description = "Which datasets are sent as they lie on the disk; `auto`: those that are encrypted.";
      };
      followDelete = mkOption {
        type = types.bool;
        default = false;
        description = "Whether snapshots that were deleted here are deleted on the archiver.";
      };
      identityFilePath = secretPath "Private SSH key that the archiver knows.";
      after = mkOption {
        type = types.listOf (types.enum snapshotClasses);
        default = snapshotClasses;
        description = "Snapshot classes whose `zfs-snapshot-<class>.service` starts the replication.";
      };
      timeout = mkOption {
        type = types.ints.positive;
        default = 90000;
        description = "Seconds that one run may take.";
      };
      execStartPre = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "+/run/current-system/sw/bin/touch /var/lib/started" ];
        description = ''
          Commands before the replication, in the syntax of `ExecStartPre=` in {manpage}`systemd.service(5)`.
          They share the service's sandbox; the prefix `+` lifts it.
        '';
      };
      execStopPost = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = ''
          Commands after the replication, whether it succeeded or not, in the syntax of `ExecStopPost=`.
          systemd tells them the result in `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS`.
        '';
      };
    };
  };

  knownHost = {
    options = {
      hostNames = mkOption {
        type = types.listOf types.str;
        description = "Names under which the archiver is reached.";
      };
      publicKey = mkOption {
        type = types.str;
        description = "The archiver's public host key.";
      };
    };
  };

  honeycomb = {
    options = {
      dataset = mkOption {
        type = types.str;
        description = "Honeycomb dataset that receives the events.";
      };
      apiKeyFile = secretPath "File that holds the API key.";
    };
  };

  report = {
    options = {
      honeycomb = mkOption {
        type = types.nullOr (types.submodule honeycomb);
        default = null;
        description = "Honeycomb's events API.";
      };
      alertAfter = mkOption {
        type = types.ints.positive;
        default = 3600;
        description = "Seconds without a successful run after which an alarm is due.";
      };
    };
  };
in
{
  options.services.dormouse = {
    enable = lib.mkEnableOption "ZFS backups onto an archiver that sleeps";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../../nix/package.nix { };
      defaultText = lib.literalMD "Dormouse, built with this system's nixpkgs";
      description = "The package that provides `dormouse`.";
    };

    sshPath = mkOption {
      type = types.str;
      default = "${pkgs.openssh}/bin/ssh";
      defaultText = lib.literalExpression ''"''${pkgs.openssh}/bin/ssh"'';
      description = "The `ssh` that reaches the archivers.";
    };

    generated = mkOption {
      type = types.path;
      example = lib.literalExpression "./generated";
      description = "Folder that `dormouse-generate` wrote. It is public and lies in the Nix store.";
    };

    hostName = mkOption {
      type = types.str;
      example = "desktop";
      description = "Name of this host in the spec.";
    };

    secretsDir = secretPath "Folder of this host's secrets, which `dormouse-generate` wrote.";

    awsCredentialsFile = mkOption {
      type = types.nullOr types.str;
      default = "${cfg.secretsDir}/aws-credentials";
      defaultText = lib.literalExpression ''"''${config.services.dormouse.secretsDir}/aws-credentials"'';
      description = ''
        AWS credentials, in the format of {file}`~/.aws/credentials`; read for archivers on EC2 only.
        `null` when the AWS SDK finds credentials by itself, such as those of an instance profile.
        Given as a string, so that it stays out of the Nix store.
      '';
    };

    jitter = mkOption {
      type = types.ints.unsigned;
      default = 60;
      description = ''
        Seconds by which a replication starts later than the snapshot that starts it, at most. The
        delay is random each time.
      '';
    };

    audit = mkOption {
      type = types.nullOr types.str;
      default = "weekly";
      description = ''
        When the archivers are asked for what they have, even if this host knows of nothing new, in
        the format of {manpage}`systemd.time(7)`. `null` for never.
      '';
    };

    drill = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "monthly";
      description = ''
        When any one of the replicated datasets is brought back from its archiver into a scratch dataset,
        compared file by file with what is here, and given up again, in the format of
        {manpage}`systemd.time(7)`. It needs as much free space as that dataset, and the key of an
        encrypted one where its `keylocation` says. AWS charges for what leaves EC2. `null` for never.
      '';
    };

    onFailure = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "notify@%n.service" ];
      description = "Units that are started when a replication, an audit or a drill has failed.";
    };

    snapshots = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = ''
          Whether {option}`services.zfs.autoSnapshot` makes snapshots of what is replicated: it is
          enabled, and `com.sun:auto-snapshot` is set on each {option}`localFilesystem`. When
          something else makes them, it has to start {file}`dormouse-<name>.service` too.
        '';
      };
      frequent = keep 4 "every 15 minutes";
      hourly = keep 24 "every hour";
      daily = keep 7 "every day";
      weekly = keep 4 "every week";
      monthly = keep 12 "every month";
    };

    knownHosts = mkOption {
      type = types.attrsOf (types.submodule knownHost);
      default = { };
      description = "Host keys of the archivers, for every user of this host.";
    };

    report = mkOption {
      type = types.nullOr (types.submodule report);
      default = null;
      description = "Who hears of runs.";
    };

    replications = mkOption {
      type = types.attrsOf (types.submodule replication);
      default = { };
      description = "Dataset trees of this host and where their copies are kept.";
    };
  };
}
