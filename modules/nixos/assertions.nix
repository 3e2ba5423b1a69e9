# What the options alone show to be wrong.
{ config, lib, ... }:
let
  cfg = config.services.dormouse;

  quote = lib.concatMapStringsSep ", " (name: "`${name}`");

  zfs = [
    {
      assertion = config.boot.zfs.enabled;
      message = ''
        services.dormouse replicates ZFS datasets, but this system has no ZFS.
        Set boot.supportedFilesystems = [ "zfs" ].
      '';
    }
    {
      assertion = config.networking.hostId != null;
      message = ''
        services.dormouse needs ZFS, and ZFS needs networking.hostId.
        Set it to 8 hexadecimal digits, such as the output of: head -c 8 /etc/machine-id
      '';
    }
  ];

  # Every option below services.dormouse that is the place of a secret.
  secrets = {
    secretsDir = cfg.secretsDir;
  }
  // lib.mapAttrs' (
    name: replication:
    lib.nameValuePair "replications.${name}.identityFilePath" replication.identityFilePath
  ) cfg.replications
  // lib.optionalAttrs (cfg.awsCredentialsFile != null) { inherit (cfg) awsCredentialsFile; }
  // lib.optionalAttrs (cfg.report.honeycomb or null != null) {
    "report.honeycomb.apiKeyFile" = cfg.report.honeycomb.apiKeyFile;
  };

  outsideStore = option: path: {
    assertion = !(builtins.hasContext path || lib.hasPrefix builtins.storeDir path);
    message = ''
      services.dormouse.${option} = "${builtins.unsafeDiscardStringContext path}" is in the Nix store, which everyone on this system can read.
      Give its place on this system as a string, such as "/var/lib/dormouse/secrets", and replace what was copied: dormouse-generate rotate ${cfg.hostName}
    '';
  };

  absolute = option: path: {
    assertion = lib.hasPrefix "/" path || lib.hasPrefix "~/" path;
    message = ''services.dormouse.${option} = "${path}" is no absolute path. Begin it with / or ~/ (the home of root).'';
  };

  secretFiles = [
    "hosts/${cfg.hostName}/id_ed25519"
  ]
  ++ lib.concatMap (archiver: [
    "archivers/${archiver}/ssh_host_ed25519_key"
    "archivers/${archiver}/user-data"
  ]) (lib.attrNames cfg.knownHosts);

  isPublic = file: {
    assertion = !builtins.pathExists (cfg.generated + "/${file}");
    message = ''
      services.dormouse.generated holds the secret ${file}, and the whole folder is copied to the Nix store, which everyone on this system can read.
      Move it away, let dormouse-generate write secrets elsewhere (--secrets DIR), and replace what was copied (dormouse-generate rotate).
    '';
  };

  targetOf = name: "${cfg.replications.${name}.host}:${cfg.replications.${name}.remoteFilesystem}";
  targets = lib.groupBy targetOf (lib.attrNames cfg.replications);

  isAlone = target: names: {
    assertion = lib.length names == 1;
    message = ''
      services.dormouse.replications ${quote names} have one target, ${target}.
      Give each its own `target` in dormouse.json and run `dormouse-generate`.
    '';
  };

  hasOwnUnit = name: {
    assertion = !(cfg.replications ? "audit-${name}");
    message = ''
      services.dormouse.replications `${name}` and `audit-${name}` would both be dormouse-audit-${name}.service.
      Rename one in dormouse.json and run `dormouse-generate`.
    '';
  };

  # Without snapshots nothing would ever start it, nor be sent.
  isStarted = name: {
    assertion =
      cfg.snapshots.enable -> lib.any (class: cfg.snapshots.${class} > 0) cfg.replications.${name}.after;
    message = ''
      services.dormouse.replications.${name}.after names no class of which services.dormouse.snapshots keeps any, so it would never run.
      Correct `after` or `snapshots` of this host in dormouse.json and run `dormouse-generate`.
    '';
  };
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      zfs
      ++ lib.mapAttrsToList outsideStore secrets
      ++ lib.mapAttrsToList absolute secrets
      ++ map isPublic secretFiles
      ++ lib.mapAttrsToList isAlone targets
      ++ map hasOwnUnit (lib.attrNames cfg.replications)
      ++ map isStarted (lib.attrNames cfg.replications);
  };
}
