# What the datasets need that are replicated: a user with the rights to do it, and snapshots.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.dormouse;

  rights = lib.concatStringsSep "," (lib.importJSON ./zfs-rights.json);
  sources = lib.unique (lib.mapAttrsToList (_: each: each.localFilesystem) cfg.replications);

  shell =
    script: arguments:
    utils.escapeSystemdExecArgs (
      [
        pkgs.runtimeShell
        "${script}"
      ]
      ++ arguments
    );
  grant =
    datasets:
    shell ./grant.sh (
      [
        "dormouse"
        rights
      ]
      ++ datasets
    );
  # A dataset that cannot get the property (`-`) must not keep the others from their rights.
  autoSnapshot = lib.optional cfg.snapshots.enable "-${shell ./auto-snapshot.sh sources}";
  start = autoSnapshot ++ [ (grant sources) ];
in
{
  config = lib.mkIf cfg.enable {
    users.users.dormouse = {
      description = "Dormouse, who replicates ZFS datasets";
      isSystemUser = true;
      group = "dormouse";
    };
    users.groups.dormouse = { };

    services.zfs.autoSnapshot = lib.mkIf cfg.snapshots.enable {
      enable = true;
      inherit (cfg.snapshots)
        frequent
        hourly
        daily
        weekly
        monthly
        ;
    };

    # Once for all replications: one that ends must not take the rights of another.
    systemd.services.zfs-dormouse = {
      description = "Rights and snapshots of the datasets that Dormouse replicates";
      wantedBy = [ "multi-user.target" ];
      after = [ "zfs.target" ];
      path = [ config.boot.zfs.package ];
      # A stop would take the rights of replications that are running.
      reloadIfChanged = true;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StateDirectory = "dormouse/rights";
        ExecStart = start;
        ExecReload = start;
        ExecStop = grant [ ];
      };
    };
  };
}
