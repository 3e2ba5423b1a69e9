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
  };

  agrees = name: option: path: expected: {
    assertion = cfg.replications.${name}.${option} == expected;
    message = ''
      services.dormouse.replications.${name}.${option} is ${
        builtins.toJSON cfg.replications.${name}.${option}
      }, but ${path} in ${specFile} is ${builtins.toJSON expected}.
      Remove the option's definition, or change dormouse.json. ${regenerate}
    '';
  };

  # An EC2 archiver's users follow from the hosts' names.
  userAgrees =
    name:
    let
      inherit (inSpec.${name}) archiver;
      provider = archivers.${archiver}.provider;
    in
    lib.optional (provider ? user) (
      agrees name "username" "archivers.${archiver}.provider.user" provider.user
    );

  replicationAgrees =
    name:
    lib.mapAttrsToList (
      option: field: agrees name option "${place}.${name}.${field}" inSpec.${name}.${field}
    ) fields
    ++ userAgrees name;

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
        map unknown names ++ map missing (lib.attrNames inSpec) ++ lib.concatMap replicationAgrees inBoth
      );
  };
}
