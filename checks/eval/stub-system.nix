# A small module system: one set of definitions for options that only `modules` declare, and the
# configuration that `modules` make of them. `rest` is the remainder of the system's configuration.
{
  modules,
  definitions,
  rest,
  pkgs,
  utils,
  optionPath,
  otherOptions ? { },
}:
let
  lib = import ./lib.nix;

  merge =
    a: b:
    if builtins.isAttrs a && builtins.isAttrs b then
      a // builtins.mapAttrs (name: value: if a ? ${name} then merge a.${name} value else value) b
    else if builtins.isList a && builtins.isList b then
      a ++ b
    else
      throw "conflicting definitions: ${builtins.toJSON a} and ${builtins.toJSON b}";
  mergeAll = builtins.foldl' merge { };

  get = builtins.foldl' (set: name: set.${name} or { });
  put = path: value: builtins.foldl' (inner: name: { ${name} = inner; }) value (reverse path);
  reverse = builtins.foldl' (list: item: [ item ] ++ list) [ ];

  resolve =
    value:
    if (value._type or null) == "if" then
      (if value.condition then resolve value.content else { })
    else if (value._type or null) == "merge" then
      mergeAll (map resolve value.contents)
    else if builtins.isAttrs value then
      builtins.mapAttrs (_: resolve) value
    else
      value;

  load =
    module:
    let
      loaded = if builtins.isAttrs module || builtins.isFunction module then module else import module;
      set =
        if builtins.isFunction loaded then
          loaded {
            inherit
              config
              lib
              options
              pkgs
              utils
              ;
          }
        else
          loaded;
    in
    [ set ] ++ builtins.concatMap load (set.imports or [ ]);

  loaded = builtins.concatMap load modules;
  options = mergeAll ([ otherOptions ] ++ map (module: module.options or { }) loaded);
  filled =
    (import ./options.nix).fill (get options optionPath) (builtins.concatStringsSep "." optionPath)
      definitions;
  config = merge rest (put optionPath filled);
in
mergeAll ([ (put optionPath filled) ] ++ map (module: resolve (module.config or { })) loaded)
