# The values of the options that a configuration.nix defines. Any option that known-options.nix does
# not have is refused by its name: nothing is left out in silence.
{
  configuration,
  pkgs ? import ./packages.nix,
}:
let
  lib = import ./lib.nix;
  inherit (import ./options.nix) fill;
  known = import ./known-options.nix { inherit lib pkgs; };

  merge =
    a: b:
    if builtins.isAttrs a && builtins.isAttrs b then
      a // builtins.mapAttrs (name: value: if a ? ${name} then merge a.${name} value else value) b
    else if builtins.isList a && builtins.isList b then
      a ++ b
    else
      throw "conflicting definitions: ${builtins.toJSON a} and ${builtins.toJSON b}";
  mergeAll = builtins.foldl' merge { };

  resolve =
    value:
    if !builtins.isAttrs value then
      value
    else if (value._type or null) == "if" then
      (if value.condition then resolve value.content else { })
    else if (value._type or null) == "merge" then
      mergeAll (map resolve value.contents)
    else
      builtins.mapAttrs (_: resolve) value;

  load =
    module:
    let
      loaded = if builtins.isAttrs module || builtins.isFunction module then module else import module;
      set =
        if builtins.isFunction loaded then
          loaded {
            inherit config lib pkgs;
            modulesPath = toString ./modules;
          }
        else
          loaded;
    in
    [ (resolve (set.config or (removeAttrs set [ "imports" ]))) ]
    ++ builtins.concatMap load (set.imports or [ ]);

  definitions = mergeAll (load configuration);
  unknown = builtins.attrNames (removeAttrs definitions (builtins.attrNames known));

  config =
    if unknown != [ ] then
      throw "The option `${builtins.head unknown}' does not exist."
    else
      builtins.mapAttrs (name: options: fill options name (definitions.${name} or { })) known;
in
config
