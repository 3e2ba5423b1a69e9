# What a look at the options, at spec.json and at the generated folder shows to be wrong.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.dormouse;

  regenerate = "Run `dormouse-generate` in the folder of dormouse.json and commit what it writes.";

  specFile = cfg.generated + "/spec.json";
  specExists = builtins.pathExists specFile;
  hosts = if specExists then (lib.importJSON specFile).hosts else { };
  hostExists = hosts ? ${cfg.hostName};
  host = hosts.${cfg.hostName} or { };
  inSpec = "hosts.${cfg.hostName}.replications";
  specReplications = host.replications or { };

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
        Set networking.hostId to 8 hexadecimal digits, such as the output of: head -c 8 /etc/machine-id
      '';
    }
  ];

  generated = [
    {
      assertion = specExists;
      message = "services.dormouse.generated = ${toString cfg.generated} holds no spec.json. ${regenerate}";
    }
    {
      assertion = specExists -> hostExists;
      message = ''
        services.dormouse.hostName is `${cfg.hostName}`, a host that ${toString specFile} lacks; it has ${quote (lib.attrNames hosts)}.
        Correct the option, or add the host to dormouse.json. ${regenerate}
      '';
    }
  ];

  # Everything below services.dormouse that names a secret.
  secrets = {
    secretsDir = cfg.secretsDir;
  }
  // lib.mapAttrs' (
    name: replication:
    lib.nameValuePair "replications.${name}.identityFilePath" replication.identityFilePath
  ) cfg.replications
  // lib.optionalAttrs (cfg.report.honeycomb or null != null) {
    "report.honeycomb.apiKeyFile" = cfg.report.honeycomb.apiKeyFile;
  };

  outsideStore = option: path: {
    assertion = !(builtins.hasContext path || lib.hasPrefix builtins.storeDir path);
    message = ''
      services.dormouse.${option} = "${builtins.unsafeDiscardStringContext path}" is in the Nix store, which everyone on this system can read.
      Give the place of the file on this system as a string, such as "/var/lib/dormouse/secrets", and replace
      the key that was copied: dormouse-generate rotate ${cfg.hostName}
    '';
  };

  absolutePath = option: path: {
    assertion = lib.hasPrefix "/" path || lib.hasPrefix "~/" path;
    message = ''services.dormouse.${option} = "${path}" is no absolute path. Begin it with / or ~/ (the home of root).'';
  };

  secretFiles = [
    "hosts/${cfg.hostName}/id_ed25519"
  ]
  ++ lib.concatMap (
    archiver:
    map (file: "archivers/${archiver}/${file}") [
      "ssh_host_ed25519_key"
      "user-data"
    ]
  ) (lib.attrNames cfg.knownHosts);

  publicFolder = file: {
    assertion = !builtins.pathExists (cfg.generated + "/${file}");
    message = ''
      services.dormouse.generated holds the secret ${file}, and the whole folder is copied to the Nix store, which everyone on this system can read.
      Move it out of the folder and let dormouse-generate write secrets elsewhere: dormouse-generate --secrets DIR
    '';
  };

  targets = lib.groupBy (
    name: "${cfg.replications.${name}.host}:${cfg.replications.${name}.remoteFilesystem}"
  ) (lib.attrNames cfg.replications);

  oneReplication = target: names: {
    assertion = lib.length names == 1;
    message = ''
      services.dormouse.replications ${quote names} have one target, ${target}, and would overwrite each other's snapshots.
      Give each its own `target` in dormouse.json. ${regenerate}
    '';
  };

  # `dormouse` reads these from spec.json: an option that says something else would have no effect.
  fields = {
    host = "archiver";
    localFilesystem = "source";
    remoteFilesystem = "target";
    recursive = "recursive";
    exclude = "exclude";
    sendRaw = "raw";
    followDelete = "follow_delete";
  };

  agreesWithSpec =
    name: replication:
    if specReplications ? ${name} then
      lib.mapAttrsToList (
        option: field:
        let
          inOption = replication.${option};
          expected = specReplications.${name}.${field} or inOption;
        in
        {
          assertion = inOption == expected;
          message = ''
            services.dormouse.replications.${name}.${option} is ${builtins.toJSON inOption}, but ${inSpec}.${name}.${field} in ${toString specFile} is ${builtins.toJSON expected}.
            Remove the option's definition, or change dormouse.json. ${regenerate}
          '';
        }
      ) fields
    else
      [
        {
          assertion = false;
          message = ''
            services.dormouse.replications.${name} is not in ${toString specFile}: ${inSpec} has ${quote (lib.attrNames specReplications)}.
            Remove the option's definition, or add the replication to dormouse.json. ${regenerate}
          '';
        }
      ];

  missing = map (name: {
    assertion = cfg.replications ? ${name};
    message = ''
      ${toString specFile} has ${inSpec}.${name}, but services.dormouse.replications lacks it, so it would never run.
      Import generated/hosts/${cfg.hostName}/nixos.nix. ${regenerate}
    '';
  }) (lib.attrNames specReplications);

  distinctUnits = map (name: {
    assertion = !(cfg.replications ? "audit-${name}");
    message = ''
      services.dormouse.replications `${name}` and `audit-${name}` would both be dormouse-audit-${name}.service.
      Rename one in dormouse.json. ${regenerate}
    '';
  }) (lib.attrNames cfg.replications);
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      zfs
      ++ generated
      ++ lib.mapAttrsToList outsideStore secrets
      ++ lib.mapAttrsToList absolutePath secrets
      ++ map publicFolder secretFiles
      ++ lib.mapAttrsToList oneReplication targets
      ++ lib.optionals hostExists (
        lib.concatLists (lib.mapAttrsToList agreesWithSpec cfg.replications) ++ missing
      )
      ++ distinctUnits;
  };
}
