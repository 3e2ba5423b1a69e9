# Which secrets a replication needs, and where they are: systemd reads them as root and hands them
# to the service, which may read nothing else of them.
{ config, lib }:
let
  cfg = config.services.dormouse;

  # systemd knows no `~`.
  absolute =
    path:
    if lib.hasPrefix "~/" path then
      "${config.users.users.root.home}/${lib.removePrefix "~/" path}"
    else
      path;

  # The name under which `dormouse` looks for a path in the folder of secrets.
  name = lib.replaceStrings [ "/" ] [ "_" ];
  load = name: path: "${name}:${lib.replaceStrings [ "%" ] [ "%%" ] (absolute path)}";

  specFile = cfg.generated + "/spec.json";
  archivers =
    if builtins.pathExists specFile then (lib.importJSON specFile).archivers or { } else { };
in
rec {
  inherit absolute;

  isOnEc2 = replication: (archivers.${replication.host}.provider.type or null) == "ec2";

  credentials =
    replication:
    [ (load (name "hosts/${cfg.hostName}/id_ed25519") replication.identityFilePath) ]
    ++ lib.optionals (isOnEc2 replication) (
      let
        userData = "archivers/${replication.host}/user-data";
      in
      [ (load (name userData) "${cfg.secretsDir}/${userData}") ]
      ++ lib.optional (cfg.awsCredentialsFile != null) (load "aws-credentials" cfg.awsCredentialsFile)
    );

  environment =
    replication:
    lib.optionalAttrs (isOnEc2 replication && cfg.awsCredentialsFile != null) {
      AWS_SHARED_CREDENTIALS_FILE = "%d/aws-credentials";
    };
}
