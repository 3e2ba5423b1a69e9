# The generated folder is whole, and the options say what its spec says: `dormouse` reads the spec,
# so an option that differs would have no effect.
{ config, lib, ... }:
let
  cfg = config.services.dormouse;

  regenerate = "Run `dormouse-generate` in the folder of dormouse.json and commit what it writes.";
  quote = lib.concatMapStringsSep ", " (name: "`${name}`");

  file = path: cfg.generated + "/${path}";
  read =
    path: default: if builtins.pathExists (file path) then lib.importJSON (file path) else default;
  specFile = toString (file "spec.json");

  inherit
    (read "spec.json" {
      archivers = { };
      hosts = { };
    })
    archivers
    hosts
    ;
  inSpec = hosts.${cfg.hostName}.replications or { };
  place = "hosts.${cfg.hostName}.replications";

  folder = [
    {
      assertion = builtins.pathExists (file "spec.json");
      message = "services.dormouse.generated = ${toString cfg.generated} holds no spec.json. ${regenerate}";
    }
    {
      assertion = builtins.pathExists (file "spec.json") -> hosts ? ${cfg.hostName};
      message = ''
        services.dormouse.hostName is `${cfg.hostName}`, a host that ${specFile} lacks; it has ${quote (lib.attrNames hosts)}.
        Correct the option, or add the host to dormouse.json. ${regenerate}
      '';
    }
  ];

  artifacts = (read "manifest.json" { artifacts = { }; }).artifacts;
  concernsHost =
    path:
    lib.elem path [
      "known_hosts"
      "spec.json"
    ]
    || lib.hasPrefix "hosts/${cfg.hostName}/" path;

  unchanged = path: {
    assertion =
      builtins.pathExists (file path) && builtins.hashFile "sha256" (file path) == artifacts.${path};
    message = ''
      services.dormouse.generated: ${toString (file path)} is not the file that manifest.json lists, so it was edited or stems from another run of dormouse-generate.
      Change dormouse.json instead. ${regenerate}
    '';
  };

  fields = {
    host = "archiver";
    localFilesystem = "source";
    remoteFilesystem = "target";
    recursive = "recursive";
    exclude = "exclude";
    sendRaw = "raw";
    followDelete = "follow_delete";
    after = "after";
    timeout = "timeout";
  };

  # "25h" as a number of seconds.
  seconds =
    duration:
    let
      parts = builtins.match "([0-9]+)([smhdw])" duration;
      units = {
        s = 1;
        m = 60;
        h = 3600;
        d = 86400;
        w = 604800;
      };
    in
    lib.toInt (lib.head parts) * units.${lib.last parts};

  agrees = option: found: path: expected: {
    assertion =
      found == (if lib.isInt found && lib.isString expected then seconds expected else expected);
    message = ''
      services.dormouse.${option} is ${builtins.toJSON found}, but ${path} in ${specFile} is ${builtins.toJSON expected}.
      Remove the option's definition, or change dormouse.json. ${regenerate}
    '';
  };

  replicationAgrees =
    name:
    let
      options = cfg.replications.${name};
      inherit (inSpec.${name}) archiver;
      inherit (archivers.${archiver}) provider;
      optionAgrees = option: agrees "replications.${name}.${option}" options.${option};
    in
    lib.mapAttrsToList (
      option: field: optionAgrees option "${place}.${name}.${field}" inSpec.${name}.${field}
    ) fields
    # An EC2 archiver's users follow from the hosts' names.
    ++ lib.optional (provider ? user) (
      optionAgrees "username" "archivers.${archiver}.provider.user" provider.user
    );

  snapshotsAgree = lib.mapAttrsToList (
    class: count:
    agrees "snapshots.${class}" cfg.snapshots.${class} "hosts.${cfg.hostName}.snapshots.${class}" count
  ) (hosts.${cfg.hostName}.snapshots or { });

  unknown = name: {
    assertion = inSpec ? ${name};
    message = ''
      services.dormouse.replications.${name} is not in ${specFile}: ${place} has ${quote (lib.attrNames inSpec)}.
      Remove the option's definition, or add the replication to dormouse.json. ${regenerate}
    '';
  };

  missing = name: {
    assertion = cfg.replications ? ${name};
    message = ''
      ${specFile} has ${place}.${name}, but services.dormouse.replications lacks it, so it would never run.
      Import ${toString (file "hosts/${cfg.hostName}/nixos.nix")}. ${regenerate}
    '';
  };

  names = lib.attrNames cfg.replications;
  inBoth = lib.filter (name: inSpec ? ${name}) names;
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      folder
      ++ map unchanged (lib.filter concernsHost (lib.attrNames artifacts))
      ++ lib.optionals (hosts ? ${cfg.hostName}) (
        snapshotsAgree
        ++ map unknown names
        ++ map missing (lib.attrNames inSpec)
        ++ lib.concatMap replicationAgrees inBoth
      );
  };
}
