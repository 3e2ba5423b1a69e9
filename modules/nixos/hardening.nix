# The sandbox of a process that runs `zfs send` as root and `ssh`.
#
# Neither PrivateDevices nor a smaller CapabilityBoundingSet: the first hides /dev/zfs, and the
# ioctls of zfs need CAP_SYS_ADMIN as long as the service runs as root.
{
  DeviceAllow = [ "/dev/zfs rw" ];
  DevicePolicy = "closed";
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  NoNewPrivileges = true;
  PrivateTmp = true;
  ProtectClock = true;
  ProtectControlGroups = true;
  # Not `true`: the secrets may lie in /root.
  ProtectHome = "read-only";
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectSystem = "strict";
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
    # getaddrinfo(3) asks it for this host's addresses, to sort the answers.
    "AF_NETLINK"
    "AF_UNIX"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallErrorNumber = "EPERM";
  SystemCallFilter = "@system-service";
  UMask = "0077";
}
