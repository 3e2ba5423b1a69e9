# `dormouse status` and the like, for the administrator.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.dormouse;
  secrets = import ./secrets.nix { inherit config lib; };

  command = import ../wrapped.nix {
    inherit lib pkgs;
    inherit (cfg) package;
    defaults = {
      DORMOUSE_SPEC = "${cfg.generated}/spec.json";
      DORMOUSE_GENERATED = "${cfg.generated}";
      DORMOUSE_HOST = cfg.hostName;
      DORMOUSE_SECRETS = secrets.absolute cfg.secretsDir;
      DORMOUSE_SSH = cfg.sshPath;
    };
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
