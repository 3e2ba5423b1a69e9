# Stands for the configuration of your host: take yours, and keep its ZFS pool and hostId.
{
  networking.hostName = "desktop";
  networking.hostId = "8425e349";

  boot.loader.systemd-boot.enable = true;
  boot.supportedFilesystems = [ "zfs" ];
  boot.zfs.forceImportRoot = false;

  fileSystems."/" = {
    device = "rpool/root";
    fsType = "zfs";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/boot";
    fsType = "vfat";
  };

  system.stateVersion = "26.05";
}
