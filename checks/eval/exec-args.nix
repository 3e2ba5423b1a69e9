# systemd's quoting of a command line's arguments, systemd.service(5) "COMMAND LINES".
arguments:
let
  quote =
    argument: builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON (toString argument));
in
builtins.concatStringsSep " " (map quote arguments)
