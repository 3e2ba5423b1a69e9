# Option types: whether a value is one, and the value with the defaults of what it contains.
let
  type =
    description: check:
    let
      fill =
        path: value:
        if check value then
          value
        else
          throw "A definition for option `${path}' is not of type `${description}': ${builtins.toJSON value}";
    in
    {
      inherit check description fill;
    };
in
rec {
  bool = type "boolean" builtins.isBool;
  str = type "string" builtins.isString;
  package = type "package" (value: builtins.isAttrs value || builtins.isString value);
  path = type "absolute path" (
    value: builtins.isPath value || builtins.isString value && builtins.substring 0 1 value == "/"
  );
  ints = {
    unsigned = type "unsigned integer" (value: builtins.isInt value && value >= 0);
    positive = type "positive integer" (value: builtins.isInt value && value > 0);
  };
  enum =
    values:
    type "one of ${builtins.concatStringsSep ", " (map builtins.toJSON values)}" (
      value: builtins.elem value values
    );
  # As nixpkgs' types do, those of containers say what they contain, and have its options.
  nullOr = inner: {
    description = "null or ${inner.description}";
    options = inner.options or { };
    place = inner.place or "";
    check = value: value == null || inner.check value;
    fill = path: value: if value == null then null else inner.fill path value;
  };
  listOf = inner: {
    description = "list of ${inner.description}";
    check = builtins.isList;
    fill = path: value: map (inner.fill "${path}.*") ((type "list" builtins.isList).fill path value);
  };
  attrsOf = inner: {
    description = "attribute set of ${inner.description}";
    options = inner.options or { };
    place = ".<name>";
    check = builtins.isAttrs;
    fill =
      path: value:
      builtins.mapAttrs (name: inner.fill "${path}.${name}") (
        (type "attribute set" builtins.isAttrs).fill path value
      );
  };
  submodule = module: {
    description = "submodule";
    inherit (module) options;
    check = builtins.isAttrs;
    fill = (import ./options.nix).fill module.options;
  };
}
