# As much of nixpkgs' lib as Dormouse's modules and generated files use: for machines that have
# Nix and no nixpkgs.
let
  inherit (builtins)
    any
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    head
    isInt
    isString
    length
    listToAttrs
    mapAttrs
    replaceStrings
    split
    stringLength
    substring
    ;

  escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  nameValuePair = name: value: { inherit name value; };
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = stringLength text - stringLength suffix;
    in
    start >= 0 && substring start (stringLength suffix) text == suffix;
  last = list: builtins.elemAt list (length list - 1);
  toInt = builtins.fromJSON;
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
in
{
  inherit
    any
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    escapeShellArg
    filter
    hasPrefix
    hasSuffix
    head
    isInt
    isString
    last
    length
    listToAttrs
    mapAttrs
    nameValuePair
    removePrefix
    removeSuffix
    replaceStrings
    toInt
    ;

  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep =
    separator: f: list:
    concatStringsSep separator (map f list);
  escapeShellArgs = list: concatStringsSep " " (map escapeShellArg list);
  filterAttrs =
    keep: set:
    listToAttrs (
      concatMap (name: if keep name set.${name} then [ (nameValuePair name set.${name}) ] else [ ]) (
        attrNames set
      )
    );
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  getExe' = package: name: "${package}/bin/${name}";
  groupBy =
    f: list:
    builtins.foldl' (
      groups: item: groups // { ${f item} = (groups.${f item} or [ ]) ++ [ item ]; }
    ) { } list;
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  importTOML = path: builtins.fromTOML (builtins.readFile path);
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  optional = condition: item: if condition then [ item ] else [ ];
  optionalAttrs = condition: set: if condition then set else { };
  optionalString = condition: text: if condition then text else "";
  optionals = condition: list: if condition then list else [ ];
  unique =
    list: builtins.foldl' (found: item: if elem item found then found else found ++ [ item ]) [ ] list;
  splitString = separator: text: filter builtins.isString (split separator text);

  cleanSourceWith = { src, ... }: src;
  licenses.mit = "mit";
  platforms.linux = [ "linux" ];

  literalExpression = text: text;
  literalMD = text: text;
  mkDefault = value: value;
  mkForce = value: value;
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOption = option: option // { _type = "option"; };
  mkEnableOption = name: {
    _type = "option";
    description = "Whether to enable ${name}.";
    default = false;
    type = (import ./types.nix).bool;
  };
  types = import ./types.nix;
}
