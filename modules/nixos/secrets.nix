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
  spec = if builtins.pathExists specFile then lib.importJSON specFile else { };
  archivers = spec.archivers or { };
  reportInSpec = spec.hosts.${cfg.hostName}.report or { };

  # Under the names of the spec's fields, where `dormouse` looks for them.
  fields =
    sink: names:
    lib.mapAttrs' (field: lib.nameValuePair "${sink}.${field}") (
      lib.filterAttrs (field: _: builtins.elem field names) (reportInSpec.${sink} or { })
    );
  reportSecrets =
    lib.optionalAttrs (cfg.report.honeycomb or null != null) {
      "honeycomb.api_key_file" = cfg.report.honeycomb.apiKeyFile;
    }
    // fields "otlp" [ "headers_file" ]
    // fields "ping" [ "url_file" ]
    // fields "webhook" [
      "headers_file"
      "url_file"
    ];
  ntfy = reportInSpec.notify.ntfy.url_file or null;
  notifySecrets = lib.optionalAttrs (ntfy != null) { "notify.ntfy.url_file" = ntfy; };

  recordKey = "hosts/${cfg.hostName}/record_key";

  # A report that lacks its key must not keep a backup from running: without its file, a credential
  # is an empty line, which `dormouse` takes for none.
  forgiving = secrets: {
    LoadCredential = lib.mapAttrsToList load secrets;
    SetCredential = map (name: "${name}:\\n") (lib.attrNames secrets);
  };
in
rec {
  inherit absolute;

  isOnEc2 = replication: (archivers.${replication.host}.provider.type or null) == "ec2";

  # Whether anybody hears of runs.
  isReporting = reportInSpec != { };
  # Whether this host itself tells somebody of a late replication.
  isNotifying = reportInSpec.notify or null != null;
  notifying = forgiving notifySecrets;
  reporting = forgiving reportSecrets;
  # Signs what is kept of properties; secrets of an older version lack it.
  signing = forgiving { ${name recordKey} = "${cfg.secretsDir}/${recordKey}"; };
  # Whether a report goes to a command of the user's.
  isCommanded = reportInSpec.command or [ ] != [ ];
  # Where a report writes: node_exporter's folder.
  written = lib.optional (reportInSpec ? prometheus) reportInSpec.prometheus.textfile_dir;

  credentials =
    replication:
    [ (load (name "hosts/${cfg.hostName}/id_ed25519") replication.identityFilePath) ]
    ++ lib.optional (isOnEc2 replication && cfg.awsCredentialsFile != null) (
      load "aws-credentials" cfg.awsCredentialsFile
    );

  environment =
    replication:
    lib.optionalAttrs (isOnEc2 replication && cfg.awsCredentialsFile != null) {
      AWS_SHARED_CREDENTIALS_FILE = "%d/aws-credentials";
    };
}
