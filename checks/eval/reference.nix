# The options of the modules, in the order of their names: what docs/options.md shows.
let
  lib = import ./lib.nix;
  pkgs = {
    callPackage = _: _: "/package";
    openssh = "/openssh";
  };

  nixos = import ../../modules/nixos/options.nix {
    inherit lib pkgs;
    # For defaults that follow from other options; what is shown is their `defaultText`.
    config.services.dormouse.secretsDir = "";
  };
  home = import ../../modules/home-manager.nix {
    inherit lib pkgs;
    config = { };
    options = { };
  };

  one =
    name: option:
    [
      {
        inherit name;
        inherit (option) description;
        type = option.type.description;
        isRequired = !(option ? default);
        default = option.defaultText or (show (option.default or null));
        example = if option ? example then show option.example else null;
      }
    ]
    ++ all "${name}${option.type.place or ""}" (option.type.options or { });

  all =
    path: options:
    lib.concatMap (
      name:
      let
        at = "${path}.${name}";
        option = options.${name};
      in
      if (option._type or null) == "option" then one at option else all at option
    ) (lib.attrNames options);

  # An expression that was given as text stays as it is.
  show = value: if builtins.isString value && lib.hasPrefix "./" value then value else nix value;
  nix =
    value:
    if builtins.isList value then
      "[ ${lib.concatMapStrings (item: "${nix item} ") value}]"
    else if value == { } then
      "{ }"
    else
      builtins.toJSON value;
in
{
  nixos = all "services.dormouse" nixos.options.services.dormouse;
  home = all "programs.dormouse" home.options.programs.dormouse;
}
