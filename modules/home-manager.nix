# programs.dormouse: `ssh <archiver>` for this user.
#
# The settings are those of generated/hosts/<host>/home.nix, which dormouse-generate writes and
# which can be imported without this module too.
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  cfg = config.programs.dormouse;
  home = cfg.generated + "/hosts/${cfg.hostName}/home.nix";
  homeExists = builtins.pathExists home;
in
{
  options.programs.dormouse = {
    enable = lib.mkEnableOption "`ssh` to the archivers of a Dormouse spec";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../nix/package.nix { };
      defaultText = lib.literalMD "Dormouse, built with this configuration's nixpkgs";
      description = "The package that provides `dormouse`, which wakes an archiver that sleeps.";
    };

    generated = lib.mkOption {
      type = lib.types.path;
      example = lib.literalExpression "./generated";
      description = "Folder that `dormouse-generate` wrote. It is public and lies in the Nix store.";
    };

    hostName = lib.mkOption {
      type = lib.types.str;
      example = "desktop";
      description = "Name of this host in the spec.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = homeExists;
        message = ''
          programs.dormouse.hostName is `${cfg.hostName}`, but ${toString home} does not exist.
          Correct the option, or add the host to dormouse.json. Run `dormouse-generate` in the folder of dormouse.json and commit what it writes.
        '';
      }
    ];

    # ssh's ProxyCommand starts it.
    home.packages = [
      (import ./wrapped.nix {
        inherit lib pkgs;
        inherit (cfg) package;
        defaults = {
          DORMOUSE_SPEC = "${cfg.generated}/spec.json";
          DORMOUSE_GENERATED = "${cfg.generated}";
          DORMOUSE_HOST = cfg.hostName;
        };
      })
    ];

    programs.ssh = lib.mkIf homeExists (import home args).programs.ssh;
  };
}
