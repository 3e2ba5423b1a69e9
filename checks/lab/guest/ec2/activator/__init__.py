"""What NixOS' switch-to-configuration does, for the options that nix/known-options.nix has.

unit_files   systemd units, with their scripts, of services and timers
sshd_config  sshd's configuration and the keys that may log in
system_files every file of a generation: what the system is made of, as a pure function
accounts     users and groups
generation   what the last switch made, and putting a new one in its place
switch       a whole switch, in NixOS' order

In the guest it is a package of its own, so its modules name each other relatively.
"""
