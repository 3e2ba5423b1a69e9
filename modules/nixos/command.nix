# `dormouse status` and the like, for the administrator: they know the spec and this host.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.dormouse;
  secrets = import ./secrets.nix { inherit config lib; };

  defaults = {
    DORMOUSE_SPEC = "${cfg.generated}/spec.json";
    DORMOUSE_GENERATED = "${cfg.generated}";
    DORMOUSE_HOST = cfg.hostName;
    DORMOUSE_SECRETS = secrets.absolute cfg.secretsDir;
    DORMOUSE_SSH = cfg.sshPath;
  };
  arguments = lib.mapAttrsToList (variable: value: [
    "--set-default"
    variable
    value
  ]) defaults;

  command = pkgs.symlinkJoin {
    name = "dormouse";
    paths = [ cfg.package ];
    nativeBuildInputs = [ pkgs.makeWrapper ];
    postBuild = "wrapProgram $out/bin/dormouse ${lib.escapeShellArgs (lib.concatLists arguments)}";
  };
in
{
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ command ];

    programs.ssh.knownHosts = lib.mapAttrs (_: host: {
      inherit (host) hostNames publicKey;
    }) cfg.knownHosts;
  };
}
